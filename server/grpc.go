package server

import (
	"context"
	"fmt"
	"net"
	"time"

	"throng/replay"
	"throng/source"
	"throng/sse"
)

// backend is what the gRPC port asks: the same checks, limits and committers as POST
// /publish.
type backend struct{ *Server }

var _ source.Backend = backend{}

// What a request on the gRPC port takes besides an event's data, at most.
const (
	grpcTopicBytes = 255 + 3 // a topic, with its tag and length
	grpcOtherBytes = 4 << 10 // namespace, name, key, tags and lengths
)

// listenGRPC binds the gRPC port, if there is to be one.
func (s *Server) listenGRPC() (err error) {
	if s.o.GRPC == "" {
		return nil
	}
	s.grpc, err = source.Listen(s.o.GRPC, source.Options{
		MessageBytesMax: s.o.EventBytesMax + s.o.EventTopicsMax*grpcTopicBytes + grpcOtherBytes,
		Shed:            s.table.Shed[shedConnections].Inc,
	}, backend{s})
	return err
}

// grpcDescriptors is how many descriptors are kept from other connections for gRPC.
func (s *Server) grpcDescriptors(available int) int {
	n := len(s.o.Upstreams)
	if s.o.GRPC != "" {
		n += source.ConnectionsMax
	}
	return min(n, available/4)
}

// keepGRPC is called once a second; it does I/O.
func (s *Server) keepGRPC(now time.Time) {
	if s.grpc != nil {
		s.grpc.Refresh()
	}
	for _, u := range s.upstreams {
		u.keep(now)
	}
}

// grpcCloseWait is how long calls that are under way have: the requests on the public port
// are waited for afterwards, and both share closeWait.
const grpcCloseWait = closeWait / 2

// closeGRPC ends what comes in by gRPC, either way.
func (s *Server) closeGRPC() {
	for _, u := range s.upstreams {
		u.stop()
	}
	if s.grpc != nil {
		s.grpc.Close(grpcCloseWait)
	}
	s.feeders.Wait()
}

// GRPCAddr is the gRPC port's address, or nil without one.
func (s *Server) GRPCAddr() net.Addr {
	if s.grpc == nil {
		return nil
	}
	return s.grpc.Addr()
}

// Ready implements source.Backend, as /readyz says it.
func (b backend) Ready() bool {
	status, _ := b.ready()
	return status == 200
}

// Answered implements source.Backend.
func (b backend) Answered(code int) { b.table.GRPCResponses[code].Inc() }

// Full implements source.Backend.
func (b backend) Full(detail string) *source.Problem {
	return b.sourceProblem(connectionLimit.because(detail))
}

// Leaving implements source.Backend.
func (b backend) Leaving() *source.Problem {
	return b.sourceProblem(draining.because("go on at another node, or here in a moment"))
}

// sourceProblem is a refusal on the gRPC port.
func (s *Server) sourceProblem(r *refusal) *source.Problem {
	return &source.Problem{
		Code: r.code, Status: int32(r.status), Title: r.title, Detail: r.detail,
		RetryAfterSeconds: uint32(s.retrySeconds(r)),
	}
}

// refuse makes a refusal the answer to an event.
func (b backend) refuse(r *refusal) *source.PublishResponse {
	b.countRefused(r, 1)
	return &source.PublishResponse{Outcome: &source.PublishResponse_Problem{Problem: b.sourceProblem(r)}}
}

// Publish implements source.Backend: events of one namespace are one batch, wherever they are
// among the requests.
func (b backend) Publish(ctx context.Context, requests []*source.PublishRequest, answers []*source.PublishResponse) {
	var places [1]int
	var asked batch
	group := places[:0]
	for i, r := range requests {
		if answers[i] != nil {
			continue
		}
		if ctx.Err() != nil { // nobody waits; each group may take as long as --publish-timeout
			answers[i] = b.refuse(overloaded.because("the call has ended"))
			continue
		}
		group = append(group[:0], i)
		for j := i + 1; j < len(requests); j++ {
			if answers[j] == nil && requests[j].GetNamespace() == r.GetNamespace() {
				group = append(group, j)
			}
		}
		b.publishTo(r.GetNamespace(), requests, answers, group, &asked)
	}
}

// publishTo publishes the requests of one namespace, which are at these places.
func (b backend) publishTo(name string, requests []*source.PublishRequest, answers []*source.PublishResponse, places []int, asked *batch) {
	refuseAll := func(r *refusal) {
		for _, i := range places {
			answers[i] = b.refuse(r)
		}
	}
	name, refused := checkNamespace(name)
	switch {
	case refused != nil:
		refuseAll(refused)
		return
	case b.draining.Load():
		refuseAll(draining.because("publish to another node, or try again in a moment"))
		return
	}
	p := b.hub.pendingFor(len(places))
	taken := places[:0] // those that are not refused, which are never more than were looked at
	for _, i := range places {
		record, rank, refused := b.eventRecord(requests[i], asked)
		if refused != nil {
			answers[i] = b.refuse(refused)
			continue
		}
		p.add(record, rank)
		taken = append(taken, i)
	}
	if places = taken; len(taken) == 0 { // what is refused opens no namespace
		b.hub.recycle(p)
		return
	}
	ns, err := b.hub.acquire(name, true)
	if err != nil {
		b.hub.recycle(p)
		refuseAll(b.unavailable(err))
		return
	}
	defer ns.release()
	b.publishPaced(ns, p, answers, taken)
}

// eventRecord checks one event, as a line of a batch is checked.
func (b backend) eventRecord(r *source.PublishRequest, asked *batch) (replay.Record, priority, *refusal) {
	if !b.admitLine(asked) {
		return replay.Record{}, 0, publishRate
	}
	rank, ok := ranks[r.GetPriority()]
	if !ok {
		return replay.Record{}, 0, badRequest.because(fmt.Sprintf("priority %d; low (1), normal (2) or high (3) is expected", r.GetPriority()))
	}
	record, refused := b.record(r.GetTopics(), r.GetEvent(), r.GetData(), r.GetKey())
	return record, rank, refused
}

// ranks are the priorities on the wire.
var ranks = map[source.Priority]priority{
	source.Priority_PRIORITY_UNSPECIFIED: priorityNormal, source.Priority_PRIORITY_LOW: priorityLow,
	source.Priority_PRIORITY_NORMAL: priorityNormal, source.Priority_PRIORITY_HIGH: priorityHigh,
}

// publishPaced publishes what p holds in chunks, and answers it at these places. What comes
// after a chunk for which there was no room is refused as well, as in a batch of lines.
func (b backend) publishPaced(ns *namespace, p *pending, answers []*source.PublishResponse, places []int) {
	var pace pace
	most := pace.chunk(ns)
	if len(places) <= most {
		_ = b.publishPending(ns, p, answers, places)
		return
	}
	defer b.hub.recycle(p)
	for from := 0; ; most = pace.chunk(ns) {
		to := min(from+most, len(places))
		chunk := b.hub.pendingFor(to - from)
		for i := from; i < to; i++ {
			chunk.add(p.records[i], p.priority(i))
		}
		err := b.publishPending(ns, chunk, answers, places[from:to])
		if err != nil {
			b.refuseRest(err, answers, places[to:])
		}
		if from = to; err != nil || from == len(places) {
			return
		}
	}
}

// refuseRest refuses what comes after events that were not stored.
func (b backend) refuseRest(err error, answers []*source.PublishResponse, places []int) {
	if queueRefusal(err) != nil {
		b.table.Shed[shedReasonOf(err)].Add(uint64(len(places)))
	}
	refused := b.unavailable(err)
	for _, i := range places {
		answers[i] = b.refuse(refused)
	}
}

// publishPending publishes what p holds, and answers it at these places. The error is why
// none of it was stored.
func (b backend) publishPending(ns *namespace, p *pending, answers []*source.PublishResponse, places []int) error {
	owned, err := ns.publish(p)
	for at, i := range places {
		switch {
		case err != nil:
			answers[i] = b.refuse(b.unavailable(err))
		case p.records[at].Err != nil:
			answers[i] = b.refuse(b.recordRefusal(p.records[at].Err))
		case p.records[at].Spooled != 0:
			answers[i] = &source.PublishResponse{Outcome: &source.PublishResponse_Spooled{Spooled: p.records[at].Spooled}}
		default:
			answers[i] = &source.PublishResponse{Outcome: &source.PublishResponse_Id{Id: p.records[at].Event.ID.String()}}
		}
	}
	if err == nil {
		err = p.turnedAway()
	}
	if owned {
		b.hub.recycle(p)
	}
	return err
}

// wireEvent is an event as a subscriber of the gRPC port gets it.
func wireEvent(e *sse.Event) *source.Event {
	return &source.Event{Id: e.ID.String(), Topics: e.Topics, Event: e.Name, Data: e.Data}
}
