package sse

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// FuzzParser_WholeAndInPiecesAgree: however a stream is cut, it tells the same messages and
// ends in the same error.
func FuzzParser_WholeAndInPiecesAgree(f *testing.F) {
	for _, c := range streams {
		f.Add([]byte(c.stream), uint8(3))
	}
	f.Add([]byte(strings.Repeat("data: 0123456789\r\n", 20)), uint8(7))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		l := Limits{LineBytesMax: 64, DataBytesMax: 100}
		whole, wholeErr := parseIn(stream, len(stream)+1, l)
		for _, n := range []int{1, int(step) + 1} {
			got, err := parseIn(stream, n, l)
			if !errors.Is(err, wholeErr) || strings.Join(got, "\n") != strings.Join(whole, "\n") {
				t.Fatalf("pieces of %d of %q:\n got %q, %v\nwant %q, %v", n, stream, got, err, whole, wholeErr)
			}
		}
	})
}

// FuzzFrame_RoundTrip: what is encoded is decoded to the same ID, name and data, but that
// every line break has become LF; and nothing else is in the stream.
func FuzzFrame_RoundTrip(f *testing.F) {
	for _, e := range samples() {
		f.Add(e.ID.Major, e.ID.Minor, e.Name, e.Data)
	}
	f.Fuzz(func(t *testing.T, major, minor uint64, name string, data []byte) {
		e := &Event{ID: ID{major, minor}, Topics: []string{"a"}, Name: name, Data: bytes.Clone(data)}
		e.Seal()
		if !bytes.Equal(e.Data, data) {
			t.Fatalf("Seal changed the data %q to %q", data, e.Data)
		}
		lines := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
		m := onlyMessage(t, e.Frame(FormatText))
		if string(m.ID) != e.ID.String() || string(m.Name) != wireName(name) || !bytes.Equal(m.Data, lines) {
			t.Fatalf("%+v became %s", e.Data, show(m))
		}
		m = onlyMessage(t, e.Frame(FormatJSON))
		var got envelope
		if err := json.Unmarshal(m.Data, &got); err != nil {
			t.Fatal(err)
		}
		if string(m.ID) != e.ID.String() || got.ID != e.ID.String() || string(m.Name) != wireName(name) || *got.Data != asUTF8(string(data)) {
			t.Fatalf("%q became %+v", data, got)
		}
	})
}

// onlyMessage parses a block that must be exactly one event.
func onlyMessage(t *testing.T, block []byte) Message {
	t.Helper()
	var p Parser
	n, m, err := p.Parse(block)
	if err != nil || n != len(block) || m.Kind != KindEvent {
		t.Fatalf("%q: took %d of %d bytes, kind %d, %v", block, n, len(block), m.Kind, err)
	}
	return m
}
