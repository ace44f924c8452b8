package sse

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// payload is n bytes of plain text with a line break after every 80, when lines is set.
func payload(n int, lines bool) []byte {
	b := bytes.Repeat([]byte("x"), n)
	if lines {
		for i := 80; i < n; i += 81 {
			b[i] = '\n'
		}
	}
	return b
}

func BenchmarkSeal(b *testing.B) {
	for _, n := range []int{100, 1 << 10, 64 << 10} {
		for _, lines := range []bool{false, true} {
			b.Run(fmt.Sprintf("bytes=%d/lines=%v", n, lines), func(b *testing.B) {
				data := payload(n, lines)
				e := &Event{ID: ID{1, 1 << 20}, Topics: []string{"a"}, Name: "tick"}
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					e.Data, e.text = data, nil
					e.Seal()
				}
				if !bytes.Equal(e.Data, data) {
					b.Fatal("data changed")
				}
			})
		}
	}
}

// BenchmarkAppendFrame encodes an event into a buffer that is used again, beside what one writes with package fmt.
func BenchmarkAppendFrame(b *testing.B) {
	for _, c := range []struct {
		bytes int
		lines bool
	}{{100, false}, {1 << 10, true}} {
		e := &Event{ID: ID{1, 1 << 20}, Topics: []string{"a"}, Name: "tick", Data: payload(c.bytes, c.lines)}
		want := fprintFrame(nil, e)
		for _, way := range []struct {
			name   string
			append func([]byte, *Event) []byte
		}{{"throng", AppendFrame}, {"fmt", fprintFrame}} {
			b.Run(fmt.Sprintf("bytes=%d/lines=%v/%s", c.bytes, c.lines, way.name), func(b *testing.B) {
				var dst []byte
				b.SetBytes(int64(c.bytes))
				b.ReportAllocs()
				for b.Loop() {
					dst = way.append(dst[:0], e)
				}
				if !bytes.Equal(dst, want) {
					b.Fatalf("%q, want %q", dst, want)
				}
			})
		}
	}
}

// fprintFrame is AppendFrame for data without CR.
func fprintFrame(dst []byte, e *Event) []byte {
	dst = fmt.Appendf(dst, "id: %s\nevent: %s\n", e.ID, e.Name)
	for line := range bytes.SplitSeq(e.Data, []byte("\n")) {
		dst = fmt.Appendf(dst, "data: %s\n", line)
	}
	return append(dst, '\n')
}

func BenchmarkAppendJSONFrame(b *testing.B) {
	for _, n := range []int{100, 64 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", n), func(b *testing.B) {
			e := &Event{ID: ID{1, 1 << 20}, Topics: []string{"a"}, Name: "tick", Data: payload(n, true)}
			var dst []byte
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendJSONFrame(dst[:0], e)
			}
			if len(dst) < n {
				b.Fatal("frame too short")
			}
		})
	}
}

func BenchmarkFrame_Shared(b *testing.B) {
	e := &Event{ID: ID{1, 1}, Topics: []string{"a"}, Data: payload(100, false)}
	e.Seal()
	for _, f := range []Format{FormatText, FormatJSON} {
		b.Run(fmt.Sprintf("format=%d", f), func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = len(e.Frame(f))
			}
			if n == 0 {
				b.Fatal("empty frame")
			}
		})
	}
}

func BenchmarkParser(b *testing.B) {
	for _, n := range []int{100, 1 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", n), func(b *testing.B) {
			const events = 100
			e := &Event{ID: ID{1, 1 << 20}, Name: "tick", Data: payload(n, true)}
			var stream []byte
			for range events {
				stream = AppendFrame(stream, e)
			}
			var p Parser
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			for b.Loop() {
				got := 0
				for rest := stream; len(rest) > 0; got++ {
					n, _, err := p.Parse(rest)
					if err != nil {
						b.Fatal(err)
					}
					rest = rest[n:]
				}
				if got != events {
					b.Fatalf("%d events", got)
				}
			}
		})
	}
}

func BenchmarkDecoder(b *testing.B) {
	frame := AppendFrame(nil, &Event{ID: ID{1, 1 << 20}, Name: "tick", Data: payload(100, false)})
	d := NewDecoder(&repeatReader{frame: frame}, Limits{})
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := d.Next()
		if err != nil || len(m.Data) != 100 {
			b.Fatal(err)
		}
	}
}

// repeatReader reads the same frame for ever.
type repeatReader struct {
	frame []byte
	at    int
}

func (r *repeatReader) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		m := copy(b[n:], r.frame[r.at:])
		n += m
		r.at = (r.at + m) % len(r.frame)
	}
	return n, nil
}

var _ io.Reader = (*repeatReader)(nil)
