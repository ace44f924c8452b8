package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"unicode/utf8"

	"throng/client"
)

// lineBytesMax is the longest line that is read: the largest event a server can be
// told to take, and as much again for JSON's escapes.
const lineBytesMax = 128 << 20

var (
	errNotUTF8 = errors.New("the data is not UTF-8")
	errJSON    = errors.New(`a line is {"topic":…|"topics":[…],"event":…,"data":…,"key":…,"priority":…}`)
)

// source gives the events that the command line asks for.
func (c *publishCmd) source(p *process, data []string) (iter.Seq[item], error) {
	switch {
	case len(c.Topic) == 0 && !c.NDJSON:
		return nil, usageError{errNoTopic}
	case c.File != "" && len(data) > 0:
		return nil, usageError{errTwoInput}
	case c.NDJSON && len(data) > 0:
		return nil, usageError{errNoData}
	case c.Key != "" && (c.NDJSON || c.File == "" && len(data) != 1):
		return nil, usageError{errOneKey}
	case len(data) > 0:
		return c.fromArguments(data), nil
	case c.File == "":
		return c.fromLines(p.stdin), nil
	case c.NDJSON:
		f, err := os.Open(c.File)
		return c.fromLines(f), err // read until the process ends
	}
	whole, err := os.ReadFile(c.File)
	return c.fromArguments([]string{string(whole)}), err
}

func (c *publishCmd) fromArguments(data []string) iter.Seq[item] {
	return func(yield func(item) bool) {
		for n, d := range data {
			if !yield(c.plain(n+1, []byte(d))) {
				return
			}
		}
	}
}

// fromLines reads lines; a fault of the reader is the last item.
func (c *publishCmd) fromLines(r io.Reader) iter.Seq[item] {
	return func(yield func(item) bool) {
		in := bufio.NewScanner(r)
		in.Buffer(nil, lineBytesMax)
		n := 0
		for in.Scan() {
			n++
			line := in.Bytes()
			switch {
			case !c.NDJSON:
				if !yield(c.plain(n, bytes.Clone(line))) {
					return
				}
			case len(bytes.TrimSpace(line)) > 0:
				if !yield(c.object(n, line)) {
					return
				}
			}
		}
		if err := in.Err(); err != nil {
			yield(item{number: n + 1, err: fmt.Errorf("reading: %w", err)})
		}
	}
}

// plain is an event whose data is as given, and all else as the flags say.
func (c *publishCmd) plain(n int, data []byte) item {
	i := item{number: n, request: client.PublishRequest{
		Namespace: c.NS, Topics: c.Topic, Name: c.Event, Data: data, IdempotencyKey: c.Key, Priority: client.Priority(c.Rank)}}
	if !utf8.Valid(data) {
		i.err = errNotUTF8
	}
	return i
}

// object is an event written as JSON. Data that is no string is published as its JSON
// text, as the server's own NDJSON does.
func (c *publishCmd) object(n int, line []byte) item {
	var o struct {
		Topic    string          `json:"topic"`
		Topics   []string        `json:"topics"`
		Event    *string         `json:"event"`
		Data     json.RawMessage `json:"data"`
		Key      string          `json:"key"`
		Priority client.Priority `json:"priority"`
	}
	in := json.NewDecoder(bytes.NewReader(line))
	in.DisallowUnknownFields()
	if err := in.Decode(&o); err != nil {
		return item{number: n, err: fmt.Errorf("%w: %w", errJSON, err)}
	}
	if in.More() || o.Data == nil {
		return item{number: n, err: errJSON}
	}
	data := []byte(o.Data)
	if text := ""; json.Unmarshal(o.Data, &text) == nil && o.Data[0] == '"' {
		data = []byte(text)
	}
	i := c.plain(n, data)
	i.request.IdempotencyKey = o.Key
	if o.Priority != "" {
		i.request.Priority = o.Priority
	}
	if o.Event != nil {
		i.request.Name = *o.Event
	}
	if o.Topic != "" {
		o.Topics = append(o.Topics, o.Topic)
	}
	if len(o.Topics) > 0 {
		i.request.Topics = o.Topics
	}
	if len(i.request.Topics) == 0 {
		i.err = errNoTopic
	}
	return i
}
