package poller

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// Probe finds out how long the reactors take to get to what is there for them: for each it
// has a pair of sockets, writes a byte to one end, and the reactor that finds it at the other
// notes when that was. The byte waits its turn behind all that was ready before, as a request
// does; nothing else says how long that is, since the queue is the kernel's.
//
// Ask and Waited belong to one goroutine, as does Close.
type Probe struct {
	lines []*probeLine
}

// probeLine is the probe of one reactor.
type probeLine struct {
	fd    int   // the end that is written to
	asked int64 // when the byte was written that is under way, or the last one
	took  int64 // that of the one before, until it was found
	found atomic.Int64
}

// probeEpoch is what the times of probes count from.
var probeEpoch = time.Now()

func probeNow() int64 { return int64(time.Since(probeEpoch)) + 1 } // never 0

// NewProbe makes one for as many reactors as there are. netpoll deals connections out in
// turn, so each gets one.
func NewProbe(reactors int) (*Probe, error) {
	p := new(Probe)
	for range reactors {
		if err := p.add(); err != nil {
			p.Close()
			return nil, fmt.Errorf("probe of a reactor: %w", err)
		}
	}
	return p, nil
}

func (p *Probe) add() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	conn, err := netpoll.NewFDConnection(pair[1])
	if err != nil {
		_ = unix.Close(pair[0])
		_ = unix.Close(pair[1])
		return err
	}
	l := &probeLine{fd: pair[0]}
	p.lines = append(p.lines, l)
	return conn.SetOnRequest(l.arrived)
}

// arrived is called on the reactor.
func (l *probeLine) arrived(_ context.Context, np netpoll.Connection) error {
	l.found.Store(probeNow())
	r := np.Reader()
	if err := r.Skip(r.Len()); err != nil {
		return err
	}
	return r.Release()
}

// Ask sends a byte to each reactor that has found the one before.
func (p *Probe) Ask() {
	for _, l := range p.lines {
		found := l.found.Load()
		if l.asked != 0 && found == 0 {
			continue
		}
		l.took = found - l.asked
		l.found.Store(0)
		l.asked = probeNow()
		if _, err := unix.Write(l.fd, []byte{1}); err != nil {
			l.found.Store(l.asked) // nothing to be waited for
		}
	}
}

// Waited is how long the byte of the last Ask took to be found, at the slowest of the reactors.
// One that is under way counts as no shorter than the one before: it has only begun to wait.
func (p *Probe) Waited() (worst time.Duration) {
	now := probeNow()
	for _, l := range p.lines {
		switch found := l.found.Load(); {
		case l.asked == 0:
		case found == 0:
			worst = max(worst, time.Duration(max(now-l.asked, l.took)))
		default:
			worst = max(worst, time.Duration(found-l.asked))
		}
	}
	return worst
}

// Close ends it. It closes the ends that are written to: the reactor sees the hang-up and closes
// the other one itself. From outside it must not be closed: netpoll would end it in the task that
// reads the last byte, and wait there, on the reactor, for that task to be over.
func (p *Probe) Close() {
	for _, l := range p.lines {
		_ = unix.Close(l.fd)
	}
	p.lines = nil
}
