package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"unicode/utf8"

	"throng/httpparse"
	"throng/replay"
	"throng/sse"
	"throng/topics"
)

// keyBytesMax is the longest Idempotency-Key: room for any UUID or hash in text.
const keyBytesMax = 255

// verifyPublish looks at a publish before its body is read.
func verifyPublish(s *Server, q *httpparse.Request) (int, *refusal) {
	if !s.cors.mayPublish(q) {
		return 0, originForbidden.because("add the origin to --cors-origins to let its pages publish")
	}
	if s.draining.Load() {
		return 0, draining.because("publish to another node, or try again in a moment")
	}
	if !q.Chunked && q.ContentLength < 0 {
		return 0, lengthRequired.because("a publish says how long its body is: Content-Length, or Transfer-Encoding: chunked")
	}
	if coding, ok := q.Header("Content-Encoding"); ok && !bytes.EqualFold(coding, []byte("identity")) {
		return 0, badMediaType.because(fmt.Sprintf("Content-Encoding %q is not undone here; send the body as it is", coding))
	}
	if isBatch(q) {
		return s.o.BatchBytesMax, nil
	}
	return s.o.EventBytesMax, nil
}

// isBatch tells an NDJSON batch by its media type.
func isBatch(q *httpparse.Request) bool {
	value, ok := q.Known(httpparse.FieldContentType)
	if !ok {
		return false
	}
	if i := bytes.IndexByte(value, ';'); i >= 0 {
		value = value[:i]
	}
	return bytes.EqualFold(bytes.TrimSpace(value), []byte("application/x-ndjson"))
}

// publish takes one event, or a batch; false: it would have to wait, or take long, where
// that is not allowed.
func (s *session) publish(body []byte) bool {
	if !s.x.admitted && !s.srv.letsPublishIn(s.age()) {
		s.shedPublish()
		return true
	}
	done := s.publishAdmitted(body)
	s.x.admitted = !done // it comes again, and was let in once
	return done
}

func (s *session) publishAdmitted(body []byte) bool {
	if !s.conn.MayWait() && (isBatch(&s.x.req) || len(body) > inlineBodyBytesMax) {
		return false
	}
	p, scratch, refused := readParams(s.x.req.Query, s.x.text, s.srv.o.EventTopicsMax)
	s.x.text = scratch
	if refused != nil {
		s.problem(refused)
		return true
	}
	name, refused := checkNamespace(p.ns)
	if refused != nil {
		s.problem(refused)
		return true
	}
	if isBatch(&s.x.req) {
		s.publishBatch(name, body)
		return true
	}
	key, _ := s.x.req.Known(httpparse.FieldIdempotencyKey)
	record, refused := s.srv.record(p.topics, p.event, body, string(key))
	if refused != nil {
		s.problem(refused)
		return true
	}
	rank, err := parsePriority(p.priority)
	if err != nil {
		s.problem(badRequest.because(err.Error()))
		return true
	}
	return s.publishOne(name, record, rank)
}

// record checks one event. Its data still belongs to the request: the log's Seal copies
// it, and the request stays until then.
func (s *Server) record(names []string, event string, data []byte, key string) (replay.Record, *refusal) {
	if refused := s.check(names, event, data, key); refused != nil {
		return replay.Record{}, refused
	}
	return recordOf(&sse.Event{Topics: names, Name: event, Data: data}, key), nil
}

// recordOf is the record of a checked event.
func recordOf(e *sse.Event, key string) replay.Record {
	r := replay.Record{Event: e}
	if key != "" {
		r.Key, r.Sum = key, fingerprint(e)
	}
	return r
}

// check says what is wrong with an event; nil: nothing.
func (s *Server) check(names []string, event string, data []byte, key string) *refusal {
	if refused := s.checkCount(len(names)); refused != nil {
		return refused
	}
	for _, t := range names {
		if err := topics.Check(t); err != nil {
			return badTopic.because(err.Error())
		}
	}
	if refused := s.checkEventName(event); refused != nil {
		return refused
	}
	if len(data) > s.o.EventBytesMax {
		return bodyTooLarge.because(fmt.Sprintf("the data has %d bytes; an event has at most %d", len(data), s.o.EventBytesMax))
	}
	if at := badText(data); at >= 0 {
		return badData.because(fmt.Sprintf("byte %d is NUL or not UTF-8; an event stream carries text, so encode binary data (base64)", at))
	}
	if key != "" {
		return checkKey(key)
	}
	return nil
}

// checkCount says what is wrong with an event of so many topics.
func (s *Server) checkCount(topics int) *refusal {
	switch {
	case topics == 0:
		return missingTopic.because("POST /publish?topic=T names where the event goes; topic may be repeated")
	case topics > s.o.EventTopicsMax:
		return tooManyTopics.because(fmt.Sprintf("%d topics; an event has at most %d", topics, s.o.EventTopicsMax))
	}
	return nil
}

// badText finds the first byte that is not text; -1: there is none.
func badText(data []byte) int {
	if utf8.Valid(data) {
		return bytes.IndexByte(data, 0)
	}
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

func checkKey(key string) *refusal {
	if len(key) > keyBytesMax {
		return badKey.because(fmt.Sprintf("the key has %d bytes; at most %d are taken", len(key), keyBytesMax))
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return badKey.because(fmt.Sprintf("byte %d of the key is not printable ASCII", i))
		}
	}
	return nil
}

// fingerprint is SHA-256 over topics, name and data, each with its length before it.
func fingerprint(e *sse.Event) (sum [32]byte) {
	h := sha256.New()
	var length [8]byte
	add := func(b []byte) {
		binary.LittleEndian.PutUint64(length[:], uint64(len(b)))
		h.Write(length[:])
		h.Write(b)
	}
	for _, t := range e.Topics {
		add([]byte(t))
	}
	add(nil)
	add([]byte(e.Name))
	add(e.Data)
	h.Sum(sum[:0])
	return sum
}

func (s *session) publishOne(name string, record replay.Record, rank priority) bool {
	ns, err := s.srv.hub.acquire(name, s.conn.MayWait())
	if err == errWouldWait {
		return false
	}
	if err != nil {
		s.problem(s.srv.unavailable(err))
		return true
	}
	defer ns.release()
	x := s.x
	x.records = append(x.records[:0], record)
	if done, err := ns.publishNow(x.records, rank); done {
		s.published(x.records[0], err)
		clear(x.records)
		return true
	}
	clear(x.records)
	if !s.conn.MayWait() {
		return false
	}
	p := s.srv.hub.pendingFor(1)
	p.add(record, rank)
	owned, err := ns.publish(p)
	if owned {
		record = p.records[0]
		s.srv.hub.recycle(p)
	}
	s.published(record, err)
	return true
}

// published answers one publish.
func (s *session) published(record replay.Record, err error) {
	if err != nil {
		s.problem(s.srv.unavailable(err))
		return
	}
	if record.Err != nil {
		s.problem(s.srv.recordRefusal(record.Err))
		return
	}
	a := &answer{status: 200, contentType: "application/json"}
	if record.Spooled != 0 {
		a.status = 202
	}
	s.x.text = appendOutcome(s.x.text[:0], &record)
	a.body = s.x.text
	s.respond(a)
}

// appendOutcome writes what became of an event that was taken: its ID, or under which
// number it waits for the store to come back.
func appendOutcome(dst []byte, r *replay.Record) []byte {
	if r.Spooled != 0 {
		dst = append(dst, `{"spooled":"`...)
		dst = strconv.AppendUint(dst, r.Spooled, 10)
	} else {
		dst = append(dst, `{"id":"`...)
		dst = r.Event.ID.AppendTo(dst)
	}
	return append(dst, "\"}\n"...)
}
