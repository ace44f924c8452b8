package bench

import "github.com/HdrHistogram/hdrhistogram-go"

// window is the latencies of what was served between two looks.
type window struct{ h *hdrhistogram.Histogram }

func newWindow() *window { return &window{newHistogram()} }

func (w *window) add(ns int64) { record(w.h, ns) }

// take gives the 99th percentile, ns, and forgets; 0: there was nothing.
func (w *window) take() int64 {
	if w.h.TotalCount() == 0 {
		return 0
	}
	p99 := w.h.ValueAtQuantile(99)
	w.h.Reset()
	return p99
}
