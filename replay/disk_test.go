package replay

import (
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// quietDisk are options of a store on fs that tells nobody.
func quietDisk(fs vfs.FS) DiskOptions {
	o := DiskDefaults()
	o.FS, o.Log = fs, slog.New(slog.DiscardHandler)
	return o
}

// mustDisk opens a store.
func mustDisk(t *testing.T, dir string, o DiskOptions) *Disk {
	t.Helper()
	s, err := NewDisk(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDisk_Contract runs the contract against the disk store, on a real file system with
// each policy, and with nothing kept in memory.
func TestDisk_Contract(t *testing.T) {
	for name, change := range map[string]func(*DiskOptions){
		"Interval": func(*DiskOptions) {},
		"Always":   func(o *DiskOptions) { o.Fsync = 1 },
		"NoRecent": func(o *DiskOptions) { o.RecentEventsMax, o.SegmentBytes = 0, 4096 },
	} {
		t.Run(name, func(t *testing.T) {
			testContract(t, traits{}, func(t *testing.T, c contractLimits) Store {
				o := quietDisk(vfs.Default)
				o.EventsMax, o.KeysMax, o.KeyWindow, o.Now = c.eventsMax, c.keysMax, c.keyWindow, c.now
				change(&o)
				return mustDisk(t, t.TempDir(), o)
			})
		})
	}
}

// newRand is what the library's disks want for a chance.
func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
