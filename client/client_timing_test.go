package client

import (
	"bytes"
	"net/http"
	"testing"

	"throng/sse"
)

// BenchmarkNext reads small events from a server of the same process over TCP.
func BenchmarkNext(b *testing.B) {
	for name, f := range map[string]sse.Format{"text": sse.FormatText, "json": sse.FormatJSON} {
		b.Run(name, func(b *testing.B) {
			e := &sse.Event{ID: sse.ID{Major: 1, Minor: 1}, Topics: []string{"a"}, Name: "n", Data: bytes.Repeat([]byte("x"), 100)}
			e.Seal()
			many := bytes.Repeat(e.Frame(f), 100)
			url := listen(b, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for r.Context().Err() == nil {
					_, _ = w.Write(many)
				}
			})
			c, err := New(url, Options{})
			if err != nil {
				b.Fatal(err)
			}
			s := c.Subscribe(b.Context(), SubscribeOptions{Topics: []string{"a"}, JSON: f == sse.FormatJSON})
			defer s.Close()
			b.SetBytes(int64(len(many) / 100))
			b.ReportAllocs()
			for b.Loop() {
				if got, err := s.Next(b.Context()); err != nil || len(got.Data) != 100 {
					b.Fatal(got, err)
				}
			}
		})
	}
}
