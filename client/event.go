package client

import (
	"encoding/json"
	"fmt"

	"throng/sse"
)

// Event is one event of a subscription.
type Event struct {
	ID     string   // opaque; SubscribeOptions.Since takes it
	Name   string   // empty when it was published without one (or as "message")
	Data   string   // line breaks are LF, unless JSON was asked for: then as they were published
	Topics []string // where it was published; only when JSON was asked for
}

// Gap is what a gap event tells.
type Gap struct {
	Requested string // the ID after which the server was asked to go on
	Earliest  string // the first ID the server still holds
}

// IsGap reports whether e is the server's word that events after the last ID are gone for good.
func (e Event) IsGap() bool { return e.Name == sse.GapName }

// Gap is what a gap event tells; the zero Gap when e is none.
func (e Event) Gap() Gap {
	var g struct{ Requested, Earliest string }
	if e.IsGap() && json.Unmarshal([]byte(e.Data), &g) == nil {
		return Gap(g)
	}
	return Gap{}
}

// openEnvelope fills e from the JSON envelope that is its data (see sse.AppendJSON).
func (e *Event) openEnvelope(data []byte) error {
	var v struct {
		Topics []string `json:"topics"`
		Event  string   `json:"event"`
		Data   *string  `json:"data"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("%w: envelope of event %s: %w", ErrProtocol, e.ID, err)
	}
	if v.Data == nil {
		return fmt.Errorf("%w: envelope of event %s has no data", ErrProtocol, e.ID)
	}
	e.Name, e.Data, e.Topics = v.Event, *v.Data, v.Topics
	return nil
}

// State is how a subscription stands.
type State uint8

const (
	Disconnected State = iota // not connected yet, or ended for good
	Connected                 // the stream is open
	Recovering                // the stream was lost, or refused for now; it will be tried again
)

// String is the state's name in capitals.
func (s State) String() string {
	switch s {
	case Connected:
		return "CONNECTED"
	case Recovering:
		return "RECOVERING"
	}
	return "DISCONNECTED"
}
