package server

import "time"

// pace is how fast a batch goes on where publishers wait. The window of its namespace holds
// back the next publish, and a chunk of a batch is one, whatever is in it: a thousand events to
// a thousand streams are seconds of work, and who waits behind them is refused. So a batch lets
// no more of itself be on its way than the loops get done in time, and waits between its chunks.
//
// It is a window as well, of this batch alone, with a slow start: it doubles while the loops
// are hardly waited for. What one event costs nobody knows before: each of 10,000 streams may
// have a topic of its own, or all the same.
type pace struct {
	window int       // entries of it that may be on their way, in two chunks; 0: it has not begun
	ends   [2]uint64 // where its last two chunks ended, of what the namespace published
}

const (
	// paceCost is what an event to a stream is taken for at first: what it costs where the kernel
	// is slow. A window that is too small has doubled in no time.
	paceCost = 5 * time.Microsecond
	// paceMost is the largest window: one chunk is dealt with, and the next is there.
	paceMost = 2 * batchEventsMax
)

// chunk waits until the chunk before the last one was dealt with, and says how many events of
// the batch are the next one. A loop that does not get on is waited for as long as a publish may
// wait; then the policy decides. It must not be called where waiting is not allowed.
func (p *pace) chunk(n *namespace) int {
	streams, target := n.Streams(), time.Duration(n.flow.target)
	published, dealt := n.Progress()
	p.ends[0], p.ends[1] = p.ends[1], published
	if n.tail != nil || n.policy != policyBlock || target == 0 || streams == 0 {
		return n.chunk()
	}
	switch {
	case p.window == 0:
		p.window, p.ends[0] = int(target/paceCost/time.Duration(streams)), dealt
	case dealt >= p.ends[1]:
		p.window *= 2
	case dealt < p.ends[0]:
		p.wait(n, target)
	}
	p.window = min(max(p.window, flowLeast), paceMost)
	return min(p.window/2, n.chunk())
}

// wait adjusts the window to how long it takes.
func (p *pace) wait(n *namespace, target time.Duration) {
	begun := n.hub.clock()
	n.hub.group.AwaitSpace(func() bool {
		_, dealt := n.Progress()
		return dealt >= p.ends[0]
	}, time.Now().Add(n.hub.o.PublishTimeout))
	switch waited := time.Duration(n.hub.clock() - begun); {
	case waited < target/2:
		p.window *= 2
	case waited > target:
		p.window /= 2
	}
}
