package bench

import (
	"container/heap"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// agenda is what an open loop has to do, and when. A duty is told its due time, from
// which latencies count however late its turn comes, so a slow server can't hide behind
// the requests that it has kept from being sent. One goroutine uses an agenda.
type agenda struct {
	duties duties
	late   *hdrhistogram.Histogram // due to begun: the client's own lateness, ns
}

type duty struct {
	due int64 // ns since the swarm's epoch
	do  func(due int64) error
}

func newAgenda() *agenda { return &agenda{late: newHistogram()} }

// at adds a duty.
func (g *agenda) at(due int64, do func(due int64) error) { heap.Push(&g.duties, duty{due, do}) }

// every adds a duty that comes back each interval, at least a nanosecond.
func (g *agenda) every(start, interval int64, do func(due int64) error) {
	var again func(due int64) error
	again = func(due int64) error {
		g.at(due+max(interval, 1), again)
		return do(due)
	}
	g.at(start, again)
}

// dutiesMax is how many duties are done before the connections are served again.
const dutiesMax = 32

// follow does everything that is due before end and serves the swarm in between. What is
// due later stays on the agenda.
func (g *agenda) follow(r *run, end int64) error {
	for {
		next := end
		if len(g.duties) > 0 {
			next = min(next, g.duties[0].due)
		}
		if err := r.w.sleep(r.ctx, next); err != nil {
			return err
		}
		now := r.w.now()
		if next == end && now >= end {
			return nil
		}
		for range dutiesMax {
			if len(g.duties) == 0 || g.duties[0].due > min(now, end-1) {
				break
			}
			d := heap.Pop(&g.duties).(duty)
			record(g.late, now-d.due)
			if err := d.do(d.due); err != nil {
				return err
			}
		}
	}
}

// duties is a heap by due time.
type duties []duty

func (d duties) Len() int           { return len(d) }
func (d duties) Less(i, j int) bool { return d[i].due < d[j].due }
func (d duties) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *duties) Push(x any)        { *d = append(*d, x.(duty)) }

func (d *duties) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	(*d)[last] = duty{}
	*d = (*d)[:last]
	return x
}
