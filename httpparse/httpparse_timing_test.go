package httpparse

import (
	"bytes"
	"testing"
)

func BenchmarkParse(b *testing.B) {
	for _, c := range typicalRequests {
		b.Run(c.name, func(b *testing.B) { benchParse(b, c.head) })
	}
}

func benchParse(b *testing.B, head string) {
	lim := DefaultLimits()
	buf := []byte(head)
	var r Request
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := Parse(buf, 0, &lim, &r); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkParse_PicoRequest parses the request of picohttpparser's bench.c many times in a row, as that does;
// peers/pico is the same loop in C around picohttpparser itself.
func BenchmarkParse_PicoRequest(b *testing.B) { benchParse(b, readHeads("testdata/pico.txt")[0].head) }

// BenchmarkParseByteByByte is the cost of a head that dribbles in: one call per byte.
func BenchmarkParseByteByByte(b *testing.B) {
	lim := DefaultLimits()
	buf := []byte(typicalRequests[2].head)
	var r Request
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		for i := range buf {
			n, err := Parse(buf[:i+1], i, &lim, &r)
			if i < len(buf)-1 && err != ErrPartial || i == len(buf)-1 && n != len(buf) {
				b.Fatal(i, n, err)
			}
		}
	}
}

func BenchmarkChunked(b *testing.B) {
	lim := DefaultLimits()
	for _, c := range []struct {
		name        string
		size, count int
	}{{"16x4096", 4096, 16}, {"512x16", 16, 512}} {
		b.Run(c.name, func(b *testing.B) {
			src := chunkedBody(bytes.Repeat([]byte{'x'}, c.size*c.count), c.size)
			body := make([]byte, 0, c.size*c.count)
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			var d Chunked
			for b.Loop() {
				d = Chunked{}
				body = body[:0]
				for at, done := 0, false; !done; {
					data, n, fin, err := d.Decode(src[at:], &lim)
					if err != nil {
						b.Fatal(err)
					}
					body, at, done = append(body, data...), at+n, fin
				}
				if len(body) != c.size*c.count {
					b.Fatal(len(body))
				}
			}
		})
	}
}

func BenchmarkQuery(b *testing.B) {
	query := []byte("topic=user/42&topic=room/7%2Fa&ns=default&since=7-1842&topic=caf%C3%A9")
	dst := make([]byte, 0, 64)
	b.SetBytes(int64(len(query)))
	b.ReportAllocs()
	for b.Loop() {
		total := 0
		for q := query; len(q) > 0; {
			var value []byte
			var err error
			_, value, q = NextParam(q)
			if dst, err = AppendUnescaped(dst[:0], value); err != nil {
				b.Fatal(err)
			}
			total += len(dst)
		}
		if total != 7+8+7+6+5 {
			b.Fatal(total)
		}
	}
}

func BenchmarkHeader(b *testing.B) {
	lim := DefaultLimits()
	buf := []byte(typicalRequests[2].head)
	var r Request
	if _, err := Parse(buf, 0, &lim, &r); err != nil {
		b.Fatal(err)
	}
	b.Run("Known", func(b *testing.B) {
		for b.Loop() {
			if _, ok := r.Known(FieldOrigin); !ok {
				b.Fatal("no Origin")
			}
		}
	})
	b.Run("ByName", func(b *testing.B) {
		for b.Loop() {
			if _, ok := r.Header("Accept-Language"); !ok {
				b.Fatal("no Accept-Language")
			}
		}
	})
}
