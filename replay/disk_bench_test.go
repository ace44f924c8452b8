package replay

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
	"throng/sse"
)

// benchDisk is a store on the real file system, with as much retention as a benchmark needs.
func benchDisk(b *testing.B, change func(*DiskOptions)) (*Disk, Log) {
	o := quietDisk(vfs.Default)
	change(&o)
	s, err := NewDisk(b.TempDir(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	l, err := s.Open("a")
	if err != nil {
		b.Fatal(err)
	}
	return s, l
}

// BenchmarkDisk_Append publishes batches of events of 200 bytes.
func BenchmarkDisk_Append(b *testing.B) {
	for _, policy := range []seglog.Policy{seglog.Interval, seglog.Always, seglog.Never} {
		for _, size := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("%v/batch=%d", policy, size), func(b *testing.B) {
				s, l := benchDisk(b, func(o *DiskOptions) { o.Fsync = policy })
				topics, data := []string{"news/sport"}, make([]byte, 200)
				batch := make([]Record, size)
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					events := make([]sse.Event, size)
					for i := range batch {
						events[i].Topics, events[i].Data = topics, data
						batch[i].Event = &events[i]
					}
					if err := l.Append(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
					n += size
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
				if got := s.Stats().Events; got != min(n, s.opts.EventsMax) && got < 4<<20 {
					b.Fatalf("%d events held of %d", got, n)
				}
			})
		}
	}
}

// BenchmarkDisk_AppendBare is the library alone: its Writer, on a file that is not flushed.
func BenchmarkDisk_AppendBare(b *testing.B) {
	f, err := vfs.Default.Create(vfs.Default.PathJoin(b.TempDir(), "bare"), diskCategory)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w, data, n := record.NewWriter(f), make([]byte, 230), 0
	for b.Loop() {
		for range 1024 {
			if _, err := w.WriteRecord(data); err != nil {
				b.Fatal(err)
			}
			n++
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		if n%(1<<22) == 0 { // does not fill the disk
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
			if f, err = vfs.Default.Create(vfs.Default.PathJoin(b.TempDir(), "bare"), diskCategory); err != nil {
				b.Fatal(err)
			}
			w = record.NewWriter(f)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

// fillDisk appends n events of 200 bytes with a few topics.
func fillDisk(b *testing.B, l Log, n int) {
	batch, data := make([]Record, 1024), make([]byte, 200)
	for i := range data {
		data[i] = 'a' + byte(i%26)
	}
	for done := 0; done < n; done += len(batch) {
		for i := range batch {
			batch[i].Event = &sse.Event{Topics: []string{fmt.Sprint("news/", i%16)}, Data: data}
		}
		if err := l.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDisk_Read reads all of a log in pages, from files that are in memory.
func BenchmarkDisk_Read(b *testing.B) {
	const events = 256 << 10
	_, l := benchDisk(b, func(o *DiskOptions) { o.RecentEventsMax = 0 })
	fillDisk(b, l, events)
	for _, size := range []int{64, 1024} {
		b.Run(fmt.Sprint("page=", size), func(b *testing.B) {
			page := make([]*sse.Event, size)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for at, last := l.First(), l.Last(); at != last; {
					got, err := l.After(b.Context(), at, last, page)
					if err != nil || got == 0 {
						b.Fatal(got, err)
					}
					at = page[got-1].ID
					n += got
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkDisk_ReadBare is the library alone: its Reader, over the same amount of records.
func BenchmarkDisk_ReadBare(b *testing.B) {
	path := vfs.Default.PathJoin(b.TempDir(), "bare")
	f, err := vfs.Default.Create(path, diskCategory)
	if err != nil {
		b.Fatal(err)
	}
	const events = 256 << 10
	w, data := record.NewWriter(f), make([]byte, 230)
	for range events {
		if _, err := w.WriteRecord(data); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		f, err := vfs.Default.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		r := record.NewReader(f, 0)
		for range events {
			one, err := r.Next()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := one.Read(data); err != nil {
				b.Fatal(err)
			}
			n++
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkDisk_ReadRandom reads one page from anywhere in a log of several files: what
// the first page of each resuming client costs.
func BenchmarkDisk_ReadRandom(b *testing.B) {
	const events = 1 << 20
	_, l := benchDisk(b, func(o *DiskOptions) { o.RecentEventsMax = 0 })
	fillDisk(b, l, events)
	page, rnd := make([]*sse.Event, 64), rand.New(rand.NewPCG(1, 1))
	epoch, last := l.Last().Major, l.Last()
	b.ReportAllocs()
	for b.Loop() {
		at := sse.ID{Major: epoch, Minor: rnd.Uint64N(events - 64)}
		if n, err := l.After(b.Context(), at, last, page); n != 64 || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkDisk_Open opens a namespace of which all is younger than the window of keys, each
// hundredth event with one.
func BenchmarkDisk_Open(b *testing.B) {
	const events = 256 << 10
	s, l := benchDisk(b, func(*DiskOptions) {})
	batch, data := make([]Record, 1024), make([]byte, 200)
	for done := 0; done < events; done += len(batch) {
		for i := range batch {
			batch[i] = Record{Event: &sse.Event{Topics: []string{"news"}, Data: data}}
			if i%100 == 0 {
				batch[i].Key = fmt.Sprint(done + i)
			}
		}
		if err := l.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	keys := s.Stats().Keys
	for b.Loop() {
		if err := s.Evict("a"); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Open("a"); err != nil || s.Stats().Keys != keys {
			b.Fatal(err, s.Stats())
		}
	}
	b.ReportMetric(events*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRecord_Codec is one event with a topic, a name and 200 bytes.
func BenchmarkRecord_Codec(b *testing.B) {
	r := Record{Event: &sse.Event{Topics: []string{"news/sport"}, Name: "goal", Data: make([]byte, 200)}}
	encoded := encodeRecord(&r, 7)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		var hash keyHash
		for b.Loop() {
			encoded = appendRecord(encoded[:0], &r, &hash, 7)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		var d recordDecoder
		var e sse.Event
		for b.Loop() {
			v, err := parseRecord(encoded)
			if err != nil {
				b.Fatal(err)
			}
			d.decode(&v, &e)
		}
	})
}
