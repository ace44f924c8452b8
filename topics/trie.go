//go:build linux

package topics

import "strings"

// node is a level of a pattern: the path of levels from the root of its namespace to
// it. It has the number of the level's name. '#' is no node of its own but the rest of
// its parent, which is what its meaning is.
type node struct {
	parent   uint32 // 0: the root of a namespace
	set      Set    // the pattern that ends here
	rest     Set    // the pattern that goes on with '#'
	plus     uint32 // child '+', known without a look-up
	children uint32 // nodes with this parent, '+' included
}

// rootText names the roots of namespaces among the levels: the one text that no level of
// any topic can be, checked or not.
const rootText = "/"

func isPattern(filter string) bool { return strings.ContainsAny(filter, "+#") }

// plant puts a pattern into the trie, or fails with nothing changed.
func (x *Index) plant(ns uint32, filter string, s Set) error {
	at, err := x.child(0, ns, rootText)
	for more := true; more && err == nil; {
		var level string
		level, filter, more = strings.Cut(filter, "/")
		if level == "#" {
			x.nodes[at].rest = s
			x.sets[s].node = at
			return nil
		}
		var next uint32
		if next, err = x.child(at, at, level); err == nil {
			at = next
		}
	}
	if err != nil {
		x.prune(at)
		return err
	}
	x.nodes[at].set = s
	x.sets[s].node = at
	return nil
}

// child finds or makes a node. Its key is the parent, or for a root the namespace.
func (x *Index) child(parent, key uint32, level string) (uint32, error) {
	hash := x.hash(key, x.sum(level))
	if id := x.levels.find(key, hash, level); id != 0 {
		return id, nil
	}
	id, err := x.levels.add(key, hash, level)
	if err != nil {
		return 0, err
	}
	x.nodes[id] = node{parent: parent}
	if parent != 0 {
		x.nodes[parent].children++
		if level == "+" {
			x.nodes[parent].plus = id
		}
	}
	return id, nil
}

// uproot takes the pattern of s, which ends at a node, out of the trie.
func (x *Index) uproot(at uint32, s Set) {
	n := &x.nodes[at]
	if n.rest == s {
		n.rest = 0
	} else {
		n.set = 0
	}
	x.prune(at)
}

// prune frees a node and its parents as far as nothing needs them.
func (x *Index) prune(at uint32) {
	for at != 0 {
		n := x.nodes[at]
		if n.set != 0 || n.rest != 0 || n.children != 0 {
			return
		}
		x.levels.remove(at)
		if n.parent != 0 {
			p := &x.nodes[n.parent]
			p.children--
			if p.plus == at {
				p.plus = 0
			}
		}
		at = n.parent
	}
}
