//go:build linux

package topics

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"

	"throng/poller"
)

// ErrFull: a Join did not fit into one of the tables (the text says which); nothing
// has changed.
var ErrFull = errors.New("topics: index is full")

var (
	errFullMembers = fmt.Errorf("%w: Limits.Members memberships are taken", ErrFull)
	errFullTopics  = fmt.Errorf("%w: Limits.Topics filters are taken", ErrFull)
	errFullNames   = fmt.Errorf("%w: Limits.NameBytes of names are taken", ErrFull)
	errFullNodes   = fmt.Errorf("%w: Limits.PatternNodes levels of patterns are taken", ErrFull)
)

// Limits are the sizes of an Index's tables. Address space is reserved for all of it,
// memory is taken as rows are used.
type Limits struct {
	Members      int // memberships: one for each filter of each row
	Topics       int // different filters, topics and patterns
	NameBytes    int // names: 32 bytes for the first 27 of a name, 32 for each further 28
	PatternNodes int // levels of patterns, shared ones once, and one for each namespace with patterns; 0: none allowed
}

// filtersMean is how many filters of its own a row has room for in LimitsFor, on average.
const filtersMean = 4

// LimitsFor gives the limits for an index of rows subscribers: room for four filters
// each on average, all different, of 55 bytes, one level of each not shared. Unused room
// costs address space only.
func LimitsFor(rows int) Limits {
	n := filtersMean * rows
	return Limits{Members: n, Topics: n, NameBytes: 2 * chunkBytes * n, PatternNodes: n}
}

// rowsMax bounds each table: numbers fit 31 bits, so an int holds any sum on the way.
const rowsMax = math.MaxInt32 - bucketsMin

func (l Limits) check() error {
	for _, f := range []struct {
		name     string
		got, min int
	}{
		{"Members", l.Members, 1}, {"Topics", l.Topics, 1},
		{"NameBytes", l.NameBytes, chunkBytes}, {"PatternNodes", l.PatternNodes, 0},
	} {
		most := rowsMax
		if f.name == "NameBytes" {
			most *= chunkBytes
		}
		if f.got < f.min || f.got > most {
			return fmt.Errorf("topics: Limits.%s is %d; %d to %d is possible", f.name, f.got, f.min, most)
		}
	}
	return nil
}

// Chain is the memberships of one row; 0 is none. The row keeps it.
type Chain uint32

// Set is the members of one filter; 0 is none. A Set stays valid while it has members,
// is held, or is walked.
type Set uint32

// member is one row that wants one filter.
type member struct {
	row   uint32
	set   Set
	prev  uint32 // in the set; 0: the first
	next  uint32 // in the set; in the free list
	chain Chain  // next membership of the row
}

func (m *member) link() *uint32 { return &m.next }

// set is the members of one filter. It has the number of the filter's name.
type set struct {
	head  uint32 // newest member
	node  uint32 // trie node where the pattern ends; 0: an exact topic
	state uint32 // holds * hold | marked
	walk  uint32 // slot in Index.walks while cursors are on it, else 0
}

const (
	marked = 1 << iota // already in the Match under way
	hold               // one hold
)

// Index answers which rows want an event. It belongs to one goroutine.
type Index struct {
	seed     maphash.Seed
	hashMask uint32 // all ones; tests take bits away to make names collide

	chunks  chunkPool // names of both dicts
	names   dict      // filters by namespace
	sets    []set     // by number of names
	members pool[member, *member]

	levels dict   // levels of patterns by parent node; roots by namespace
	nodes  []node // by number of levels

	setSlab  *poller.Slab[set]
	nodeSlab *poller.Slab[node]

	walks walks
	match matchScratch
}

// New reserves the tables of an Index.
func New(lim Limits) (*Index, error) {
	if err := lim.check(); err != nil {
		return nil, err
	}
	x := &Index{seed: maphash.MakeSeed(), hashMask: math.MaxUint32, walks: newWalks()}
	if err := x.reserve(lim); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (x *Index) reserve(lim Limits) (err error) {
	if x.chunks, err = newPool[chunk](lim.NameBytes / chunkBytes); err != nil {
		return err
	}
	if x.members, err = newPool[member](lim.Members); err != nil {
		return err
	}
	if x.names, err = newDict(lim.Topics, &x.chunks, errFullTopics); err != nil {
		return err
	}
	if x.levels, err = newDict(lim.PatternNodes, &x.chunks, errFullNodes); err != nil {
		return err
	}
	if x.setSlab, err = poller.NewSlab[set](lim.Topics + 1); err != nil {
		return err
	}
	if x.nodeSlab, err = poller.NewSlab[node](lim.PatternNodes + 1); err != nil {
		return err
	}
	x.sets, x.nodes = x.setSlab.Rows(), x.nodeSlab.Rows()
	return nil
}

// Close gives the tables back. Nothing of the Index may be used afterwards.
func (x *Index) Close() error {
	x.sets, x.nodes = nil, nil
	return errors.Join(x.chunks.close(), x.members.close(), x.names.close(), x.levels.close(),
		closeSlab(x.setSlab), closeSlab(x.nodeSlab))
}

// Join adds a membership: row wants what filter matches in namespace ns. It gives the
// row's new chain. A filter that the chain already has changes nothing. On an error,
// CheckFilter's or ErrFull, nothing has changed and the chain is head.
func (x *Index) Join(ns uint32, filter string, row uint32, head Chain) (Chain, error) {
	if err := CheckFilter(filter); err != nil {
		return head, err
	}
	hash := x.hash(ns, x.sum(filter))
	s := Set(x.names.find(ns, hash, filter))
	if s != 0 && x.inChain(head, s) {
		return head, nil
	}
	if x.members.room() == 0 {
		return head, errFullMembers
	}
	if s == 0 {
		var err error
		if s, err = x.open(ns, hash, filter); err != nil {
			return head, err
		}
	}
	m := x.members.take()
	first := &x.sets[s].head
	x.members.rows[m] = member{row: row, set: s, next: *first, chain: head}
	if *first != 0 {
		x.members.rows[*first].prev = m
	}
	*first = m
	return Chain(m), nil
}

func (x *Index) inChain(head Chain, s Set) bool {
	for m := head; m != 0; m = x.members.rows[m].chain {
		if x.members.rows[m].set == s {
			return true
		}
	}
	return false
}

// open makes the set of a filter that has none.
func (x *Index) open(ns, hash uint32, filter string) (Set, error) {
	id, err := x.names.add(ns, hash, filter)
	if err != nil {
		return 0, err
	}
	x.sets[id] = set{}
	if isPattern(filter) {
		if err := x.plant(ns, filter, Set(id)); err != nil {
			x.names.remove(id)
			return 0, err
		}
	}
	return Set(id), nil
}

// Leave ends all memberships of a row. Its chain is no longer valid.
func (x *Index) Leave(head Chain) {
	for head != 0 {
		id := uint32(head)
		m := &x.members.rows[id]
		s := &x.sets[m.set]
		if s.walk != 0 {
			x.walks.step(s.walk, id, m.next)
		}
		if m.prev == 0 {
			s.head = m.next
		} else {
			x.members.rows[m.prev].next = m.next
		}
		if m.next != 0 {
			x.members.rows[m.next].prev = m.prev
		}
		head = m.chain
		of := m.set
		x.members.give(id)
		x.tidy(of)
	}
}

// Release ends one hold that Match gave.
func (x *Index) Release(s Set) {
	if x.sets[s].state < hold {
		panic("topics: Release of a set that is not held")
	}
	x.sets[s].state -= hold
	x.tidy(s)
}

// tidy frees a set that nobody needs any more.
func (x *Index) tidy(id Set) {
	s := &x.sets[id]
	if s.head != 0 || s.state >= hold || s.walk != 0 {
		return
	}
	if s.node != 0 {
		x.uproot(s.node, id)
	}
	x.names.remove(uint32(id))
}

// sum is the keyed part of a name's hash.
func (x *Index) sum(s string) uint64 { return maphash.String(x.seed, s) }

// hash joins key and text: for one text, different keys never collide.
func (x *Index) hash(key uint32, sum uint64) uint32 {
	return uint32(sum+uint64(key)*0x9E3779B97F4A7C15) & x.hashMask // golden ratio, odd
}

// Stats is the fill of an Index.
type Stats struct {
	Members      int // memberships
	Topics       int // filters, topics and patterns, held ones included
	NameBytes    int // of Limits.NameBytes
	PatternNodes int // of Limits.PatternNodes
	Walked       int // sets with cursors on them
	Bytes        int // of all tables that have ever been written; the process keeps them
}

// Stats counts; it is cheap.
func (x *Index) Stats() Stats {
	return Stats{
		Members:      int(x.members.live),
		Topics:       int(x.names.entries.live),
		NameBytes:    int(x.chunks.live) * chunkBytes,
		PatternNodes: int(x.levels.entries.live),
		Walked:       x.walks.live,
		Bytes: x.members.bytes() + x.chunks.bytes() + x.names.bytes() + x.levels.bytes() +
			rowBytes[set](x.names.entries.top) + rowBytes[node](x.levels.entries.top),
	}
}
