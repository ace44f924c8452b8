package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"throng/client"
)

// A request carries at most so many events and bytes; a server takes 8 MiB by default.
const (
	batchEventsMax = 256
	batchBytesMax  = 1 << 20
)

const defaultURL = "http://127.0.0.1:8080"

// answerMax is how long an answer may take. A default server refuses after 5 s what it
// can't take, and a large batch on a slow line needs its time.
const answerMax = time.Minute

var (
	errNoTopic  = errors.New("--topic is missing")
	errOneKey   = errors.New("--key goes with exactly one event: one DATA, or --file without --ndjson")
	errTwoInput = errors.New("--file and DATA are both given; one of them is published")
	errNoData   = errors.New("--ndjson reads lines of standard input or of --file; DATA is not for it")
	errRefused  = errors.New("not everything was published")
)

type publishCmd struct {
	Topic  []string      `sep:"none" placeholder:"TOPIC" help:"Topic; several put the event on each of them."`
	Event  string        `placeholder:"NAME" help:"Event name."`
	NS     string        `name:"ns" placeholder:"NAME" help:"Namespace; the server's default is \"default\"."`
	Key    string        `env:"-" placeholder:"KEY" help:"Idempotency-Key: the same key publishes once, so a failed command may be repeated."`
	Rank   string        `name:"priority" env:"-" enum:",low,normal,high" default:"" placeholder:"low|normal|high" help:"What a server without room refuses first: low before normal before high."`
	File   string        `placeholder:"FILE" help:"Publish the file as one event; with --ndjson its lines."`
	Retry  time.Duration `placeholder:"TIME" help:"How long to try again what the server can't take now. Each event then has an Idempotency-Key, so that it is published once; what is refused for good is not tried again."`
	NDJSON bool          `name:"ndjson" help:"Each line is {\"topic\":…|\"topics\":[…],\"event\":…,\"data\":…,\"key\":…,\"priority\":…}; what is missing is taken from the flags."`
	First  string        `arg:"" optional:"" name:"URL" env:"-" help:"The server, starting with http:// or https:// (default ${url}); else it is data."`
	Data   []string      `arg:"" optional:"" name:"DATA" env:"-" help:"Each argument is one event. Without any, each line of standard input is."`
}

// Help gives examples to kong.
func (publishCmd) Help() string {
	return `Prints the ID of each event; "spooled N" for one that waits on the server's disk until its log is back. An event that is refused is told on standard error, and the exit status is 1.

Examples:
  throng publish --topic news/today --event headline 'Hello, all'
  throng publish --topic logs/web http://push.example.org:8080 < access.log
  tail -F access.log | throng publish --topic logs/web --retry 1h
  throng publish --ndjson < feed.ndjson`
}

// item is an event to publish, or why it can't be.
type item struct {
	number  int // from 1, for messages
	request client.PublishRequest
	err     error
}

// Run publishes what it is given, in order. A refused event does not hold up those after
// it; a request without an answer ends the command, unless it may be tried again.
func (c *publishCmd) Run(p *process) error {
	url, data := c.split()
	source, err := c.source(p, data)
	if err != nil {
		return err
	}
	to, err := client.New(url, client.Options{})
	if err != nil {
		return usageError{err}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	items := make(chan item, batchEventsMax)
	go func() {
		defer close(items)
		for i := range source {
			select {
			case items <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	out := &publisher{process: p, client: to, namespace: c.NS, retry: c.Retry}
	for first := range items {
		if err := out.send(ctx, gather(first, items)); err != nil {
			return err
		}
	}
	if out.refused {
		return errRefused
	}
	return nil
}

// gather adds to first what is waiting by now. While a request is on its way the next
// events collect, so batches grow just as far as the server is slower than the source,
// and a line of a quiet feed leaves at once.
func gather(first item, items <-chan item) []item {
	batch, size := []item{first}, len(first.request.Data)
	for len(batch) < batchEventsMax && size < batchBytesMax {
		select {
		case i, more := <-items:
			if !more {
				return batch
			}
			batch, size = append(batch, i), size+len(i.request.Data)
		default:
			return batch
		}
	}
	return batch
}

// split takes the URL from the front of the arguments, if there is one. (There are two
// fields, so that flags may stand between the URL and the data.)
func (c *publishCmd) split() (url string, data []string) {
	switch {
	case strings.HasPrefix(c.First, "http://"), strings.HasPrefix(c.First, "https://"):
		return c.First, c.Data
	case c.First == "" && len(c.Data) == 0:
		return defaultURL, nil
	}
	return defaultURL, append([]string{c.First}, c.Data...)
}
