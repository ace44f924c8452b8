package httpparse

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// seeds gives the inputs of the golden cases of one kind.
func seeds(tb testing.TB, kind string) (inputs [][]byte) {
	files, err := filepath.Glob("testdata/*.md")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		_, cases := goldenParts(tb, string(text))
		for _, c := range cases {
			if c.kind == kind {
				inputs = append(inputs, c.input)
			}
		}
	}
	if len(inputs) == 0 {
		tb.Fatalf("no %s in %v", kind, files)
	}
	return inputs
}

// tightLimits are small enough for a fuzzer to meet all of them.
func tightLimits() Limits {
	return Limits{HeadBytesMax: 160, TargetBytesMax: 24, MethodBytesMax: 8, HeadersMax: 5, FieldNameBytesMax: 20,
		FieldValueBytesMax: 30, ChunkSizeDigitsMax: 4, ChunkExtBytesMax: 8, TrailerBytesMax: 24}
}

// FuzzParse: a head fed whole, byte by byte, and in pieces of any size is the same request with the same offsets,
// or the same refusal.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f, "request") {
		f.Add(s, 3, false)
		f.Add(s, 7, true)
	}
	for _, c := range typicalRequests {
		f.Add([]byte(c.head), 64, false)
	}
	f.Fuzz(func(t *testing.T, input []byte, step int, tight bool) {
		lim := DefaultLimits()
		if tight {
			lim = tightLimits()
		}
		whole, err := feedRequest(input, &lim, len(input))
		for _, step := range []int{1, step} {
			pieces, errPieces := feedRequest(input, &lim, step)
			if whole != pieces || fmt.Sprint(err) != fmt.Sprint(errPieces) {
				t.Errorf("whole:\n%s%v\nin steps of %d:\n%s%v", whole, err, step, pieces, errPieces)
			}
		}
		if e, ok := err.(*Error); ok && (e.Offset < 0 || e.Offset > len(input) || e.Status < 400) {
			t.Errorf("%+v", e)
		}
	})
}

// FuzzChunked: as FuzzParse, for bodies.
func FuzzChunked(f *testing.F) {
	for _, s := range seeds(f, "chunked") {
		f.Add(s, 2, false)
		f.Add(s, 5, true)
	}
	f.Fuzz(func(t *testing.T, input []byte, step int, tight bool) {
		lim := DefaultLimits()
		if tight {
			lim = tightLimits()
		}
		whole, err := feedChunked(input, &lim, len(input))
		for _, step := range []int{1, step} {
			pieces, errPieces := feedChunked(input, &lim, step)
			if whole != pieces || fmt.Sprint(err) != fmt.Sprint(errPieces) {
				t.Errorf("whole:\n%s%v\nin steps of %d:\n%s%v", whole, err, step, pieces, errPieces)
			}
		}
	})
}

// FuzzChunked_RoundTrip: any payload in chunks of any size comes back, and what follows is left alone.
func FuzzChunked_RoundTrip(f *testing.F) {
	f.Add([]byte("hello\r\n0\r\n\r\n"), uint8(3), uint8(1))
	f.Fuzz(func(t *testing.T, payload []byte, size, step uint8) {
		lim := DefaultLimits()
		src := chunkedBody(payload, int(size)+1)
		want := fmt.Sprintf("body %q, %d bytes of %d\n", payload, len(src), len(src)+3)
		got, err := feedChunked(append(src, "GET"...), &lim, int(step))
		if got != want || err != nil {
			t.Errorf("got %s%v\nwant %s", got, err, want)
		}
	})
}

// FuzzQuery: unescaping is what net/url does to a path, and cutting loses nothing but ampersands.
func FuzzQuery(f *testing.F) {
	for _, s := range seeds(f, "query") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query []byte) {
		plain, err := AppendUnescaped(nil, query)
		want, errWant := url.PathUnescape(string(query))
		if (err == nil) != (errWant == nil) || err == nil && string(plain) != want {
			t.Errorf("%q: %q, %v; net/url: %q, %v", query, plain, err, want, errWant)
		}
		var joined []byte
		for q := query; len(q) > 0; {
			var key, value []byte
			key, value, q = NextParam(q)
			joined = append(joined, key...)
			if value != nil {
				joined = append(append(joined, '='), value...)
			}
		}
		if flat := bytes.ReplaceAll(query, []byte("&"), nil); !bytes.Equal(joined, flat) {
			t.Errorf("%q came out as %q", query, joined)
		}
	})
}
