package obs

import (
	"io"
	"testing"
)

func BenchmarkCounter_Add(b *testing.B) {
	var c Counter
	for b.Loop() {
		c.Add(3)
	}
}

func BenchmarkHistogram_Observe(b *testing.B) {
	h := NewHistogram()
	for b.Loop() {
		h.ObserveNs(123_456, 1)
	}
}

// BenchmarkHistogram_ObserveParallel is several loops with one histogram.
func BenchmarkHistogram_ObserveParallel(b *testing.B) {
	h := NewHistogram()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h.ObserveNs(123_456, 1)
		}
	})
	if d := h.Read(); d.Count != uint64(b.N) {
		b.Fatalf("counted %d of %d", d.Count, b.N)
	}
}

func BenchmarkTable_WritePrometheus(b *testing.B) {
	m := newTable()
	b.ReportAllocs()
	for b.Loop() {
		if err := m.WritePrometheus(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
