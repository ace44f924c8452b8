package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"throng/bench/internal/sock"
)

// team is the worker processes of a run, as its parent sees them. They hold the streams
// of audiences, each its share, so that a process's descriptors are no limit.
type team struct {
	w         *swarm
	mates     []*mate
	audiences map[int]*audience
	lastID    int
	sent      int // number of the last command
	take      func(m message) error
	stopping  bool
}

// mate is one worker. It implements handler.
type mate struct {
	*process
	team       *team
	number     int // from 0
	conn       *conn
	in         []byte
	acked      int
	counts     map[int]counts // by audience, as last told
	faultCount int
}

const (
	// commandLimit is how long a worker may take to answer.
	commandLimit = time.Minute
	// mateEndLimit is how long a worker may take to end after its connection has.
	mateEndLimit = 5 * time.Second
)

// workerEnv is set for workers, so that a program that does not know them can't start
// itself without end.
const workerEnv = "THRONG_BENCH_WORKER"

// newTeam starts n workers: this program again, see WorkerMain.
func (r *run) newTeam(n int) error {
	if os.Getenv(workerEnv) != "" {
		return errors.New("bench: a worker would start workers: its program does not call WorkerMain first")
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("bench: the program to start as a worker: %w", err)
	}
	epoch, err := rawEpoch(r.w.epoch)
	if err != nil {
		return err
	}
	r.team = &team{w: r.w, audiences: make(map[int]*audience)}
	for i := range n {
		fd, child, err := sock.Pair()
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		cmd := exec.Command(program, workerWord, strconv.FormatInt(epoch, 10), strconv.Itoa(i), strconv.Itoa(n), strconv.Itoa(r.o.Sources))
		cmd.Env = append(os.Environ(), workerEnv+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = child, r.o.Log, r.o.Log
		p, err := spawn("a worker", cmd)
		if err = errors.Join(err, child.Close()); err != nil {
			return errors.Join(err, sock.Close(fd))
		}
		m := &mate{process: p, team: r.team, number: i, counts: make(map[int]counts)}
		r.team.mates = append(r.team.mates, m)
		if m.conn, err = r.w.adopt(m, fd); err != nil {
			return err
		}
	}
	return nil
}

// add makes an audience known to the workers.
func (t *team) add(a *audience) {
	t.lastID++
	a.id = t.lastID
	t.audiences[a.id] = a
	far := &farTarget{a.target.name, a.target.addr, a.target.host(), a.target.prefix, a.target.speaks().wire}
	t.tell(command{Op: opOpen, Audience: a.id, Roster: &a.roster, Target: far})
}

// tell sends a command to all workers.
func (t *team) tell(c command) {
	t.sent++
	c.N = t.sent
	for _, m := range t.mates {
		if err := sendLine(m.conn, c); err != nil && t.w.failed == nil {
			t.w.failed = fmt.Errorf("bench: worker %d: %w", m.number, err)
		}
	}
}

// ask sends a command to all workers and waits until each has acknowledged it; take gets
// the answers.
func (t *team) ask(ctx context.Context, c command, meanwhile idler, take func(m message) error) error {
	t.take = take
	t.tell(c)
	end := t.w.now() + int64(commandLimit)
	for !t.acked() {
		now := t.w.now()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case t.w.failed != nil:
			return t.w.failed
		case now > end:
			return fmt.Errorf("bench: a worker has not answered to %q within %v", c.Op, commandLimit)
		}
		if err := t.w.serve(now+int64(turnMax), meanwhile); err != nil {
			return err
		}
	}
	t.take = nil
	return nil
}

func (t *team) acked() bool {
	for _, m := range t.mates {
		if m.acked < t.sent {
			return false
		}
	}
	return true
}

// close closes the streams of an audience and waits until that is done. An error shows
// with the next turn.
func (t *team) close(a *audience) {
	if err := t.ask(context.Background(), command{Op: opClose, Audience: a.id}, nil, nil); err != nil && t.w.failed == nil {
		t.w.failed = err
	}
	delete(t.audiences, a.id)
	a.away = 0
}

// stop ends the workers.
func (t *team) stop() error {
	t.stopping = true
	var errs []error
	for _, m := range t.mates {
		if m.conn != nil {
			m.conn.close() // which a worker ends with
		}
		select {
		case <-m.ended:
		case <-time.After(mateEndLimit):
			errs = append(errs, m.process.stop())
		}
	}
	return errors.Join(errs...)
}

// received implements handler.
func (m *mate) received(_ *conn, p []byte) error {
	var err error
	m.in, err = takeLines(m.in, p, m.message)
	if err != nil && m.team.w.failed == nil {
		m.team.w.failed = fmt.Errorf("bench: worker %d: %w", m.number, err)
	}
	return nil // it is no fault of the server
}

func (m *mate) message(msg message) error {
	if msg.Err != "" {
		return errors.New(msg.Err)
	}
	w := m.team.w
	if msg.FaultCount > m.faultCount {
		for _, f := range msg.Faults {
			if len(w.faults) < faultsKept {
				w.faults = append(w.faults, f)
			}
		}
		w.faultCount += msg.FaultCount - m.faultCount
		m.faultCount = msg.FaultCount
	}
	if a := m.team.audiences[msg.Audience]; a != nil && msg.Counts != nil {
		a.add(*msg.Counts, m.counts[msg.Audience])
		m.counts[msg.Audience] = *msg.Counts
	}
	if msg.Ack > 0 {
		m.acked = msg.Ack
		if m.team.take != nil {
			return m.team.take(msg)
		}
	}
	return nil
}

// gone implements handler.
func (m *mate) gone(_ *conn, err error) {
	if m.team.stopping || m.team.w.failed != nil {
		return
	}
	state := "it still runs"
	select {
	case <-m.ended:
		state = m.cmd.ProcessState.String()
	case <-time.After(mateEndLimit):
	}
	m.team.w.failed = fmt.Errorf("bench: worker %d (process %d) is gone: %v, %s", m.number, m.pid, err, state)
}

// add takes what a worker has counted since it last told.
func (a *audience) add(now, before counts) {
	a.attached += now.Attached - before.Attached
	a.delivered += now.Delivered - before.Delivered
	a.bytes += now.Bytes - before.Bytes
	a.gaps += now.Gaps - before.Gaps
	a.closed += now.Closed - before.Closed
	a.unknown += now.Unknown - before.Unknown
	a.away += now.Open - before.Open
}

// merge adds a worker's histograms.
func (a *audience) merge(m message) error {
	return errors.Join(unpack(a.lag, m.Lag), unpack(a.firstByte, m.FirstByte), unpack(a.live, m.Live))
}

// rawEpoch is the epoch of a swarm on the kernel's monotonic clock, ns, for a process
// whose time.Time means something else. The error is the time between two readings.
func rawEpoch(epoch time.Time) (int64, error) {
	var best, narrowest int64
	for range 10 {
		before := int64(time.Since(epoch))
		raw, err := sock.Monotonic()
		if err != nil {
			return 0, fmt.Errorf("bench: %w", err)
		}
		if width := int64(time.Since(epoch)) - before; narrowest == 0 || width < narrowest {
			best, narrowest = raw-before-width/2, width
		}
	}
	return best, nil
}
