package sse

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ReservedPrefix starts the names of the server's own events; nobody else may publish them.
const ReservedPrefix = "throng."

// Why CheckName refuses a name.
var (
	ErrNameUTF8     = errors.New("event name is not valid UTF-8")
	ErrNameControl  = errors.New("event name has a control character")
	ErrNameReserved = errors.New("event names starting with " + ReservedPrefix + " are reserved")
)

// CheckName says whether a publisher may use name: valid UTF-8, no control character (CR, LF
// and NUL among them), not reserved. The empty name is fine. Its length is the caller's to limit.
func CheckName(name string) error {
	if !utf8.ValidString(name) {
		return ErrNameUTF8
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return ErrNameControl
	}
	if strings.HasPrefix(name, ReservedPrefix) {
		return ErrNameReserved
	}
	return nil
}

// GapName is the name of the event that tells a reader of a gap.
const GapName = ReservedPrefix + "gap"

// GapRequestedBytesMax limits how much of what a client claimed as its last ID is sent back to
// it, in bytes. An ID has at most IDBytesMax; the rest is room to recognise a foreign one.
const GapRequestedBytesMax = 64

// NewGap is the sealed event which says that not all that followed requested can be given
// back. requested is what the client sent, whatever it is (cut to GapRequestedBytesMax);
// earliest is the first ID that is still held; at is the gap's own ID, from which the reader
// would resume. Its data is {"requested":"…","earliest":"…"}.
func NewGap(requested string, earliest, at ID) *Event {
	if len(requested) > GapRequestedBytesMax {
		end := GapRequestedBytesMax
		for end > GapRequestedBytesMax-utf8.UTFMax && !utf8.RuneStart(requested[end]) {
			end--
		}
		requested = requested[:end]
	}
	data := append([]byte(nil), `{"requested":`...)
	data = appendString(data, requested)
	data = append(data, `,"earliest":"`...)
	data = earliest.AppendTo(data)
	data = append(data, `"}`...)
	e := &Event{ID: at, Name: GapName, Data: data}
	e.Seal()
	return e
}
