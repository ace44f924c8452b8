package bench

import (
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"throng/bench/internal/sock"
)

// million asks whether one process holds a very large crowd, each stream with a topic of
// its own: what a stream costs, whether a broadcast reaches everybody once, and whether
// all are still there after a heartbeat. Duration is the server's heartbeat interval.
var million = Scenario{
	body:     runMillion,
	Name:     "million",
	About:    "a crowd in one process: memory, the kernel's too, broadcasts to all, a heartbeat to each",
	Defaults: Options{Streams: 15000, Events: 2, Duration: 25 * time.Second, Settle: rssSettled},
}

const (
	// streamBytesMax is what a stream may cost the server's process, bytes.
	streamBytesMax = 256
	// A heap grows by some ten megabytes when the first clients come, and moves by one or
	// two later. slopeFrom and emptyFrom are the crowds that outweigh either, so that the
	// cost of a stream can be checked.
	slopeFrom = 100_000
	emptyFrom = 1_000_000
	// ownSample is how many streams, evenly spread, get an event on their own topic.
	ownSample = 1000
	// progressLimit is how long nothing at all may happen while much is outstanding. A
	// whole phase takes as long as the crowd is large.
	progressLimit = time.Minute
)

// crowdRun is a run of million.
type crowdRun struct {
	*run
	t target
	c *crowd
}

func runMillion(r *run) error {
	files, err := sock.FilesMax()
	if err != nil {
		return err
	}
	if most := files - filesReserved; r.o.Streams > most {
		return fmt.Errorf("bench: million holds all streams in one process, which may open %d files here: "+
			"take at most %d streams, raise ulimit -n, or run make lab", files, most)
	}
	r.o.Server = withOption(r.o.Server, "--heartbeat", r.o.Duration.String())
	r.report.Options = r.o
	t, err := r.server()
	if err != nil {
		return err
	}
	if t.speaks().loose {
		return errors.New("bench: million knows streams with two topics from throng's dialect only")
	}
	m := &crowdRun{r, t, newCrowd(r.w, t, r.o.Streams)}
	for _, part := range []func() error{m.gather, m.tell, m.broadcast, m.hold} {
		if err := part(); err != nil {
			return err
		}
	}
	return m.close()
}

// gather opens the streams, measuring memory at nobody, few and all.
func (m *crowdRun) gather() error {
	few, all := m.o.Streams/10, m.o.Streams
	m.phase("streams attach", int64(all))
	empty, err := m.memory(m.t, "empty")
	if err != nil {
		return err
	}
	kernel := m.kernel()
	if err := m.open(few); err != nil {
		return err
	}
	low, err := m.memory(m.t, fmt.Sprint("at ", few))
	if err != nil {
		return err
	}
	if err := m.open(all); err != nil {
		return err
	}
	high, err := m.memory(m.t, fmt.Sprint("at ", all))
	if err != nil {
		return err
	}
	m.streamBytes("memory a stream, slope", (high-low)/float64(all-few), slopeFrom)
	m.streamBytes("memory a stream, from empty", (high-empty)/float64(all), emptyFrom)
	m.kernelSince(kernel)
	client, err := proc(os.Getpid()).rss()
	m.report.figure("VmRSS of the client", float64(client)/1024, "KiB")
	return err
}

// streamBytes reports what a stream costs, and checks it in a crowd that is large enough.
func (m *crowdRun) streamBytes(name string, bytes float64, from int) {
	m.report.figure(name, bytes, "B")
	if m.o.Streams >= from && !math.IsNaN(bytes) {
		m.report.checkThat(name+", B", fmt.Sprint("at most ", streamBytesMax), fmt.Sprintf("%.0f", bytes), bytes <= streamBytesMax)
	}
}

// open opens streams up to a number. Few are under way at a time, see connectsMax.
func (m *crowdRun) open(to int) error {
	for len(m.c.members) < to {
		if err := m.c.open(); err != nil {
			return err
		}
		if opened := int64(len(m.c.members)); opened-m.c.attached >= connectsMax {
			if err := m.await("streams attach", &m.c.attached, opened-connectsMax/2); err != nil {
				return err
			}
		}
	}
	if err := m.await("streams attach", &m.c.attached, int64(to)); err != nil {
		return err
	}
	m.tellTime("%d streams attached", to)
	return nil
}

// await waits for a counter, as long as it moves.
func (m *crowdRun) await(what string, counter *int64, want int64) error {
	for *counter < want {
		before := *counter
		err := m.w.until(m.ctx, what, progressLimit, func() bool { return *counter > before || m.w.faultCount > 0 })
		if err != nil {
			return fmt.Errorf("%w (%d of %d)", err, *counter, want)
		}
		if m.w.faultCount > 0 {
			return fmt.Errorf("bench: %s broke a promise (%s: %d of %d)", m.t.name, what, *counter, want)
		}
		m.step(*counter)
	}
	return nil
}

// tell publishes to the own topics of a sample: topics are what each stream has, not
// only what it asked for.
func (m *crowdRun) tell() error {
	n := min(ownSample, m.o.Streams)
	p, err := newPublisher(m.w, m.t)
	if err != nil {
		return err
	}
	m.phase("events on own topics", int64(n))
	for i := range n {
		number := i * (m.o.Streams / n)
		e := event{"default", deviceTopic(number), payload{uint64(number), 1, m.w.now()}, m.o.PayloadBytes}
		if err := p.publish(m.ctx, e); err != nil {
			return err
		}
	}
	if err := m.await("events on own topics", &m.c.own, int64(n)); err != nil {
		return err
	}
	p.conn.close()
	m.tellTime("%d events on own topics delivered", n)
	return nil
}

// broadcast publishes to all, the next one when everybody has the last.
func (m *crowdRun) broadcast() error {
	for i := range m.o.Events {
		p, err := newPublisher(m.w, m.t) // anew: a broadcast may take longer than a connection may idle
		if err != nil {
			return err
		}
		m.phase(fmt.Sprint("broadcast ", i+1), int64(m.o.Streams))
		m.c.all = 0
		if err := p.publish(m.ctx, event{"default", crowdTopic, payload{crowdToken, uint64(i + 1), m.w.now()}, m.o.PayloadBytes}); err != nil {
			return err
		}
		p.conn.close()
		if err := m.await("a broadcast is delivered", &m.c.all, int64(m.o.Streams)); err != nil {
			return err
		}
		m.tellTime("broadcast %d delivered to %d", i+1, m.c.all)
	}
	return nil
}

// hold keeps all streams open over a heartbeat interval, and at most a second one until
// each has got its heartbeat.
func (m *crowdRun) hold() error {
	m.phase("heartbeats", int64(m.o.Streams))
	m.c.forgetBeats()
	all, start := int64(m.o.Streams), m.w.now()
	full, limit := start+int64(m.o.Duration), start+2*int64(m.o.Duration)
	for now := start; now < full || now < limit && m.c.beaten < all; now = m.w.now() {
		if err := m.w.sleep(m.ctx, now+int64(turnMax)); err != nil {
			return err
		}
		m.step(m.c.beaten)
	}
	m.tellTime("%d streams had a heartbeat", m.c.beaten)
	return nil
}

// close takes stock.
func (m *crowdRun) close() error {
	end, err := m.memory(m.t, "in the end")
	if err != nil {
		return err
	}
	m.report.figure("VmRSS in the end, a stream", end/float64(m.o.Streams), "B")
	all := int64(m.o.Streams)
	m.report.check("streams attached", all, m.c.attached)
	m.report.check("streams lost", 0, m.c.lost)
	m.report.check("events on own topics, each delivered once", min(ownSample, all), m.c.own)
	m.report.check("broadcasts delivered, each once to each stream", all*int64(m.o.Events), m.c.delivered)
	m.report.check("streams with every broadcast", all, m.c.complete(m.o.Events))
	m.report.check("streams with a heartbeat in the hold", all, m.c.beaten)
	samples, err := m.t.metrics(m.ctx)
	if samples != nil {
		m.report.check("streams the server counts", all, int64(samples[`throng_connections{kind="sse"}`]))
	}
	m.report.noFaults(m.w)
	return err
}

// tellTime logs what is done, and when.
func (m *crowdRun) tellTime(format string, args ...any) {
	m.logf("%s: %6.1f s: "+format, append([]any{m.t.name, time.Duration(m.w.now()).Seconds()}, args...)...)
}
