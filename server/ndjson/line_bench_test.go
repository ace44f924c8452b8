package ndjson

import (
	"strings"
	"testing"
)

// The one pass beside encoding/json, for lines of some 200 bytes.
func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, line string }{
		{"string", `{"topic":"device/1234","data":"` + strings.Repeat("x", 160) + `"}`},
		{"escaped", `{"topic":"device/1234","data":"{\"seq\":1,\"text\":\"` + strings.Repeat("xü", 40) + `\"}\n"}`},
		{"object", `{"topic":"device/1234","event":"reading","data":{"seq":1,"t":21.5,"pad":"` + strings.Repeat("x", 100) + `"}}`},
	} {
		line := []byte(c.line)
		for _, way := range []struct {
			name  string
			parse func(l *Line) error
		}{
			{"pass", func(l *Line) error { return l.Parse(line) }},
			{"encoding-json", func(l *Line) error { return l.decode(line) }},
		} {
			b.Run(c.name+"/"+way.name, func(b *testing.B) {
				var l Line
				b.SetBytes(int64(len(line)))
				b.ReportAllocs()
				for b.Loop() {
					l.Reset()
					if err := way.parse(&l); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
