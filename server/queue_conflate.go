package server

import (
	"slices"
	"strings"
)

// spot is where an event waits that is the newest of its topics.
type spot struct {
	p     *pending
	i     int
	older *spot // one more that waits, since this one has a key
}

// conflate refuses what waits if a newer event of the same topics does. Where as many wait as
// may, what takes nobody's place is refused. An event with a key takes none: it may be one
// that was stored before, and older.
func (n *namespace) conflate() {
	l, most := &n.line, int(n.flow.line.Load())
	if l.newest == nil {
		l.newest = make(map[string]*spot)
	}
	alive := 0
	for _, p := range l.waiting[:l.looked] {
		if p.live > 0 {
			alive++
		}
	}
	for ; l.looked < len(l.waiting); l.looked++ {
		p := l.waiting[l.looked]
		if alive >= most && (!l.takesPlace(p) || alive >= 2*most) { // a chunk takes some places, and adds others
			n.refuseAll(p, errMailboxFull)
			continue
		}
		alive++
		for i := range p.records {
			if p.records[i].Err == nil {
				alive -= n.conflateOne(p, i)
			}
		}
	}
}

// takesPlace says whether an event of p is newer than one that waits.
func (l *line) takesPlace(p *pending) bool {
	for i := range p.records {
		if r := &p.records[i]; r.Key == "" && l.newest[topicsKey(r.Event.Topics)] != nil {
			return true
		}
	}
	return false
}

// conflateOne gives an event its place, and says of how many publishes nothing is left.
func (n *namespace) conflateOne(p *pending, i int) (emptied int) {
	topics := topicsKey(p.records[i].Event.Topics)
	older := n.line.newest[topics]
	newer := &spot{p: p, i: i}
	n.line.newest[topics] = newer
	if p.records[i].Key != "" {
		newer.older = older
		return 0
	}
	for ; older != nil; older = older.older {
		n.refuse(older.p, older.i, errConflated)
		if older.p.live == 0 {
			emptied++
		}
	}
	return emptied
}

// topicsKey is the same for the same set of topics, in whichever order.
func topicsKey(topics []string) string {
	if len(topics) == 1 {
		return topics[0]
	}
	sorted := slices.Sorted(slices.Values(topics))
	return strings.Join(slices.Compact(sorted), "\n") // no topic has control characters
}
