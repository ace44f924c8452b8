package replay

import (
	"crypto/sha256"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// A keyHash stands for an Idempotency-Key: the first half of its SHA-256, so that keys
// of any length cost the same and hold no pointer for the collector to follow.
type keyHash [16]byte

// hashKey is what stands for a key.
func hashKey(key string) keyHash {
	full := sha256.Sum256([]byte(key))
	return keyHash(full[:len(keyHash{})])
}

// A keyEntry is what is known about a key.
type keyEntry struct {
	sum   [32]byte
	minor uint64 // Minor of the ID given
	at    time.Duration
}

// A keyRef is the place of a key in the order of forgetting. A key that came again after
// its window has two; only the one whose minor matches the entry counts.
type keyRef struct {
	hash  keyHash
	minor uint64
	at    time.Duration
}

// keys is the table of Idempotency-Keys of one Log: bounded in count and time, the
// oldest forgotten first. claim is called by the Log's appender, the rest by anybody.
type keys struct {
	max    int
	window time.Duration
	total  *atomic.Int64 // keys of the whole store

	mu     sync.Mutex
	known  map[keyHash]keyEntry // nil when empty: a map does not shrink
	order  deque[keyRef]
	closed bool // remembers nothing more
}

// claim looks a key up. An unknown one is remembered for minor and fresh is true;
// otherwise the answer is the number given the first time and whether sum is the same.
func (k *keys) claim(key string, sum [32]byte, minor uint64, now time.Duration) (first uint64, fresh, same bool) {
	hash := hashKey(key)
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.known[hash]; ok && now-e.at <= k.window {
		return e.minor, false, e.sum == sum
	}
	k.put(hash, keyEntry{sum: sum, minor: minor, at: now}, now)
	return minor, true, true
}

// find looks a key up without remembering it.
func (k *keys) find(hash keyHash, now time.Duration) (e keyEntry, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok = k.known[hash]
	return e, ok && now-e.at <= k.window
}

// remember notes a key which find does not know at now. Keys come in the order of their
// times.
func (k *keys) remember(hash keyHash, e keyEntry, now time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(hash, e, now)
}

// put is remember with the lock held.
func (k *keys) put(hash keyHash, e keyEntry, now time.Duration) {
	if k.closed {
		return
	}
	if k.known == nil {
		k.known = make(map[keyHash]keyEntry)
	}
	k.total.Add(-int64(len(k.known)))
	k.known[hash] = e
	k.order.push(keyRef{hash: hash, minor: e.minor, at: e.at})
	k.forget(now)
	k.total.Add(int64(len(k.known)))
}

// oldest is the lowest number that a key known may stand for, a number above all when none is
// known.
func (k *keys) oldest() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.order.n == 0 {
		return math.MaxUint64
	}
	return k.order.at(0).minor
}

// sweep forgets keys whose window is over, a page of them under one lock.
func (k *keys) sweep(now time.Duration) {
	for more := true; more; {
		k.mu.Lock()
		before := len(k.known)
		more = k.forget(now)
		k.total.Add(int64(len(k.known) - before))
		k.mu.Unlock()
	}
}

// forget removes up to a page of what is too much or too old, and says whether it
// stopped at the page. The lock is held.
func (k *keys) forget(now time.Duration) (more bool) {
	for range dequePage {
		if k.order.n == 0 {
			k.known = nil
			return false
		}
		if k.order.n <= k.max && now-k.order.at(0).at <= k.window {
			return false
		}
		r := k.order.pop()
		if k.known[r.hash].minor == r.minor {
			delete(k.known, r.hash)
		}
	}
	return true
}

// close forgets everything, for good.
func (k *keys) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.total.Add(-int64(len(k.known)))
	k.known, k.order, k.closed = nil, deque[keyRef]{}, true
}
