package loops

// How far a loop is behind is not the age of its oldest entry: an event for 500,000 streams is
// a second's work, and nobody is late while that goes as it should. So each turn is given the
// time that its work explains, and an entry is late by what is left of its age without that.
// Work explains the wait for the fan-out that was running when the entry came, and the entry's
// own; the wait for others that came before it is lateness, however well these go: then
// publishers are faster than the loop.

const (
	// slack is how many times slower than lately a write may be, before the turn is longer
	// than its work explains: other processes share the caches and the processors.
	slack = 3
	// A write's cost is averaged over so much time spent in turns, in ns. It falls sooner than
	// it rises: a kernel that has become slow is to be seen, not got used to.
	costRises = 10e9
	costFalls = 1e9
)

// pace is what a loop knows of its own speed.
type pace struct {
	cost float64 // ns of a turn for one unit of its budget, a write or as much as that; 0: not known yet
	fair int64   // ns of all turns so far that their work explains
}

// turned takes a turn of so many ns and units into account. Turns of a few units have more
// else to do than writes, so nothing is learned from them. What work does not explain teaches
// nothing either: after a pause of seconds everything else would seem to be quick.
func (p *pace) turned(took int64, units int) {
	if p.cost > 0 {
		took = min(took, int64(slack*p.cost*float64(units)))
	}
	if units >= quantum {
		cost := float64(took) / float64(units)
		over := costRises
		if cost < p.cost {
			over = costFalls
		}
		if p.cost == 0 {
			p.cost = cost
		}
		p.cost += (cost - p.cost) * min(1, float64(took)/over)
	}
	p.fair += took
}

// due says since when something waits, and what may explain that.
type due struct {
	from int64 // ns
	fair int64 // pace.fair then; unexplained: from there on nothing explains it
}

const unexplained = -1

// late is by how many ns it is late.
func (d due) late(now int64, p *pace) int64 {
	late := now - d.from
	if d.fair != unexplained {
		late -= p.fair - d.fair
	}
	return max(late, 0)
}

// settle ends the excuse of the entries that came during the fan-out that now ends.
func (s *nsState) settle(now int64, p *pace) {
	if s.settled == s.pending.len() {
		return
	}
	waiting := s.pending.all()
	for i := s.settled; i < len(waiting); i++ {
		waiting[i].due = due{now - waiting[i].due.late(now, p), unexplained}
	}
	s.settled = len(waiting)
}

// late is by how many ns the namespace is late: the fan-out under way, and the entry behind it.
func (s *nsState) late(now int64, p *pace) (late int64) {
	if s.job.active {
		late = s.job.due.late(now, p)
	}
	if waiting := s.pending.all(); len(waiting) > 0 {
		late = max(late, waiting[0].due.late(now, p))
	}
	return late
}
