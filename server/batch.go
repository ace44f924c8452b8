package server

import (
	"bytes"
	"fmt"
	"slices"

	"throng/internal/obs"
	"throng/replay"
	"throng/server/ndjson"
	"throng/sse"
)

// batch is what it takes to read a batch line by line. One request at a time has it.
type batch struct {
	line    ndjson.Line
	outcome []*refusal // of a chunk, one a line; nil: the next of its records
	names   []string   // topics of a line
	topic   string     // the last one: lines that follow each other mostly share it
	event   string     // the last name
	slots   []slot     // room for the next events
	taken   int        // how many slots the chunk has used so far
	out     []byte     // the answer so far

	pace    pace
	toAsk   int          // lines until the load is asked again
	stopped *refusal     // what the rest is told; nil: it is published
	shed    *obs.Counter // counts the rest; nil: what stopped it is no overload
}

// slot is room for an event with one topic.
type slot struct {
	event sse.Event
	topic [1]string
}

// slotsMax is how many events share an allocation at most. The log lets go of events one
// by one, of their memory when the last of those that share it has gone.
const slotsMax = 32

// batchBytesKept is how much memory a resting batch keeps.
const batchBytesKept = 256 << 10

func (h *hub) batchFor() *batch {
	if b, ok := h.batches.Get().(*batch); ok {
		return b
	}
	return &batch{}
}

// rest puts a batch back.
func (h *hub) rest(b *batch) {
	b.line.Reset()
	clear(b.outcome)
	clear(b.names)
	*b = batch{line: b.line, outcome: b.outcome[:0], names: b.names[:0], out: b.out[:0]}
	if b.line.Kept()+cap(b.out) <= batchBytesKept {
		h.batches.Put(b)
	}
}

// publishBatch answers each line of a batch in its order. Lines that are wrong do not keep the
// others from being published. What comes after a line for which there was no room or no log
// is refused as well: who publishes the rest again has it in order.
func (s *session) publishBatch(name string, body []byte) {
	ns, err := s.srv.hub.acquire(name, true)
	if err != nil {
		s.problem(s.srv.unavailable(err))
		return
	}
	defer ns.release()
	if lines := bytes.Count(body, []byte{'\n'}); lines > s.srv.o.BatchLinesMax {
		s.problem(bodyTooLarge.because(fmt.Sprintf("%d lines; a batch has at most %d (--batch-lines-max)", lines, s.srv.o.BatchLinesMax)))
		return
	}
	b := s.srv.hub.batchFor()
	b.toAsk = linesAdmitted // with the request
	defer s.srv.hub.rest(b)
	for len(body) > 0 && !s.over {
		body = s.publishChunk(ns, b, body)
	}
	if s.over {
		return
	}
	s.respond(&answer{status: 200, contentType: "application/x-ndjson", body: b.out})
}

// lineBytesMin is the length of the shortest event: {"topic":"a","data":0} and its end.
const lineBytesMin = 23

// publishChunk takes as many lines as one batch of the log holds, and gives the rest.
func (s *session) publishChunk(ns *namespace, b *batch, body []byte) (rest []byte) {
	most := batchEventsMax
	if b.stopped == nil {
		most = b.pace.chunk(ns)
	}
	p := s.srv.hub.pendingFor(min(len(body)/lineBytesMin+1, most))
	b.line.Reset()
	b.outcome, b.slots, b.taken = b.outcome[:0], nil, 0 // a chunk is stored, or is not, as a whole
	for len(body) > 0 && len(p.records) < most && len(b.outcome) < 2*batchEventsMax {
		var line []byte
		line, body = cutLine(body)
		if len(line) == 0 {
			continue
		}
		if !s.srv.admitLine(b) {
			b.outcome = append(b.outcome, b.stopped)
			continue
		}
		record, rank, refused := s.srv.lineRecord(b, line)
		if refused == nil {
			p.add(record, rank)
		}
		b.outcome = append(b.outcome, refused)
	}
	owned := true
	if len(p.records) > 0 {
		var err error
		owned, err = ns.publish(p)
		if err == nil {
			err = p.turnedAway()
		}
		if err != nil {
			s.batchFailed(b, err)
		}
	}
	if owned {
		b.answer(s.srv, p.records)
		s.srv.hub.recycle(p)
	} else {
		b.answer(s.srv, nil)
	}
	return body
}

// batchFailed writes the failure of a chunk into the outcome of each of its lines, and stops
// the batch.
func (s *session) batchFailed(b *batch, err error) {
	b.stopped = s.srv.unavailable(err)
	if queueRefusal(err) != nil {
		b.shed = &s.srv.table.Shed[shedReasonOf(err)]
	}
	for i := range b.outcome {
		if b.outcome[i] == nil {
			b.outcome[i] = b.stopped
		}
	}
}

func cutLine(body []byte) (line, rest []byte) {
	line = body
	if i := bytes.IndexByte(body, '\n'); i >= 0 {
		line, rest = body[:i], body[i+1:]
	}
	return bytes.TrimSpace(line), rest
}

// lineRecord reads and checks one line. The record's data is a view of the line or of b.
func (s *Server) lineRecord(b *batch, line []byte) (replay.Record, priority, *refusal) {
	if err := b.line.Parse(line); err != nil {
		return replay.Record{}, 0, badLine.because(err.Error())
	}
	rank, err := parsePriority(b.line.Priority)
	if err != nil {
		return replay.Record{}, 0, badLine.because(err.Error())
	}
	if refused := s.checkCount(len(b.line.Topics)); refused != nil {
		return replay.Record{}, 0, refused
	}
	b.names = b.names[:0]
	for _, t := range b.line.Topics {
		b.names = append(b.names, last(&b.topic, t))
	}
	name, key := last(&b.event, b.line.Event), string(b.line.Key)
	if refused := s.check(b.names, name, b.line.Data, key); refused != nil {
		return replay.Record{}, 0, refused
	}
	alone := key != "" || len(line) > sharedLineBytes
	return recordOf(b.newEvent(name, alone), key), rank, nil
}

// sharedLineBytes is the longest line whose event shares memory with others: what one of
// them that is still held can keep alive of those that are not is 31 lines at most.
const sharedLineBytes = 512

// last is p as a string: the one that the last one was, if they are equal.
func last(s *string, p []byte) string {
	if string(p) != *s {
		*s = string(p)
	}
	return *s
}

// newEvent is the event of a line that was found good, with the topics in names. Events
// share memory only with others that are stored if they are, or else the log would keep
// alive what it does not count: a line that was refused takes no slot, a long one and one
// with a key, which may have come before, have memory of their own, and no more slots are
// made than were taken so far.
func (b *batch) newEvent(name string, alone bool) *sse.Event {
	var s *slot
	if alone {
		s = new(slot)
	} else {
		s = b.nextSlot()
	}
	e := &s.event
	e.Name, e.Data = name, b.line.Data
	if len(b.names) == 1 {
		s.topic[0] = b.names[0]
		e.Topics = s.topic[:]
	} else {
		e.Topics = slices.Clone(b.names)
	}
	return e
}

func (b *batch) nextSlot() *slot {
	if len(b.slots) == 0 {
		b.slots = make([]slot, min(max(b.taken, 1), slotsMax))
	}
	s := &b.slots[0]
	b.slots = b.slots[1:]
	b.taken++
	return s
}

// answer writes a line for each line of a chunk: the ID it was given, or its problem.
func (b *batch) answer(s *Server, records []replay.Record) {
	var told *refusal
	var text []byte  // of told: mostly many are refused for the same reason
	var times uint64 // that it is told
	for _, refused := range b.outcome {
		if refused == nil {
			r := &records[0]
			records = records[1:]
			if r.Err == nil {
				b.out = appendOutcome(b.out, r)
				continue
			}
			refused = s.recordRefusal(r.Err)
		}
		if refused != told {
			s.countRefused(told, times)
			times = 0
			told, text = refused, bytes.TrimRight(refused.document(s.retrySeconds(refused)), "\n")
		}
		times++
		b.out = append(b.out, `{"error":`...)
		b.out = append(b.out, text...)
		b.out = append(b.out, "}\n"...)
	}
	s.countRefused(told, times)
}
