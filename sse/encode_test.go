package sse

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestAppendFrame_Golden(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"", "hello", "id: 1-2\ndata: hello\n\n"},
		{"tick", "hello", "id: 1-2\nevent: tick\ndata: hello\n\n"},
		{"message", "hello", "id: 1-2\ndata: hello\n\n"},
		{"Message", "", "id: 1-2\nevent: Message\ndata: \n\n"},
		{"", "", "id: 1-2\ndata: \n\n"},
		{"", "\n", "id: 1-2\ndata: \ndata: \n\n"},
		{"", "a\nb", "id: 1-2\ndata: a\ndata: b\n\n"},
		{"", "a\rb", "id: 1-2\ndata: a\ndata: b\n\n"},
		{"", "a\r\nb", "id: 1-2\ndata: a\ndata: b\n\n"},
		{"", "a\n\rb", "id: 1-2\ndata: a\ndata: \ndata: b\n\n"},
		{"", "a\r\r\nb\n", "id: 1-2\ndata: a\ndata: \ndata: b\ndata: \n\n"},
		{"", " lead", "id: 1-2\ndata:  lead\n\n"},
		{" n", "id: 3", "id: 1-2\nevent:  n\ndata: id: 3\n\n"},
	} {
		e := &Event{ID: ID{1, 2}, Topics: []string{"a"}, Name: c.name, Data: []byte(c.data)}
		if got := string(AppendFrame([]byte(">"), e)); got != ">"+c.want {
			t.Errorf("name %q data %q:\n got %q\nwant %q", c.name, c.data, got, c.want)
		}
	}
}

func TestAppendFrame_NameCantWriteAFieldOfItsOwn(t *testing.T) {
	for name, want := range map[string]string{
		"x\nid: 9-9":      "event: x\n",
		"x\rdata: stolen": "event: x\n",
		"x\r\n\r\n":       "event: x\n",
		"x\x00y":          "event: x\n",
		"message\nx":      "",
		"\nx":             "",
		"\x00":            "",
	} {
		e := &Event{ID: ID{1, 2}, Topics: []string{"a"}, Name: name, Data: []byte("d")}
		if got := string(AppendFrame(nil, e)); got != "id: 1-2\n"+want+"data: d\n\n" {
			t.Errorf("name %q: %q", name, got)
		}
		if got := string(AppendJSONFrame(nil, e)); !strings.HasPrefix(got, "id: 1-2\n"+want+"data: {") || strings.Count(got, "\n") != 3+strings.Count(want, "\n") {
			t.Errorf("name %q: %q", name, got)
		}
	}
}

func TestAppendFrame_GrowsOnce(t *testing.T) {
	for _, e := range samples() {
		if n := testing.AllocsPerRun(20, func() { AppendFrame(nil, e) }); n != 1 {
			t.Errorf("%q: text frame allocates %v times", e.Data, n)
		}
		if n := testing.AllocsPerRun(20, func() { AppendJSONFrame(nil, e) }); n != 1 {
			t.Errorf("%q: JSON frame allocates %v times", e.Data, n)
		}
		if a, b := AppendFrame(nil, e), AppendJSONFrame(nil, e); cap(a) != len(a) || cap(b) != len(b) {
			t.Errorf("%q: room left behind a new frame", e.Data)
		}
		if f := layout(e); f.bytes != len(AppendFrame(nil, e)) {
			t.Errorf("%q: measured %d, written %d", e.Data, f.bytes, len(AppendFrame(nil, e)))
		}
	}
}

func TestAppend_NothingAllocatesIntoRoom(t *testing.T) {
	dst := make([]byte, 0, 64<<10)
	events := samples()
	n := testing.AllocsPerRun(50, func() {
		for _, e := range events {
			dst = AppendFrame(dst[:0], e)
			dst = AppendJSONFrame(dst[:0], e)
			dst = AppendJSON(dst[:0], e)
			dst = AppendIDBlock(dst[:0], e.ID)
			dst = AppendRetry(dst[:0], 3000)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAppendIDBlockAndRetry_Golden(t *testing.T) {
	if got := string(AppendIDBlock(nil, ID{1, 2})); got != "id: 1-2\n\n" {
		t.Errorf("id block %q", got)
	}
	for ms, want := range map[int]string{0: "0", 3000: "3000", -1: "0", math.MaxInt: "9223372036854775807"} {
		if got := string(AppendRetry(nil, ms)); got != "retry: "+want+"\n\n" {
			t.Errorf("retry %d: %q", ms, got)
		}
	}
}

func TestLineEnd_AgreesWithASlowReading(t *testing.T) {
	alphabet := []byte("a\r\n")
	for n := range 7 {
		for code := range int(math.Pow(3, float64(n))) {
			data := make([]byte, n)
			for i := range data {
				data[i] = alphabet[code%3]
				code /= 3
			}
			text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
			want := "id: 0-1\ndata: " + strings.ReplaceAll(text, "\n", "\ndata: ") + "\n\n"
			e := &Event{ID: ID{0, 1}, Data: slices.Clone(data)}
			e.Seal()
			if got := e.Frame(FormatText); string(got) != want || !bytes.Equal(e.Data, data) {
				t.Fatalf("%q: frame %q, want %q; data %q", data, got, want, e.Data)
			}
		}
	}
}
