package bench

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"throng/bench/internal/sock"
)

// stall asks what readers that never read do to the others, and to the memory of the
// server and of its kernel: phases without and with them, in turn.
var stall = Scenario{
	Name:  "stall",
	About: "latency of the others and memory, with and without readers that never read",
	Defaults: Options{
		Streams: 200, Stalled: 1, Events: 4000, PayloadBytes: 2048, Pairs: 5,
		Interval: 4 * time.Millisecond, Duration: 35 * time.Second,
	},
	body: runStall,
}

const (
	stallTopic = "stall/all"
	// stalledRcvBuf is the receive buffer of a stalled reader, bytes: it fills at once.
	stalledRcvBuf = 4096
	// stallSampleInterval is the time between two looks at memory.
	stallSampleInterval = 200 * time.Millisecond
	// stallHearLimit is how long a stalled reader may take to read on to its end.
	stallHearLimit = 30 * time.Second
)

// stallPhase is one phase, with its stalled readers or without.
type stallPhase struct {
	*run
	t        target
	audience *audience
	stalled  *audience
	p        *publisher
	ports    []int // of the stalled readers
	ended    int   // stalled readers that the server has closed
	token    uint64

	baseRSS, maxRSS       int64
	baseKernel, maxKernel int64
	maxQueue              int64
}

func runStall(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	p, err := newPublisher(r.w, t)
	if err != nil {
		return err
	}
	before, err := t.metrics(r.ctx)
	if err != nil {
		return err
	}
	var p99 [2][]float64
	var token uint64
	for pair := range r.o.Pairs {
		for turn := range 2 {
			side := (turn + pair) % 2 // A B B A …: neither side is always the first
			stalled := r.o.Stalled * (1 - side)
			r.phase(fmt.Sprintf("pair %d of %d, %d stalled", pair+1, r.o.Pairs, stalled), int64(r.o.Events))
			token++
			s := &stallPhase{run: r, t: t, p: p, token: token, audience: r.audience(t)}
			if err := s.measure(stalled, pair == r.o.Pairs-1); err != nil {
				return err
			}
			p99[side] = append(p99[side], float64(s.audience.lag.ValueAtQuantile(99))/1e3)
		}
	}
	r.report.compare("p99 of the others, due to delivery", "with stalled", "without", "us", p99[0], p99[1])
	after, err := t.metrics(r.ctx)
	if err != nil {
		return err
	}
	for name, v := range after {
		if v != before[name] && strings.HasPrefix(name, "throng_") && metricTells(name) {
			r.report.note("%s: %v, then %v", name, before[name], v)
		}
	}
	r.report.noFaults(r.w)
	return nil
}

// metricTells picks the metrics that should show a stalled reader.
func metricTells(name string) bool {
	for _, part := range []string{"slow_consumers", "closed_total", "gaps_total", "replay_events"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

func (s *stallPhase) measure(stalled int, last bool) error {
	a := s.audience
	err := a.openAll(s.ctx, s.o.Streams, func(int) subscription {
		return subscription{ns: "default", topic: stallTopic, token: s.token}
	})
	if err != nil {
		return err
	}
	if err := s.openStalled(stalled); err != nil {
		return err
	}
	a.lag = newHistogram()
	if err := s.broadcast(); err != nil {
		return err
	}
	s.report.check(fmt.Sprintf("events delivered to the others, %d stalled", stalled), int64(s.o.Streams)*int64(s.o.Events), a.delivered)
	side := fmt.Sprintf("%d stalled", stalled)
	if last {
		s.report.latency("others, due to delivery, "+side, a.lag)
		if s.t.family != nil {
			s.report.figure("VmRSS growth in the phase, "+side, float64(s.maxRSS-s.baseRSS)/1024, "KiB")
		}
		s.report.figure("kernel socket memory, greatest, "+side, float64(s.maxKernel)/1024, "KiB")
		s.report.figure("kernel socket memory, before, "+side, float64(s.baseKernel)/1024, "KiB")
	}
	if stalled > 0 {
		if last {
			s.report.figure("send queue of a stalled reader, greatest", float64(s.maxQueue)/1024, "KiB")
			samples, err := s.t.metrics(s.ctx)
			if err != nil {
				return err
			}
			if samples != nil {
				s.report.figure("throng_slow_consumers after the last event", sumOf(samples, "throng_slow_consumers"), "")
			}
		}
		if err := s.endStalled(last); err != nil {
			return err
		}
	}
	a.closeAll()
	return s.quiet(s.t)
}

// openStalled opens readers that never read, and waits until the server has done with them.
func (s *stallPhase) openStalled(n int) error {
	s.stalled = &audience{swarm: s.w, target: s.t, onGone: func(_ *stream, err error) { s.ended++ }}
	for range n {
		st, err := s.stalled.open(subscription{
			ns: "default", topic: stallTopic, token: s.token,
			dial: dial{rcvBuf: stalledRcvBuf, deaf: true},
		})
		if err != nil {
			return err
		}
		port, err := sock.LocalPort(st.conn.fd)
		if err != nil {
			return err
		}
		s.ports = append(s.ports, port)
	}
	if err := s.quiet(s.t); err != nil {
		return err
	}
	var err error
	if s.baseRSS, err = s.t.rss(); err != nil {
		return err
	}
	s.baseKernel, err = socketMemory()
	return err
}

// broadcast publishes in an open loop and looks at memory now and then.
func (s *stallPhase) broadcast() error {
	start := s.w.now()
	sampleAt := start
	for i := range s.o.Events {
		due := start + int64(i)*int64(s.o.Interval)
		if err := s.w.sleep(s.ctx, due); err != nil {
			return err
		}
		e := event{"default", stallTopic, payload{s.token, uint64(i + 1), due}, s.o.PayloadBytes}
		if err := s.p.publish(s.ctx, e); err != nil {
			return err
		}
		s.step(int64(i + 1))
		if s.w.now() >= sampleAt {
			if err := s.sample(); err != nil {
				return err
			}
			sampleAt = s.w.now() + int64(stallSampleInterval)
		}
	}
	if err := s.delivered(s.audience, int64(s.o.Streams)*int64(s.o.Events)); err != nil {
		return err
	}
	return errors.Join(s.sample(), s.queues())
}

func (s *stallPhase) sample() error {
	rss, err := s.t.rss()
	if err != nil {
		return err
	}
	kernel, err := socketMemory()
	if err != nil {
		return err
	}
	s.maxRSS, s.maxKernel = max(s.maxRSS, rss), max(s.maxKernel, kernel)
	return nil
}

// queues looks at what the kernel holds for the stalled readers. It reads a line for each
// socket of the machine, which takes long, so it waits until the latencies are taken.
func (s *stallPhase) queues() error {
	for _, port := range s.ports {
		queued, _, err := sendQueue(int(s.t.addr.Port()), port)
		if err != nil {
			return err
		}
		s.maxQueue = max(s.maxQueue, queued)
	}
	return nil
}

// endStalled lets the stalled readers read at last: each was closed, is told a gap, or
// gets everything in order. Anything else is a loss that was not told. In the last pair
// they stay stalled for the duration first, so that a time limit of the server can pass.
func (s *stallPhase) endStalled(last bool) error {
	if last {
		if err := s.w.sleep(s.ctx, s.w.now()+int64(s.o.Duration)); err != nil {
			return err
		}
	}
	for _, st := range s.stalled.streams {
		if st.conn.fd < 0 {
			continue
		}
		if err := st.conn.hear(); err != nil {
			return err
		}
	}
	err := s.w.until(s.ctx, "stalled readers are closed, told a gap or complete", stallHearLimit, func() bool {
		return s.settled() == len(s.stalled.streams)
	})
	if err != nil {
		s.report.note("%v", err)
	}
	s.report.check("stalled readers closed, told a gap or complete", int64(len(s.stalled.streams)), int64(s.settled()))
	s.report.note("stalled: %d closed, %d gaps told, %d of %d events read in the end", s.ended, s.stalled.gaps,
		s.stalled.delivered, int64(len(s.stalled.streams))*int64(s.o.Events))
	s.stalled.closeAll()
	return nil
}

// settled counts the stalled readers whose end is known.
func (s *stallPhase) settled() int {
	n := 0
	for _, st := range s.stalled.streams {
		if st.conn.fd < 0 || st.gapped || st.seq == uint64(s.o.Events) {
			n++
		}
	}
	return n
}
