package ndjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Line is one line of a batch:
//
//	{"topic":"a/b","event":"name","data":"text","key":"retry-1"}
//	{"topics":["a","b"],"data":{"any":"JSON"},"priority":"low"}
//
// One goroutine at a time may use it; the zero value is ready, and it is meant to be used
// for line after line. Topics are good until the next Parse. The others are views of the
// line, or of memory that is used again after Reset.
type Line struct {
	Topics [][]byte // of "topics", or the one "topic"; may be empty
	Event  []byte   // event name; empty: none
	Data   []byte   // a string as the text it stands for, any other JSON as it is written
	Key    []byte   // idempotency key; empty: none
	// Priority is what the line says of it, as it stands; empty: nothing.
	Priority []byte

	topic []byte
	seen  fields // of the line that is read
	text  []byte // what strings with escapes stand for
}

// Refusals beside those of encoding/json. Their text is for the client that sent the line.
var (
	errBoth   = errors.New("the line has both topic and topics; one of them is enough")
	errNoData = errors.New(`the line has no data; an empty event says "data":""`)
)

// Reset lets go of the lines, and lets the memory behind the fields be used again.
func (l *Line) Reset() {
	l.clear()
	clear(l.Topics[:cap(l.Topics)])
	l.text = l.text[:0]
}

// Kept is how many bytes of memory a Line that was Reset holds on to.
func (l *Line) Kept() int { return cap(l.text) + cap(l.Topics)*viewBytes }

// viewBytes is the size of a slice's header on a 64-bit machine.
const viewBytes = 24

// Parse reads one line, without white space around it. The error says what is wrong; then
// the fields mean nothing.
func (l *Line) Parse(line []byte) error {
	if !l.plain(line) {
		if err := l.decode(line); err != nil {
			return err
		}
	}
	if len(l.topic) > 0 {
		if len(l.Topics) > 0 {
			return errBoth
		}
		l.Topics = append(l.Topics, l.topic)
	}
	if l.seen&fieldData == 0 {
		return errNoData
	}
	return nil
}

func (l *Line) clear() {
	l.Topics, l.topic = l.Topics[:0], nil
	l.Event, l.Data, l.Key, l.Priority = nil, nil, nil, nil
	l.seen = 0
}

// document is a line as encoding/json reads it.
type document struct {
	Topic    string          `json:"topic"`
	Topics   []string        `json:"topics"`
	Event    string          `json:"event"`
	Data     json.RawMessage `json:"data"`
	Key      string          `json:"key"`
	Priority string          `json:"priority"`
}

// decode reads any line.
func (l *Line) decode(line []byte) error {
	l.clear()
	var doc document
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return notEvent(err)
	}
	if d.InputOffset() != int64(len(line)) {
		return fmt.Errorf("the line goes on behind its JSON object, at byte %d", d.InputOffset())
	}
	l.topic, l.Event, l.Key, l.Priority = []byte(doc.Topic), []byte(doc.Event), []byte(doc.Key), []byte(doc.Priority)
	for _, t := range doc.Topics {
		l.Topics = append(l.Topics, []byte(t))
	}
	if len(doc.Data) == 0 {
		return nil
	}
	l.seen |= fieldData
	l.Data = doc.Data
	if doc.Data[0] == '"' {
		var text string
		if err := json.Unmarshal(doc.Data, &text); err != nil {
			return fmt.Errorf("data is not a JSON string: %w", err)
		}
		l.Data = []byte(text)
	}
	return nil
}

// notEvent puts what encoding/json says into the words of who wrote the line.
func notEvent(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &wrong):
		return fmt.Errorf("the line is not an event: %w", err)
	case wrong.Field == "":
		return fmt.Errorf("the line is not an event: it is a JSON %s, not an object", wrong.Value)
	}
	return fmt.Errorf("the line is not an event: %s can't be a %s, at byte %d", wrong.Field, wrong.Value, wrong.Offset)
}
