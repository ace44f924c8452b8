package seglog

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/record"
)

// batchOf gives n records of 200 bytes.
func batchOf(n, size int) [][]byte {
	records := make([][]byte, n)
	for i := range records {
		records[i] = make([]byte, size)
		for j := range records[i] {
			records[i][j] = byte(i*7 + j*13)
		}
	}
	return records
}

func perSecond(b *testing.B, records int) {
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "events/s")
}

// benchDir is on a real file system.
func benchDir(b *testing.B) string {
	if dir := os.Getenv("THRONG_BENCH_DIR"); dir != "" {
		d, err := os.MkdirTemp(dir, "seglog")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(d) })
		return d
	}
	return b.TempDir()
}

func BenchmarkAppend(b *testing.B) {
	for _, p := range []Policy{Never, Interval, Always} {
		for _, n := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("%s/batch=%d", p, n), func(b *testing.B) {
				f := NewFlusher(0)
				defer f.Close()
				l, _ := open(b, benchDir(b), Options{Fsync: p, Flusher: f})
				defer l.Close()
				batch := batchOf(n, 200)
				b.SetBytes(int64(n * 200))
				b.ReportAllocs()
				for b.Loop() {
					if err := l.Append(batch); err != nil {
						b.Fatal(err)
					}
					if l.Bytes() > 256<<20 {
						l.TruncateBefore(l.Last())
					}
				}
				perSecond(b, b.N*n)
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			const total = 200_000
			l, _ := open(b, benchDir(b), Options{Fsync: Never})
			defer l.Close()
			batch := batchOf(n, 230)
			for range total / n {
				if err := l.Append(batch); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(total * 230)
			b.ReportAllocs()
			for b.Loop() {
				r, err := l.Reader(1)
				if err != nil {
					b.Fatal(err)
				}
				count := 0
				for ; ; count++ {
					if _, _, err = r.Next(); err != nil {
						break
					}
				}
				r.Close()
				if err != io.EOF || count != total {
					b.Fatal(count, err)
				}
			}
			perSecond(b, b.N*total)
		})
	}
}

// BenchmarkSeek opens a reader in the middle of a large segment, and reads 100 records.
func BenchmarkSeek(b *testing.B) {
	l, _ := open(b, benchDir(b), Options{Fsync: Never})
	defer l.Close()
	batch := batchOf(100, 230)
	for range 2000 {
		if err := l.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		i++
		r, err := l.Reader(i*7919%199_900 + 1)
		if err != nil {
			b.Fatal(err)
		}
		for range 100 {
			if _, _, err := r.Next(); err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
	}
}

// BenchmarkBare is the library alone, one record for each event, on one file.
func BenchmarkBare(b *testing.B) {
	for _, n := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("append/batch=%d", n), func(b *testing.B) {
			f, err := os.Create(filepath.Join(benchDir(b), "bare"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			w := record.NewWriter(f)
			batch := batchOf(n, 200)
			b.SetBytes(int64(n * 200))
			b.ReportAllocs()
			for b.Loop() {
				for _, r := range batch {
					rec, err := w.Next()
					if err != nil {
						b.Fatal(err)
					}
					rec.Write(r)
				}
				if err := w.Flush(); err != nil {
					b.Fatal(err)
				}
				if w.Size() > 256<<20 {
					f.Truncate(0)
					f.Seek(0, io.SeekStart)
					w = record.NewWriter(f)
				}
			}
			perSecond(b, b.N*n)
		})
	}
	b.Run("read", func(b *testing.B) {
		const total = 200_000
		f, err := os.Create(filepath.Join(benchDir(b), "bare"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		w := record.NewWriter(f)
		for _, r := range batchOf(total, 230) {
			rec, _ := w.Next()
			rec.Write(r)
		}
		w.Flush()
		buf := make([]byte, 230)
		b.SetBytes(total * 230)
		b.ReportAllocs()
		for b.Loop() {
			f.Seek(0, io.SeekStart)
			r := record.NewReader(bufio.NewReaderSize(f, 256<<10), 0)
			count := 0
			for {
				rec, err := r.Next()
				if err != nil {
					break
				}
				if _, err := io.ReadFull(rec, buf); err != nil {
					b.Fatal(err)
				}
				count++
			}
			if count != total {
				b.Fatal(count)
			}
		}
		perSecond(b, b.N*total)
	})
}
