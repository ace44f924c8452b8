package bench

import (
	"fmt"
	"strings"
)

// roster describes any number of streams by a rule, so that nobody stores a topic for
// each, and a worker needs one line to open 100,000 of them.
type roster struct {
	NS     string `json:"ns"`
	Topic  string `json:"topic"`            // with a verb for the token, such as %06d, or without
	Base   uint64 `json:"base,omitempty"`   // the first token
	Shared uint64 `json:"shared,omitempty"` // the streams share so many topics; 0: one each
	Seq    uint64 `json:"seq,omitempty"`    // of the last event that every stream has had before
	LastID string `json:"lastID,omitempty"` // its ID, with which every stream comes; empty: they come live
}

// token is that of stream i, from 0.
func (c roster) token(i int) uint64 {
	if c.Shared > 0 {
		return c.Base + uint64(i)%c.Shared
	}
	return c.Base + uint64(i)
}

// topic is that of a token.
func (c roster) topic(token uint64) string {
	if !strings.Contains(c.Topic, "%") {
		return c.Topic
	}
	return fmt.Sprintf(c.Topic, token)
}

// subscription is stream i.
func (c roster) subscription(i int) subscription {
	token := c.token(i)
	return subscription{ns: c.NS, topic: c.topic(token), token: token, i: uint64(i), seq: c.Seq, lastID: c.LastID}
}

// event is the next one of a token.
func (c roster) event(token, seq uint64, due int64, size int) event {
	return event{c.NS, c.topic(token), payload{token, seq, due}, size}
}
