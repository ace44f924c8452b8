package replay

import "hash/maphash"

// tombs remembers the last ID of evicted namespaces, so that one which is opened again
// goes on above it. It keeps hashes, not names, in two generations: when the young one
// is full the old one is forgotten, and the highest number in it becomes the least
// number at which an unknown namespace starts. Guarded by the store's lock.
type tombs struct {
	max        int // entries of one generation
	seed       maphash.Seed
	young, old map[uint64]uint64 // hash of the name -> highest Minor given
	forgotten  uint64            // highest Minor that was forgotten
}

// newTombs remembers the max/2 namespaces that were evicted last, or more, up to max.
func newTombs(max int) tombs {
	return tombs{max: (max + 1) / 2, seed: maphash.MakeSeed()}
}

// bury notes the highest number of a namespace that is being evicted. Two names with one
// hash share the higher number: that tells a gap too much, never an ID twice.
func (t *tombs) bury(ns string, last uint64) {
	h := maphash.String(t.seed, ns)
	last = max(last, t.young[h], t.old[h])
	if _, known := t.young[h]; !known && len(t.young) >= t.max {
		for _, n := range t.old {
			t.forgotten = max(t.forgotten, n)
		}
		t.old, t.young = t.young, nil
	}
	if t.young == nil {
		t.young = make(map[uint64]uint64)
	}
	t.young[h] = last
}

// start gives the number after which a namespace that is being opened goes on. What is
// found stays: another name may share the hash.
func (t *tombs) start(ns string) uint64 {
	h := maphash.String(t.seed, ns)
	y, inYoung := t.young[h]
	o, inOld := t.old[h]
	if inYoung || inOld {
		return max(y, o)
	}
	return t.forgotten
}
