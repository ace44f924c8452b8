package bench

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// soak is the field in small, for as long as asked: streams that wait, an event for each
// once in Options.Interval, spread over topics and a broadcast to half of them, a tenth of
// them devices that get commands of their own; beside them visitors that come and go at
// Options.Rate, streams that break and resume, and Options.Stalled slow clients on a busy
// topic of another namespace. It reports service levels, and what the load costs.
//
// Levels count everything but the slow clients. Before the mix there are two short phases
// for a projection, which is reckoned, not measured. In the first nothing is published. In
// the second events are published as often as 80,000 streams with one a minute need, to
// the streams that are there:
//
//	idle     = processor time a second of the first
//	an event = (processor time of the second - idle × its length) / events delivered in it
//	80,000 streams, each an event a minute = 80,000 × (an event / 60 s + idle / streams)
//
// An event has its share of the publishes in it, a tenth of which are commands to one.
var soak = Scenario{
	Name:  "soak",
	About: "the field in small for as long as asked: service levels, cost, memory over time",
	Defaults: Options{
		Streams: 5000, Stalled: 12, Topics: 32, Rate: 10, PayloadBytes: 200,
		Interval: time.Minute, Duration: 30 * time.Minute,
	},
	body: runSoak,
}

const (
	soakNS = "default"
	// soakRetained is the log of a server of ours, in events a namespace: it fills within
	// minutes, so that memory can be seen to be flat.
	soakRetained = 1024
	// soakDevices: one stream in so many is a device.
	soakDevices = 10
	// soakStay is the mean stay of a visitor; in a short soak it is a quarter of its length.
	soakStay = 20 * time.Second
	// soakBreak is the time between two streams that break and resume; in a short soak
	// it is a twentieth of its length.
	soakBreak = 2 * time.Second
	// soakFirstShare of the soak, at most soakFirstMax, is the length of each of the
	// phases before it.
	soakFirstShare = 20
	soakFirstMax   = time.Minute

	// soakAwayMax is the longest time after which a broken stream comes back; in a short
	// soak it is a tenth of its length.
	soakAwayMax = 3 * time.Second

	// The busy topic of the slow clients.
	soakBusyInterval = 100 * time.Millisecond
	soakBusyBytes    = 4096
)

// soakDevice is the topics of the devices.
var soakDevice = roster{NS: soakNS, Topic: "soak/device/%06d"}

// soakRun is the state of a soak.
type soakRun struct {
	*run
	t        target
	g        *agenda
	rng      *rand.Rand
	shared   *ledger   // the topics, and last the broadcast
	steady   *arrivals // who reads them
	members  []*arrival
	away     map[int]bool // of the members: broken, and not back yet
	breaks   int
	devices  *arrivals
	p        *publisher // of commands
	seqs     []uint64   // commands, by device
	commands int64
	visitors *visitors
	busy     *ledger
	slow     *sluggards

	watch        *watch
	idle, event  nanoseconds // processor time a second, and of an event
	window       [2]*hdrhistogram.Histogram
	lag          [2]*hdrhistogram.Histogram // of events and of commands
	lastCount    int64
	lastSampleAt int64
}

func runSoak(r *run) error {
	r.serverOption("--retain-events", fmt.Sprint(soakRetained))
	t, err := r.server()
	if err != nil {
		return err
	}
	start, err := r.warm(t)
	if err != nil {
		return err
	}
	s := &soakRun{run: r, t: t, g: newAgenda(), rng: rand.New(rand.NewPCG(r.o.Seed, 0)), away: make(map[int]bool)}
	if err := s.open(); err != nil {
		return err
	}
	if err := s.first(); err != nil {
		return err
	}
	spent, err := s.load()
	if err != nil {
		return err
	}
	s.tell(spent)
	r.w.closeAll()
	return r.returnedTo(t, start)
}

// open opens the streams that stay to the end.
func (s *soakRun) open() error {
	for i := range s.lag {
		s.lag[i], s.window[i] = newHistogram(), newHistogram()
	}
	var err error
	names := append(ledgerNames("soak", s.o.Topics), "soak/all")
	if s.shared, err = newLedger(s.run, s.t, soakNS, 1, names); err != nil {
		return err
	}
	s.steady, s.devices = s.kind(0), s.kind(1)
	s.seqs = make([]uint64, max(s.o.Streams/soakDevices, 1))
	s.logf("soak: %d streams", s.o.Streams)
	err = s.steady.openAll(s.run, max(s.o.Streams-len(s.seqs), 1), func(i int) error {
		v, err := s.steady.open(s.subscription(i), s.w.now())
		s.members = append(s.members, v)
		return err
	})
	if err != nil {
		return err
	}
	err = s.devices.openAll(s.run, len(s.seqs), func(i int) error {
		_, err := s.devices.open(soakDevice.subscription(i), s.w.now())
		return err
	})
	if err != nil {
		return err
	}
	s.steady.attach.Reset() // what follows are the resumes
	s.p, err = newPublisher(s.w, s.t)
	return err
}

// kind makes the audience of events or of commands. A gap is a loss there and is counted.
func (s *soakRun) kind(which int) *arrivals {
	v := newArrivals(&audience{swarm: s.w, target: s.t})
	v.audience.onEvent = func(st *stream, p payload) {
		if p.due >= st.dialed { // what was published while the client was away is no delay
			record(s.window[which], st.now-p.due)
		}
	}
	v.audience.onGone = func(*stream, error) {} // counted as not alive
	return v
}

// topic is what steady stream i reads: half of them the broadcast.
func (s *soakRun) topic(i int) int {
	if i%2 == 0 {
		return s.o.Topics
	}
	return i / 2 % s.o.Topics
}

func (s *soakRun) subscription(i int) subscription {
	sub := s.shared.subscription(s.topic(i))
	sub.any = false // it is there before the first event
	return sub
}
