package server

import (
	"bytes"
	"encoding/json"
	"fmt"

	"throng/replay"
)

// batchLine is one line of an NDJSON batch. Data is a string, taken as it is, or any
// other JSON, whose text is the data.
type batchLine struct {
	Topic  string          `json:"topic"`
	Topics []string        `json:"topics"`
	Event  string          `json:"event"`
	Data   json.RawMessage `json:"data"`
	Key    string          `json:"key"`
}

// publishBatch answers each line of a batch in its order. Lines that are refused do not
// keep the others from being published.
func (s *session) publishBatch(name string, body []byte) {
	ns, err := s.srv.hub.acquire(name)
	if err != nil {
		s.problem(s.srv.unavailable(err))
		return
	}
	defer ns.release()
	out := s.x.text[:0]
	for len(body) > 0 && !s.over {
		out, body = s.publishChunk(ns, out, body)
	}
	if s.over {
		return
	}
	s.x.text = out
	s.respond(&answer{status: 200, contentType: "application/x-ndjson", body: out})
}

// publishChunk takes as many lines as one batch of the log holds.
func (s *session) publishChunk(ns *namespace, out, body []byte) ([]byte, []byte) {
	p := s.srv.hub.pendingFor()
	var outcome []*refusal // one a line; nil: the next record of p
	for len(body) > 0 && len(p.records) < batchEventsMax && len(outcome) < 2*batchEventsMax {
		var line []byte
		line, body = cutLine(body)
		if len(line) == 0 {
			continue
		}
		record, refused := s.srv.lineRecord(line)
		if refused == nil {
			p.records = append(p.records, record)
		}
		outcome = append(outcome, refused)
	}
	records := p.records
	if len(records) == 0 {
		s.srv.hub.recycle(p)
		return appendOutcome(out, outcome, nil), body
	}
	if owned, err := ns.publish(p); err != nil {
		if owned {
			s.srv.hub.recycle(p)
		}
		s.batchFailed(outcome, err)
		return appendOutcome(out, outcome, nil), body
	}
	out = appendOutcome(out, outcome, records)
	s.srv.hub.recycle(p)
	return out, body
}

// batchFailed writes the failure of a chunk into the outcome of each of its lines.
func (s *session) batchFailed(outcome []*refusal, err error) {
	failed := s.srv.unavailable(err)
	for i := range outcome {
		if outcome[i] == nil {
			outcome[i] = failed
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

// lineRecord reads one line.
func (s *Server) lineRecord(line []byte) (replay.Record, *refusal) {
	var l batchLine
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return replay.Record{}, badLine.because("the line is not an event: " + err.Error())
	}
	if d.InputOffset() != int64(len(line)) {
		return replay.Record{}, badLine.because(fmt.Sprintf("the line goes on behind its JSON object, at byte %d", d.InputOffset()))
	}
	names := l.Topics
	if l.Topic != "" {
		if len(names) > 0 {
			return replay.Record{}, badLine.because("the line has both topic and topics; one of them is enough")
		}
		names = []string{l.Topic}
	}
	data, refused := lineData(l.Data)
	if refused != nil {
		return replay.Record{}, refused
	}
	return s.record(names, l.Event, data, l.Key)
}

func lineData(raw json.RawMessage) ([]byte, *refusal) {
	if len(raw) == 0 {
		return nil, badLine.because("the line has no data; an empty event says \"data\":\"\"")
	}
	if raw[0] != '"' {
		return raw, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, badLine.because("data is not a JSON string: " + err.Error())
	}
	return []byte(text), nil
}

// appendOutcome writes a line for each line: the ID it was given, or its problem.
func appendOutcome(out []byte, outcome []*refusal, records []replay.Record) []byte {
	for _, refused := range outcome {
		if refused == nil {
			r := &records[0]
			records = records[1:]
			if r.Err == nil {
				out = appendIDLine(out, r.Event.ID)
				continue
			}
			refused = recordRefusal(r.Err)
		}
		out = append(out, `{"error":`...)
		out = append(out, bytes.TrimRight(refused.document(), "\n")...)
		out = append(out, "}\n"...)
	}
	return out
}
