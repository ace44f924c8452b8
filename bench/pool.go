package bench

import (
	"context"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// publisherPool is several connections that publish in an open loop: an event is started
// when it is due if a connection is free, and waits its turn otherwise. One request at a
// time is on a connection, and one event at a time of a token is under way anywhere, so
// that the order in which a server takes them is known. Latencies count from the due time
// in the event, however long it waited here.
type publisherPool struct {
	swarm *swarm
	lines []*poolLine
	queue []event // due, in order

	answer   *hdrhistogram.Histogram // due to answer, ns
	late     *hdrhistogram.Histogram // due to add: the generator's own lateness, ns
	wait     *hdrhistogram.Histogram // due to start, ns
	answered int64
	refused  int64 // and tried again
	left     int64 // not taken: poolQueueMax were waiting
	lost     error // a connection failed with an event on it
}

// poolLine is one connection.
type poolLine struct {
	*publisher
	now   event
	again int64 // when the refused event is tried again; 0: it is not refused
	taken bool  // now is not answered with 200 yet
}

// poolQueueMax bounds the events that wait for a connection. A generator that is so far
// behind measures its own queue.
const poolQueueMax = 4096

// newPool connects n publishers.
func newPool(w *swarm, t target, n int) (*publisherPool, error) {
	l := &publisherPool{swarm: w, answer: newHistogram(), late: newHistogram(), wait: newHistogram()}
	for range n {
		p, err := newPublisher(w, t)
		if err != nil {
			return nil, err
		}
		line := &poolLine{publisher: p}
		p.onReply = func(status int) { l.reply(line, status) }
		l.lines = append(l.lines, line)
	}
	return l, nil
}

// add takes an event that is due. It says no, and takes nothing, when too many wait.
func (l *publisherPool) add(e event) (bool, error) {
	record(l.late, l.swarm.now()-e.payload.due)
	if len(l.queue) >= poolQueueMax {
		l.left++
		return false, nil
	}
	l.queue = append(l.queue, e)
	return true, l.pump()
}

// pump starts what can be started.
func (l *publisherPool) pump() error {
	if l.lost != nil {
		return l.lost
	}
	for _, line := range l.lines {
		var err error
		switch {
		case line.busy && !line.closed:
		case line.busy:
			l.lost = fmt.Errorf("bench: %s closed a publisher's connection before it answered", line.target.name)
			return l.lost
		case line.taken && l.swarm.now() < line.again:
		case line.taken:
			err = line.start(line.now)
		default:
			err = l.startNext(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// startNext gives a free connection the first event whose token is not under way.
func (l *publisherPool) startNext(line *poolLine) error {
	for i, e := range l.queue {
		if l.underWay(e.payload.token) {
			continue
		}
		l.queue = append(l.queue[:i], l.queue[i+1:]...)
		line.now, line.taken = e, true
		record(l.wait, l.swarm.now()-e.payload.due)
		return line.start(e)
	}
	return nil
}

func (l *publisherPool) underWay(token uint64) bool {
	for _, line := range l.lines {
		if line.taken && line.now.payload.token == token {
			return true
		}
	}
	return false
}

// reply takes an answer. What follows is started by pump, outside of the read.
func (l *publisherPool) reply(line *poolLine, status int) {
	now := l.swarm.now()
	if status != 200 {
		l.refused++
		line.again = now + int64(refusedPause)
		return
	}
	l.answered++
	line.taken = false
	record(l.answer, now-line.now.payload.due)
}

// turn serves the swarm once, until the deadline at the latest, and starts what can be.
func (l *publisherPool) turn(deadline int64) error {
	for _, line := range l.lines {
		if line.taken && !line.busy {
			deadline = min(deadline, line.again)
		}
	}
	if err := l.swarm.turn(deadline); err != nil {
		return err
	}
	return l.pump()
}

// idle says whether everything that was added is answered.
func (l *publisherPool) idle() bool {
	if len(l.queue) > 0 {
		return false
	}
	for _, line := range l.lines {
		if line.taken {
			return false
		}
	}
	return true
}

// drain waits until everything is answered.
func (l *publisherPool) drain(ctx context.Context) error {
	end := l.swarm.now() + int64(publishLimit)
	for !l.idle() {
		now := l.swarm.now()
		if err := ctx.Err(); err != nil {
			return err
		}
		if now > end {
			return fmt.Errorf("bench: %s: %d events wait, the last answers took longer than %v", l.lines[0].target.name, len(l.queue), publishLimit)
		}
		if err := l.turn(now + int64(turnMax)); err != nil {
			return err
		}
	}
	return nil
}

// close closes the connections.
func (l *publisherPool) close() {
	for _, line := range l.lines {
		line.conn.close()
	}
}

// report tells what became of the load itself.
func (l *publisherPool) report(r *Report, suffix string) {
	r.latency("publish due to answer"+suffix, l.answer)
	r.latency("the generator's own lateness"+suffix, l.late)
	r.latency("publish due to start, waits for a connection included"+suffix, l.wait)
	r.figure("publishes refused and tried again"+suffix, float64(l.refused), "")
	r.check("events that found "+fmt.Sprint(poolQueueMax)+" waiting"+suffix, 0, l.left)
}
