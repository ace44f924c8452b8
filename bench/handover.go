package bench

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// handover asks whether a byte ever reaches the wrong connection, or a connection is
// ever forgotten, while clients come and go in every rude way and descriptor numbers are
// reused at once.
var handover = Scenario{
	Name:     "handover",
	About:    "clients that vanish, reset, half-close and split while numbers are reused",
	Defaults: Options{Streams: 500, Connections: 100000, PayloadBytes: 100},
	body:     runHandover,
}

// visitKind is what a client does.
type visitKind int

const (
	visitStay    visitKind = iota // subscribes, stays a moment, closes
	visitHalf                     // subscribes and sends its FIN at once
	visitVanish                   // subscribes and closes without reading
	visitReset                    // subscribes and resets
	visitPartial                  // sends half a request, then resets
	visitSplit                    // sends the request in two packets, stays, closes
	visitGarbage                  // sends bytes after the request, stays, closes
	visitPublish                  // publishes on a kept connection, closes
	visitKinds
)

var visitNames = [visitKinds]string{"stay", "half-close", "vanish", "reset", "partial", "split", "garbage", "publish"}

const (
	// visitMax is the longest planned stay, counted from the moment the whole wave is
	// open; half-closed ones are left to the server.
	visitMax = 60 * time.Millisecond
	// handoverPublishers is how many connections publish all the time.
	handoverPublishers = 4
	// pickMax is how many visits are looked at for one that can get an event.
	pickMax = 8
	// waveLimit is how long one wave may take.
	waveLimit = 30 * time.Second
	// visitPublishes is the greatest number of events of one visitPublish.
	visitPublishes = 3
	// returnLimit is how long the server may take to let go of everything.
	returnLimit = time.Minute
)

// visit is one connection from its start to its end.
type visit struct {
	kind   visitKind
	stream *stream    // nil for visitPublish
	p      *publisher // nil for all others
	rest   []byte     // of a split request, not sent yet
	stay   time.Duration
	end    int64 // when the client ends it, ns since the epoch
	left   int   // events still to publish
	over   bool

	published uint64 // events to this visit's token
	busy      bool   // one of them is not answered yet
}

// rude is the state of a handover run.
type rude struct {
	*run
	t        target
	audience *audience
	p        [handoverPublishers]*publisher
	rng      *rand.Rand
	visits   []*visit // of the current wave
	counts   [visitKinds]int64
	closed   int64 // half-closed ones that the server closed
	refused  int64 // publishes with another answer than 200
}

func runHandover(r *run) error {
	t, err := r.server()
	if err != nil {
		return err
	}
	h := &rude{run: r, t: t, audience: r.audience(t), rng: rand.New(rand.NewPCG(r.o.Seed, 0))}
	h.audience.onGone = func(*stream, error) {}
	r.logf("handover: seed %d", r.o.Seed)
	for i := range h.p {
		if h.p[i], err = newPublisher(r.w, t); err != nil {
			return err
		}
	}
	if err := h.wave(min(r.o.Streams, r.o.Connections)); err != nil { // a warm server is the start value
		return err
	}
	if err := r.quiet(t); err != nil {
		return err
	}
	start, err := h.held()
	if err != nil {
		return err
	}
	h.counts, h.closed, h.audience.delivered = [visitKinds]int64{}, 0, 0
	r.phase("connections", int64(r.o.Connections))
	for left := r.o.Connections; left > 0; left -= r.o.Streams {
		r.step(int64(r.o.Connections - left))
		if err := h.wave(min(left, r.o.Streams)); err != nil {
			return err
		}
	}
	if err := h.returned(start); err != nil {
		return err
	}
	var total int64
	for k, n := range h.counts {
		total += n
		r.report.figure("connections: "+visitNames[k], float64(n), "")
	}
	r.report.figure("events verified", float64(h.audience.delivered), "")
	r.report.check("connections", int64(r.o.Connections), total)
	r.report.check("half-closed streams that the server closed", h.counts[visitHalf], h.closed)
	r.report.checkThat("events verified", "> 0", fmt.Sprint(h.audience.delivered), h.audience.delivered > 0)
	r.report.figure("publishes refused", float64(h.refused), "")
	r.report.noFaults(r.w)
	return nil
}

// wave runs n visits at once, with events to all of them, until the last is over.
func (h *rude) wave(n int) error {
	h.visits = h.visits[:0]
	limit := h.w.now() + int64(waveLimit)
	for range n {
		v, err := h.visit()
		if err != nil {
			return err
		}
		h.visits = append(h.visits, v)
		if err := h.publishAll(); err != nil {
			return err
		}
		if err := h.w.turn(0); err != nil {
			return err
		}
	}
	now := h.w.now()
	for _, v := range h.visits {
		v.end = now + int64(v.stay)
	}
	for open := n; open > 0; {
		if err := h.ctx.Err(); err != nil {
			return err
		}
		if h.w.now() > limit {
			return fmt.Errorf("bench: %d of %d visits are not over after %v", open, n, waveLimit)
		}
		if err := h.publishAll(); err != nil {
			return err
		}
		if err := h.w.turn(h.w.now() + int64(time.Millisecond)); err != nil {
			return err
		}
		open = 0
		for _, v := range h.visits {
			if err := h.step(v); err != nil {
				return err
			}
			if !v.over {
				open++
			}
		}
	}
	h.audience.streams = h.audience.streams[:0]
	return nil
}

// visit starts a connection of a random kind.
func (h *rude) visit() (*visit, error) {
	v := &visit{kind: visitKind(h.rng.IntN(int(visitKinds))), stay: time.Duration(h.rng.Int64N(int64(visitMax)))}
	h.counts[v.kind]++
	var err error
	if v.kind == visitPublish {
		v.left = 1 + h.rng.IntN(visitPublishes)
		v.p, err = newPublisher(h.w, h.t)
		return v, err
	}
	token := h.rng.Uint64()
	sub := subscription{ns: "default", topic: visitTopic(token), token: token, any: true}
	request := sub.request(h.t)
	switch cut := 1 + h.rng.IntN(len(request)-1); v.kind {
	case visitPartial:
		request = request[:cut]
	case visitSplit:
		v.rest = request[cut:]
		request = request[:cut]
	case visitGarbage:
		for range 1 + h.rng.IntN(200) {
			request = append(request, byte(h.rng.Uint32()))
		}
	}
	if v.stream, err = h.audience.openWith(sub, request); err != nil {
		return v, err
	}
	switch v.kind {
	case visitHalf:
		return v, v.stream.conn.finish()
	case visitVanish:
		v.stream.conn.close()
	case visitReset:
		v.stay /= 10
	}
	return v, nil
}

func visitTopic(token uint64) string { return fmt.Sprintf("visit/%016x", token) }

// step does what a visit has to do now.
func (h *rude) step(v *visit) error {
	now := h.w.now()
	switch {
	case v.over:
		return nil
	case v.p != nil:
		return h.stepPublisher(v)
	case v.stream.conn.fd < 0: // ended, by whichever side
		v.over = true
		if v.kind == visitHalf {
			h.closed++
		}
		return nil
	case v.rest != nil && now+int64(v.stay)*3/4 >= v.end: // after a quarter of its stay
		rest := v.rest
		v.rest = nil
		return v.stream.conn.send(rest)
	case now < v.end || v.rest != nil || v.kind == visitHalf:
		return nil
	case v.kind == visitReset || v.kind == visitPartial:
		v.stream.conn.reset()
	default:
		v.stream.conn.close()
	}
	v.over = true
	return nil
}

// stepPublisher goes on with a visit that publishes.
func (h *rude) stepPublisher(v *visit) error {
	switch {
	case v.p.closed:
		return v.p.lost()
	case v.p.busy:
		return nil
	case v.left == 0:
		v.p.conn.close()
		v.over = true
		return nil
	}
	v.left--
	return h.publish(v.p)
}

// publishAll gives every idle publisher its next event.
func (h *rude) publishAll() error {
	for _, p := range h.p {
		if err := h.publish(p); err != nil {
			return err
		}
	}
	return nil
}

// publish starts an event to a random visit that is not over and waits for no other one.
func (h *rude) publish(p *publisher) error {
	if p.busy {
		return nil
	}
	for range pickMax {
		v := h.visits[h.rng.IntN(len(h.visits))]
		if v.stream == nil || v.stream.conn.fd < 0 || v.busy {
			continue
		}
		v.busy = true
		p.onReply = func(status int) {
			if v.busy = false; status != 200 {
				v.published-- // its number is free again
				h.refused++
			}
		}
		v.published++
		token := v.stream.token
		return p.start(event{"default", visitTopic(token), payload{token, v.published, h.w.now()}, h.o.PayloadBytes})
	}
	return nil
}
