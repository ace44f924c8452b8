//go:build linux

package topics

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// story drives an Index and the naive one with the same random steps.
type story struct {
	t      *testing.T
	r      *rand.Rand
	x      *Index
	n      *naive
	chains map[uint32]Chain
	held   []Set
	names  []place // of held
	active []*Cursor
}

var words = []string{"a", "b", "user", "42", "$sys", "ümläut",
	"a-level-of-exactly-27-bytes", "a-level-of-exactly-28-bytes.", strings.Repeat("long", 15)}

func (s *story) topic(wild bool) string {
	levels := make([]string, 1+s.r.IntN(4))
	for i := range levels {
		levels[i] = words[s.r.IntN(len(words))]
		if wild && s.r.IntN(3) == 0 {
			levels[i] = "+"
		}
	}
	if wild && s.r.IntN(3) == 0 {
		levels[len(levels)-1] = "#"
	}
	return strings.Join(levels, "/")
}

func (s *story) ns() uint32 { return uint32(s.r.IntN(3)) }

func (s *story) step() {
	row := uint32(s.r.IntN(80))
	switch k := s.r.IntN(100); {
	case k < 40:
		p := place{s.ns(), s.topic(s.r.IntN(2) == 0)}
		chain, err := s.x.Join(p.ns, p.filter, row, s.chains[row])
		if err != nil {
			s.t.Fatal(err)
		}
		s.chains[row] = chain
		s.n.join(p, row)
	case k < 58:
		s.x.Leave(s.chains[row])
		delete(s.chains, row)
		s.n.leave(row)
	case k < 70:
		s.match(row)
	case k < 78 && len(s.held) > 0:
		s.release(s.r.IntN(len(s.held)))
	case k < 84 && len(s.held) > 0:
		i := s.r.IntN(len(s.held))
		c := &Cursor{}
		s.x.Start(s.held[i], c)
		s.n.on[c] = s.names[i]
		s.n.at[c] = slices.Clone(s.n.sets[s.names[i]])
		s.active = append(s.active, c)
	case k < 98 && len(s.active) > 0:
		s.next(s.r.IntN(len(s.active)))
	case len(s.active) > 0:
		s.stop(s.r.IntN(len(s.active)))
	}
}

func (s *story) match(row uint32) {
	ns, topics := s.ns(), make([]string, s.r.IntN(4))
	for i := range topics {
		topics[i] = s.topic(false)
	}
	var got []string
	from := len(s.held)
	s.held = s.x.Match(ns, topics, s.held)
	for _, set := range s.held[from:] {
		f := filterOf(s.x, set)
		got = append(got, f)
		s.names = append(s.names, place{ns, f})
	}
	slices.Sort(got)
	if want := s.n.match(ns, topics); !slices.Equal(got, want) {
		s.t.Fatalf("Match(%d, %q) found %q, want %q", ns, topics, got, want)
	}
	if got, want := s.x.Has(s.chains[row], ns, topics), s.n.has(row, ns, topics); got != want {
		s.t.Fatalf("Has(%q, %d, %q) is %v", s.x.Filters(s.chains[row], nil), ns, topics, got)
	}
	var want []string
	for _, p := range s.n.rows[row] {
		want = append(want, p.filter)
	}
	if got := s.x.Filters(s.chains[row], nil); !slices.Equal(got, want) {
		s.t.Fatalf("Filters gives %q, want %q", got, want)
	}
}

func (s *story) release(i int) {
	if got := filterOf(s.x, s.held[i]); got != s.names[i].filter {
		s.t.Fatalf("the held set of %q is now that of %q", s.names[i].filter, got)
	}
	s.x.Release(s.held[i])
	s.held = slices.Delete(s.held, i, i+1)
	s.names = slices.Delete(s.names, i, i+1)
}

func (s *story) next(i int) {
	c := s.active[i]
	row, ok := c.Next()
	want := s.n.at[c]
	if ok != (len(want) > 0) || ok && row != want[0] {
		s.t.Fatalf("cursor on %q gives %d, %v; still to come are %d", s.n.on[c].filter, row, ok, want)
	}
	if !ok {
		s.stop(i)
		return
	}
	s.n.at[c] = want[1:]
}

func (s *story) stop(i int) {
	c := s.active[i]
	s.x.Stop(c)
	delete(s.n.at, c)
	delete(s.n.on, c)
	s.active = slices.Delete(s.active, i, i+1)
}

// finish undoes everything, in random order.
func (s *story) finish() {
	for len(s.held)+len(s.active)+len(s.chains) > 0 {
		switch k := s.r.IntN(3); {
		case k == 0 && len(s.held) > 0:
			s.release(s.r.IntN(len(s.held)))
		case k == 1 && len(s.active) > 0:
			s.next(s.r.IntN(len(s.active)))
		case k == 2:
			for row, chain := range s.chains {
				s.x.Leave(chain)
				delete(s.chains, row)
				s.n.leave(row)
				break
			}
		}
	}
	mustBeEmpty(s.t, s.x)
}

func TestIndex_AgreesWithNaive(t *testing.T) {
	for name, mask := range map[string]uint32{"hashes": 1<<32 - 1, "colliding": 3, "all_collide": 0} {
		t.Run(name, func(t *testing.T) {
			for range 4 {
				seed := rand.Uint64()
				t.Run(fmt.Sprintf("seed_%#x", seed), func(t *testing.T) {
					s := &story{t: t, r: rand.New(rand.NewPCG(seed, 1)), n: newNaive(),
						x: newIndex(t, LimitsFor(2000)), chains: map[uint32]Chain{}}
					s.x.hashMask = mask
					for i := range 6000 {
						if s.step(); i%500 == 0 {
							mustBeSound(t, s.x)
						}
					}
					s.finish()
				})
			}
		})
	}
}
