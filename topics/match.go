//go:build linux

package topics

import (
	"slices"
	"strings"
)

// levelsMax is more levels than BytesMax bytes can have, checked or not.
const levelsMax = BytesMax + 1

// matchScratch is Match's working memory, used again by each call.
type matchScratch struct {
	levels [levelsMax]level
	// Each step takes one frame and puts back at most two, one level deeper.
	stack [levelsMax + 1]frame
}

// level is a piece of the topic: where it ends (it begins after the '/' before it),
// and its hash without a key.
type level struct {
	sum        uint64
	start, end uint16
}

// frame is a node whose path fits the first depth levels of the topic.
type frame struct {
	node  uint32
	depth uint32
}

// Match appends to dst the sets with members that want an event of these topics in
// namespace ns, each once, and holds each of them: it stays valid, even when its last
// member leaves, until Release. It allocates only what dst lacks.
func (x *Index) Match(ns uint32, topics []string, dst []Set) []Set {
	from := len(dst)
	var root uint32
	if x.levels.entries.live != 0 {
		root = x.levels.find(ns, x.hash(ns, x.sum(rootText)), rootText)
	}
	for _, topic := range topics {
		if topic == "" || len(topic) > BytesMax {
			continue // no filter can want it
		}
		// Should an unchecked topic be the text of a pattern: patterns match themselves.
		id := x.names.find(ns, x.hash(ns, x.sum(topic)), topic)
		dst = x.collect(Set(id), dst)
		if root != 0 {
			dst = x.matchPatterns(root, topic, dst)
		}
	}
	for _, s := range dst[from:] {
		x.sets[s].state &^= marked
	}
	return dst
}

// collect appends a set unless it is empty or already in.
func (x *Index) collect(id Set, dst []Set) []Set {
	if id == 0 {
		return dst
	}
	s := &x.sets[id]
	if s.head == 0 || s.state&marked != 0 {
		return dst
	}
	s.state += hold
	s.state |= marked
	return append(dst, id)
}

// matchPatterns walks the trie along topic, depth first.
func (x *Index) matchPatterns(root uint32, topic string, dst []Set) []Set {
	levels, stack := &x.match.levels, &x.match.stack
	n := x.cut(topic)
	stack[0] = frame{node: root}
	for top := 1; top > 0; {
		top--
		at := stack[top]
		node := &x.nodes[at.node]
		dst = x.collect(node.rest, dst)
		if at.depth == n {
			dst = x.collect(node.set, dst)
			continue
		}
		if node.plus != 0 {
			stack[top] = frame{node.plus, at.depth + 1}
			top++
		}
		if node.children == 0 || node.plus != 0 && node.children == 1 {
			continue
		}
		l := &levels[at.depth]
		id := x.levels.find(at.node, x.hash(at.node, l.sum), topic[l.start:l.end])
		if id != 0 && id != node.plus {
			stack[top] = frame{id, at.depth + 1}
			top++
		}
	}
	return dst
}

// cut splits topic into levels and gives their number.
func (x *Index) cut(topic string) uint32 {
	for n, start := uint32(0), 0; ; n++ {
		end := strings.IndexByte(topic[start:], '/')
		if end < 0 {
			end = len(topic) - start
		}
		end += start
		x.match.levels[n] = level{x.sum(topic[start:end]), uint16(start), uint16(end)}
		if end == len(topic) {
			return n + 1
		}
		start = end + 1
	}
}

// Has tells whether Match would find the row that has this chain. Its cost is one
// comparison of hashes for each pair of topic and exact filter, and of texts for each
// pair of topic and pattern.
func (x *Index) Has(head Chain, ns uint32, topics []string) bool {
	for _, topic := range topics {
		if topic == "" || len(topic) > BytesMax {
			continue
		}
		hash := x.hash(ns, x.sum(topic))
		for id := head; id != 0; {
			m := &x.members.rows[id]
			if x.wants(m.set, ns, hash, topic) {
				return true
			}
			id = m.chain
		}
	}
	return false
}

func (x *Index) wants(s Set, ns, hash uint32, topic string) bool {
	e := &x.names.entries.rows[s]
	if e.key != ns {
		return false
	}
	if x.sets[s].node == 0 {
		return e.hash == hash && x.names.equal(e.text, topic)
	}
	var buf [BytesMax]byte
	return fits(x.names.name(uint32(s), &buf), topic)
}

// fits tells whether a pattern matches a topic.
func fits(pattern []byte, topic string) bool {
	p, t := 0, 0
	for {
		switch {
		case p < len(pattern) && pattern[p] == '#':
			return true
		case p < len(pattern) && pattern[p] == '+':
			p++
			for t < len(topic) && topic[t] != '/' {
				t++
			}
		default:
			for p < len(pattern) && t < len(topic) && pattern[p] == topic[t] && topic[t] != '/' {
				p++
				t++
			}
		}
		switch {
		case t == len(topic):
			return p == len(pattern) || string(pattern[p:]) == "/#"
		case p == len(pattern) || pattern[p] != '/' || topic[t] != '/':
			return false
		}
		p++
		t++
	}
}

// Filters appends the filters of a row, in the order in which it joined them.
func (x *Index) Filters(head Chain, dst []string) []string {
	from := len(dst)
	var buf [BytesMax]byte
	for id := head; id != 0; id = x.members.rows[id].chain {
		dst = append(dst, string(x.names.name(uint32(x.members.rows[id].set), &buf)))
	}
	slices.Reverse(dst[from:])
	return dst
}
