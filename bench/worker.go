package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"throng/bench/internal/sock"
)

// workerWord is the private first argument that makes a program a worker:
//
//	PROGRAM bench-worker EPOCH NUMBER WORKERS SOURCES
//
// Its standard input is a socket to its parent.
const workerWord = "bench-worker"

// WorkerMain makes this process a worker if its arguments (without the program's name)
// ask for it, and then says with which status to exit when its parent is done. A program
// that runs scenarios with Options.Workers calls it before anything else.
func WorkerMain(args []string) (status int, worker bool) {
	if len(args) == 0 || args[0] != workerWord {
		return 0, false
	}
	if err := work(args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// worker holds its share of the streams of a run's audiences.
type worker struct {
	w              *swarm
	parent         *conn
	in             []byte
	number, of     int
	audiences      map[int]*share
	toldFaultCount int
	told           int64 // when counts were last told
	over           bool
	err            error
}

// share is this worker's part of one audience.
type share struct {
	audience *audience
	ramp     *ramp // nil: nothing to open
	told     counts
}

const (
	// tellInterval is how often counts are told while there is no moment of rest.
	tellInterval = 2 * time.Millisecond
	workerArgs   = 4
)

func work(args []string) error {
	if len(args) != workerArgs {
		return fmt.Errorf("bench: a worker has %d arguments, not %d: %s is started by the scenarios themselves", workerArgs, len(args), workerWord)
	}
	var n [workerArgs]int64
	for i, a := range args {
		var err error
		if n[i], err = strconv.ParseInt(a, 10, 64); err != nil {
			return fmt.Errorf("bench: %s: %w", workerWord, err)
		}
	}
	start := time.Now()
	raw, err := rawEpoch(start)
	if err != nil {
		return err
	}
	w, err := newSwarm(start.Add(time.Duration(n[0]-raw)), int(n[3]))
	if err != nil {
		return err
	}
	k := &worker{w: w, number: int(n[1]), of: int(n[2]), audiences: make(map[int]*share)}
	w.next = k.number // so that workers do not all begin with the same address
	fd := int(os.Stdin.Fd())
	if err := sock.Adopt(fd); err != nil {
		return err
	}
	if k.parent, err = w.adopt(k, fd); err != nil {
		return err
	}
	err = k.serve()
	if err != nil && !k.over {
		// The parent hears of it; its own error would tell that a worker has ended.
		err = errors.Join(err, sendLine(k.parent, message{Err: err.Error()}))
	}
	return err
}

// serve works until the parent closes the connection.
func (k *worker) serve() error {
	for !k.over {
		next := k.w.now() + int64(turnMax)
		for _, s := range k.audiences {
			if s.ramp == nil {
				continue
			}
			if err := s.ramp.step(); err != nil {
				return err
			}
			if next = min(next, s.ramp.due()); s.ramp.over() {
				s.ramp = nil
			}
		}
		if k.news() {
			next = 0
		}
		if err := k.w.turn(next); err != nil {
			return err
		}
		if k.err != nil {
			return k.err
		}
		// Counts are told when nothing else is to do, so that who waits for the last
		// event hears of it at once, and now and then.
		if now := k.w.now(); len(k.w.ready) == 0 || now-k.told >= int64(tellInterval) {
			if err := k.tell(); err != nil {
				return err
			}
		}
	}
	return nil
}

// news says whether there are counts that the parent does not know.
func (k *worker) news() bool {
	for _, s := range k.audiences {
		if s.counts() != s.told {
			return true
		}
	}
	return k.w.faultCount > k.toldFaultCount
}

// tell sends what the parent does not know.
func (k *worker) tell() error {
	k.told = k.w.now()
	for id, s := range k.audiences {
		if c := s.counts(); c != s.told {
			s.told = c
			if err := sendLine(k.parent, message{Audience: id, Counts: &c}); err != nil {
				return err
			}
		}
	}
	if k.w.faultCount == k.toldFaultCount {
		return nil
	}
	new := k.w.faults[min(k.toldFaultCount, len(k.w.faults)):]
	k.toldFaultCount = k.w.faultCount
	return sendLine(k.parent, message{FaultCount: k.w.faultCount, Faults: new})
}

func (s *share) counts() counts {
	a := s.audience
	return counts{a.attached, a.delivered, a.bytes, a.gaps, a.closed, a.unknown, int(a.opened) - a.closed}
}

// received implements handler.
func (k *worker) received(_ *conn, p []byte) error {
	if in, err := takeLines(k.in, p, k.do); err != nil {
		k.err = err
	} else {
		k.in = in
	}
	return nil
}

// gone implements handler.
func (k *worker) gone(*conn, error) { k.over = true }

// do does a command. What it has changed is told before it is acknowledged.
func (k *worker) do(c command) error {
	answer := message{Ack: c.N}
	if err := k.perform(c, &answer); err != nil {
		return err
	}
	if err := k.tell(); err != nil {
		return err
	}
	if c.Op == opClose {
		delete(k.audiences, c.Audience)
	}
	return sendLine(k.parent, answer)
}

func (k *worker) perform(c command, answer *message) error {
	if c.Op == opOpen {
		return k.open(c)
	}
	s := k.audiences[c.Audience]
	if s == nil {
		return fmt.Errorf("%w: no audience %d", errLine, c.Audience)
	}
	a := s.audience
	a.rate = c.Rate / float64(k.of)
	var err error
	switch c.Op {
	case opGrow:
		s.ramp = a.growth(c.To)
	case opResume:
		s.ramp = a.resumption()
	case opBehind:
		answer.Behind, err = a.behind(context.Background(), c.Last)
	case opCollect:
		var errs [3]error
		answer.Lag, errs[0] = pack(a.lag)
		answer.FirstByte, errs[1] = pack(a.firstByte)
		answer.Live, errs[2] = pack(a.live)
		err = errors.Join(errs[:]...)
	case opClose:
		a.closeAll()
	default:
		err = fmt.Errorf("%w: command %q", errLine, c.Op)
	}
	return err
}

// open makes an empty share of an audience.
func (k *worker) open(c command) error {
	if c.Target == nil || c.Roster == nil {
		return fmt.Errorf("%w: audience %d without a target or roster", errLine, c.Audience)
	}
	d, err := c.Target.Wire.dialect()
	if err != nil {
		return err
	}
	k.audiences[c.Audience] = &share{audience: &audience{
		swarm: k.w, exact: true, roster: *c.Roster, offset: k.number, stride: k.of,
		target: target{name: c.Target.Name, addr: c.Target.Addr, authority: c.Target.Authority, prefix: c.Target.Prefix, wire: d},
		lag:    newHistogram(), firstByte: newHistogram(), live: newHistogram(),
	}}
	return nil
}
