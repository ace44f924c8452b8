package replay

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"throng/sse"
)

// BenchmarkMemory_Append publishes batches into a log that is full most of the time.
func BenchmarkMemory_Append(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprint("batch=", size), func(b *testing.B) {
			s := NewMemory(MemoryDefaults())
			l, err := s.Open("a")
			if err != nil {
				b.Fatal(err)
			}
			topics, data := []string{"news/sport"}, make([]byte, 200)
			batch := make([]Record, size)
			b.ReportAllocs()
			for b.Loop() {
				for i := range batch {
					batch[i].Event = &sse.Event{Topics: topics, Data: data}
				}
				if err := l.Append(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/event")
			if want := min(b.N*size, 65536); s.Stats().Events != want {
				b.Fatalf("%d events held, want %d", s.Stats().Events, want)
			}
		})
	}
}

// BenchmarkMemory_AppendKeyed is one publish with an Idempotency-Key, the table full.
func BenchmarkMemory_AppendKeyed(b *testing.B) {
	l, err := NewMemory(MemoryDefaults()).Open("a")
	if err != nil {
		b.Fatal(err)
	}
	batch, topics, key := make([]Record, 1), []string{"t"}, []byte("0123456789abcdef0123456789abcdef")
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		for i, v := len(key)-1, n; v > 0; i, v = i-1, v/10 {
			key[i] = byte('0' + v%10)
		}
		batch[0] = Record{Event: &sse.Event{Topics: topics}, Key: string(key)}
		if err := l.Append(b.Context(), batch); err != nil || batch[0].Duplicate {
			b.Fatal(err, batch[0])
		}
	}
}

// BenchmarkMemory_AppendTrimmed makes room in the largest of 1,000 namespaces all the
// time: the worst that the total limit can ask for.
func BenchmarkMemory_AppendTrimmed(b *testing.B) {
	o := MemoryDefaults()
	o.TotalBytesMax = 16 << 20
	s := NewMemory(o)
	logs := make([]Log, 1000)
	for i := range logs {
		l, err := s.Open(fmt.Sprint("ns", i))
		if err != nil {
			b.Fatal(err)
		}
		logs[i] = l
	}
	topics, data := []string{"news/sport"}, make([]byte, 200)
	batch := make([]Record, 1)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		batch[0].Event = &sse.Event{Topics: topics, Data: data}
		if err := logs[n%len(logs)].Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if got := s.Stats().Bytes; got > o.TotalBytesMax {
		b.Fatalf("%d bytes held of %d", got, o.TotalBytesMax)
	}
}

// BenchmarkMemory_After reads pages of 64 out of a full log, from as many goroutines as
// there are processors.
func BenchmarkMemory_After(b *testing.B) {
	l, err := NewMemory(MemoryDefaults()).Open("a")
	if err != nil {
		b.Fatal(err)
	}
	for range 1024 {
		if err := l.Append(b.Context(), newBatch(64)); err != nil {
			b.Fatal(err)
		}
	}
	first, last := l.First(), l.Last()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		page := make([]*sse.Event, 64)
		at := first
		for pb.Next() {
			n, err := l.After(b.Context(), at, last, page)
			if err != nil {
				b.Error(err)
				return
			}
			if at = first; n > 0 {
				at = page[n-1].ID
			}
		}
	})
}

// BenchmarkMemory_AppendDuringResumes appends while two readers page through the whole
// log without a pause, as after a restart of the network: the appender must not starve.
func BenchmarkMemory_AppendDuringResumes(b *testing.B) {
	s := NewMemory(MemoryDefaults())
	l, err := s.Open("a")
	if err != nil {
		b.Fatal(err)
	}
	for range 1024 {
		if err := l.Append(b.Context(), newBatch(64)); err != nil {
			b.Fatal(err)
		}
	}
	var stop atomic.Bool
	var events atomic.Int64
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			page := make([]*sse.Event, 64)
			for at := l.First(); !stop.Load(); {
				n, err := l.After(b.Context(), at, l.Last(), page)
				if at = l.First(); err == nil && n > 0 {
					at = page[n-1].ID
					events.Add(int64(n))
				}
			}
		})
	}
	batch, topics := make([]Record, 1), []string{"t"}
	for b.Loop() {
		batch[0].Event = &sse.Event{Topics: topics}
		if err := l.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	stop.Store(true)
	readers.Wait()
	b.ReportMetric(float64(events.Load())/b.Elapsed().Seconds(), "events-read/s")
}
