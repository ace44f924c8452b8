package server

import (
	"fmt"

	"throng/httpparse"
)

// params are the query parameters that the public port knows. Repeated ones other than
// topic: the last one counts. Unknown ones are passed over.
type params struct {
	topics      []string
	ns          string
	event       string
	since       string
	lastEventID string
	format      string
	priority    string
	hasLast     bool
}

// paramBytesMax is how long an unescaped parameter may be at most: what is longer than
// any topic, name or ID is none of them.
const paramBytesMax = 1024

// readParams unescapes the query; scratch is used and given back.
func readParams(query, scratch []byte, topicsMax int) (p params, rest []byte, refused *refusal) {
	for len(query) > 0 {
		var key, value []byte
		key, value, query = httpparse.NextParam(query)
		var target *string
		switch string(key) {
		case "topic":
			if len(p.topics) == topicsMax {
				return p, scratch, tooManyTopics.because(fmt.Sprintf("more than %d topics", topicsMax))
			}
			p.topics = append(p.topics, "")
			target = &p.topics[len(p.topics)-1]
		case "ns":
			target = &p.ns
		case "event":
			target = &p.event
		case "since":
			target = &p.since
		case "lastEventId":
			target = &p.lastEventID
			p.hasLast = true
		case "format":
			target = &p.format
		case "priority":
			target = &p.priority
		default:
			continue
		}
		text, err := httpparse.AppendUnescaped(scratch[:0], value)
		if err != nil {
			return p, scratch, badRequest.because(fmt.Sprintf("parameter %s: %v", key, err))
		}
		scratch = text[:0]
		if len(text) > paramBytesMax {
			return p, scratch, badRequest.because(fmt.Sprintf("parameter %s has %d bytes; at most %d are taken", key, len(text), paramBytesMax))
		}
		*target = string(text)
	}
	return p, scratch, nil
}
