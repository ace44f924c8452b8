package bench

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkStream_Received is what the client pays for one verified event, the read aside.
func BenchmarkStream_Received(b *testing.B) {
	w, err := newSwarm(time.Now(), 1)
	if err != nil {
		b.Fatal(err)
	}
	defer w.close()
	a := &audience{swarm: w, exact: true, lag: newHistogram()}
	s := &stream{audience: a, token: 7}
	if err := s.received(nil, []byte(goodHead+"retry: 1\nid: 1-0\n\n")); err != nil {
		b.Fatal(err)
	}
	const batch = 1024
	b.ReportAllocs()
	frames := make([][]byte, batch)
	for n := uint64(0); b.Loop(); n++ {
		if n%batch == 0 {
			b.StopTimer()
			for i := range frames {
				f := fmt.Appendf(frames[i][:0], "id: 1-%d\ndata: ", n+uint64(i)+1)
				frames[i] = append(appendPayload(f, payload{token: 7, seq: n + uint64(i) + 1, due: w.now()}, 100), "\n\n"...)
			}
			b.StartTimer()
		}
		if err := s.received(nil, frames[n%batch]); err != nil {
			b.Fatal(err)
		}
	}
}
