package bench

import (
	"fmt"
	"slices"
)

// PeerSpec is a server to compare with.
type PeerSpec struct {
	Name string   `json:"name"` // in reports
	Argv []string `json:"argv"` // its command line, as Options.Server
	Wire `json:"wire"`
}

// rivals starts the servers to compare with.
func (r *run) rivals() ([]target, error) {
	var all []target
	for _, p := range r.o.Peers {
		if p.Name == "" || p.Name == "server" || slices.ContainsFunc(all, func(t target) bool { return t.name == p.Name }) {
			return nil, fmt.Errorf("bench: peer %q: want a name that no other side of the comparison has", p.Name)
		}
		t, err := r.start(p.Name, p.Argv, p.Wire)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// measured is a number of one side of a comparison, turn by turn.
type measured struct {
	side   string
	values []float64
}

// compareAll compares the first side with each of the others.
func (r *Report) compareAll(name, unit string, sides []measured) {
	if len(sides) == 1 {
		r.compare(name, sides[0].side, "", unit, sides[0].values, nil)
		return
	}
	for i, other := range sides[1:] {
		figures := len(r.Figures)
		r.compare(name, sides[0].side, other.side, unit, sides[0].values, other.values)
		if i > 0 {
			r.Figures = slices.Delete(r.Figures, figures, figures+1) // the first side's is there already
		}
	}
}
