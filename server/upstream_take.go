package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"throng/replay"
	"throng/source"
	"throng/sse"
)

// upstreamIDBytesMax is the longest ID of a source that is kept as a position.
const upstreamIDBytesMax = 1024

// take publishes messages of the source in their order. It returns when they are in the log,
// or with the end of the upstream.
func (u *upstream) take(events []*source.Event) error {
	most := u.srv.o.placeStep()
	for len(events) > 0 {
		n := 0
		for n < min(len(events), most) && len(events[n].GetTopics()) > 0 {
			n++
		}
		if n == 0 {
			u.notice(events[0])
			events = events[1:]
			continue
		}
		if err := u.publish(events[:n]); err != nil {
			return err
		}
		u.srv.table.UpstreamEvents.Add(uint64(n))
		u.reached(events[:n])
		u.keepUp()
		events = events[n:]
	}
	return nil
}

// notice takes a position or a gap. A gap is the source's: what is in the log here has none,
// so streams are not told, and the operator is.
func (u *upstream) notice(e *source.Event) {
	if gap := e.GetGap(); gap != nil {
		u.srv.table.UpstreamGaps.Inc()
		u.log.Warn("an upstream could not give all that followed the last ID",
			"requested", gap.GetRequested(), "earliest", gap.GetEarliest(), "goes_on_after", e.GetId())
	}
	first := u.position() == ""
	u.reached([]*source.Event{e})
	if first { // what comes while nothing is written would not be asked for after a crash
		_ = u.settle() // it was logged; keep tries again
	}
}

// publish stores events that follow each other. It tries until all of them are in the log, or
// are found not to be events here.
func (u *upstream) publish(events []*source.Event) error {
	good := make([]*source.Event, 0, len(events))
	for _, e := range events {
		if refused := u.check(e); refused != nil {
			u.skip(e, refused)
			continue
		}
		good = append(good, e)
	}
	var wait retreat
	for len(good) > 0 {
		left, err := u.store(good)
		if len(left) < len(good) {
			wait = retreat{}
		}
		if good = left; err == nil {
			continue
		}
		u.waiting.tell(func(times int) {
			u.log.Error("events of an upstream wait, as they can't be published", "events", len(left), "times", times, "error", err)
		})
		if !sleep(u.ctx, wait.next()) {
			return u.ctx.Err()
		}
	}
	u.waiting.over(func(times int) { u.log.Info("events of an upstream are published again", "after_failures", times) })
	return nil
}

// store gives events to the log. left are those to try again, with the reason: the first
// that was not stored and everything behind it, so that the order stays; those of them that
// were stored all the same are known by their keys.
func (u *upstream) store(all []*source.Event) (left []*source.Event, err error) {
	s := u.srv
	events := u.admitted(all)
	if len(events) == 0 {
		return all, errLoad
	}
	ns, err := s.hub.acquire(u.namespace, true)
	if err != nil {
		return all, err
	}
	defer ns.release()
	p := s.hub.pendingFor(len(events))
	for _, e := range events {
		p.add(recordOf(&sse.Event{Topics: e.GetTopics(), Name: e.GetEvent(), Data: e.GetData()}, u.key(e)), priorityNormal)
	}
	owned, err := ns.publish(p)
	if !owned {
		return all, err
	}
	defer s.hub.recycle(p)
	if err != nil {
		return all, err
	}
	for i := range p.records {
		switch err := p.records[i].Err; {
		case err == nil, err == errConflated: // a newer one came, which is what the policy asks for
		case errors.Is(err, replay.ErrKeyReused): // and will be, however often it comes
			u.skip(events[i], s.recordRefusal(err))
		default:
			return all[i:], err
		}
	}
	return all[len(events):], nil
}

// errLoad says that the load lets no publishes in.
var errLoad = errors.New("the load lets fewer publishes in than come")

// admitted gives those at the front that the load lets in, by the same count as lines of a
// batch.
func (u *upstream) admitted(events []*source.Event) []*source.Event {
	n := 0
	for n < len(events) && u.srv.publishes.Allow() {
		n += linesAdmitted
	}
	return events[:min(n, len(events))]
}

// check says what is wrong with an event by the limits of this node.
func (u *upstream) check(e *source.Event) *refusal {
	if e.GetId() == "" {
		return badRequest.because("the source gave the event no ID")
	}
	return u.srv.check(e.GetTopics(), e.GetEvent(), e.GetData(), u.key(e))
}

// key is the idempotency key of an event. One that would not be a key is hashed.
func (u *upstream) key(e *source.Event) string {
	key := "upstream/" + u.address + "/" + e.GetId()
	if checkKey(key) != nil {
		sum := sha256.Sum256([]byte(key))
		key = "upstream/" + hex.EncodeToString(sum[:])
	}
	return key
}

// skip passes over an event that can't be published here.
func (u *upstream) skip(e *source.Event, refused *refusal) {
	u.srv.countRefused(refused, 1)
	u.skipped.tell(func(times int) {
		u.log.Warn("events of an upstream are no events here, and are left out", "events", times, "last", fmt.Sprintf("%.100q", e.GetId()),
			"code", refused.code, "detail", refused.detail)
	})
}
