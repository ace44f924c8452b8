package replay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"throng/replay/seglog"
	"throng/sse"
)

// A spoolWorld is a node with a spool whose power goes now and then, and a store that it
// does not reach now and then. The store goes on.
func runSpoolWorld(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	o := newOutage()
	disk := vfs.NewCrashableMem()
	want := map[string][]string{}
	s := newSpool(t, o, disk, seglog.Always)
	restart := func(power bool) {
		if power {
			crashed := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			s.Close() // its last breath stays on the old disk
			disk = crashed
		} else if err := s.Close(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		s = newSpool(t, o, disk, seglog.Always)
	}
	for step := range 60 {
		switch k := rng.IntN(10); {
		case k < 6:
			ns := fmt.Sprint("ns", rng.IntN(3))
			l, err := s.Open(ns)
			if err != nil {
				t.Fatal(err)
			}
			var data []string
			for i := range rng.IntN(4) + 1 {
				data = append(data, fmt.Sprintf("%d.%d", step, i))
			}
			if _, err := publish(t, l, "", data...); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			want[ns] = append(want[ns], data...)
		case k < 7:
			o.away.Store(!o.away.Load())
		case k < 8:
			o.flaky.Store(int32(rng.IntN(3) * 40))
		case k < 9:
			restart(true)
		default:
			restart(false)
		}
	}
	restart(rng.IntN(2) == 0)
	o.away.Store(false)
	o.flaky.Store(0)
	o.drained(t, s)
	defer s.Close()
	for ns, texts := range want {
		if got := o.texts(t, ns); !slices.Equal(got, texts) {
			t.Fatalf("%s has %q\nwant %q\nseed %d", ns, got, texts, seed)
		}
	}
	if n := s.Stats().SpoolDropped; n != 0 {
		t.Fatalf("%d dropped, seed %d", n, seed)
	}
}

func TestSpool_CrashLosesNothingAndDoublesNothing(t *testing.T) {
	base := uint64(time.Now().UnixNano())
	t.Logf("seeds from %d", base)
	for i := range uint64(30) {
		runSpoolWorld(t, base+i)
	}
}

func TestSpool_ManyPublishersKeepTheirOrder(t *testing.T) {
	o := newOutage()
	s := newSpool(t, o, vfs.NewMem(), seglog.Interval)
	defer s.Close()
	const each = 300
	var publishers sync.WaitGroup
	stop := make(chan struct{})
	var weather sync.WaitGroup
	weather.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				o.away.Store(false)
				return
			case <-time.After(2 * time.Millisecond):
				o.away.Store(i%2 == 0)
			}
		}
	})
	for p := range 4 {
		publishers.Go(func() {
			l, err := s.Open(fmt.Sprint("ns", p))
			if err != nil {
				t.Error(err)
				return
			}
			for i := range each {
				if _, err := publish(t, l, "", fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	close(stop)
	weather.Wait()
	o.drained(t, s)
	for p := range 4 {
		got := o.texts(t, fmt.Sprint("ns", p))
		for i, d := range got {
			if d != fmt.Sprint(i) {
				t.Fatalf("publisher %d: %q at %d", p, d, i)
			}
		}
		if len(got) != each {
			t.Errorf("publisher %d: %d events", p, len(got))
		}
	}
}

func TestSpool_DirectoryOfAnotherProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	s, err := NewSpool(newOutage(), dir, SpoolOptions{Fsync: seglog.Never})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSpool(newOutage(), dir, SpoolOptions{}); err == nil {
		t.Error("opened twice")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s, err = NewSpool(newOutage(), dir, SpoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzSpooled(f *testing.F) {
	r := Record{Event: samplesForSpool(), Key: "k", Sum: [32]byte{1, 2}}
	f.Add(appendSpooled(nil, 7, "ns", &r))
	r.Key = ""
	f.Add(appendSpooled(nil, 1<<40, "", &r))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseSpooled(b, "id", 5)
		if err != nil {
			if !errors.Is(err, errRecord) {
				t.Fatal(err)
			}
			return
		}
		epoch, ns, _, err := spooledHead(b)
		if err != nil {
			t.Fatal(err)
		}
		if b[1]&spooledKeyed == 0 {
			r.Key = ""
		} else if r.Key == "" {
			return // an empty key is not written so
		}
		if again := appendSpooled(nil, epoch, string(ns), &r); string(again) != string(b) {
			t.Fatalf("%q encodes to %q", b, again)
		}
	})
}

func samplesForSpool() *sse.Event {
	return &sse.Event{Topics: []string{"a", "b/c"}, Name: "name", Data: []byte("text\nmore")}
}
