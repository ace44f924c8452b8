package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"throng/sse"
)

const (
	// publishMax is how long a publish may take before its publisher no longer waits.
	publishMax = 3 * time.Second
	// retryMax is the longest wait before a failed publish with a key is sent again.
	retryMax = 80 * time.Millisecond
	// batchMax is the most lines of a batch.
	batchMax = 20
	// againEach of the publishes with a key is sent once more after it was acknowledged.
	againEach = 8
)

// publisher publishes one request after the other and notes what becomes of them. One
// goroutine at a time may use it.
type publisher struct {
	*crew
	number  int
	keyed   bool // with keys, and until it is acknowledged
	batch   bool
	barrier bool // what it publishes, all wait for
	node    int
	rng     *rand.Rand
	http    *http.Client
	record  *record
	body    []byte
}

func newPublisher(c *crew, number int) *publisher {
	return &publisher{
		crew: c, number: number, keyed: number%2 == 1, batch: number/2%2 == 1,
		rng: rand.New(rand.NewPCG(c.seed, uint64(number)+streamPublishers)), record: &record{},
		http: &http.Client{Timeout: publishMax, Transport: &http.Transport{}},
	}
}

// run publishes at a rate until ctx is done. It stands still while gate is locked.
func (p *publisher) run(ctx context.Context, every time.Duration) {
	defer p.http.CloseIdleConnections()
	for ctx.Err() == nil {
		p.gate.RLock()
		lines := 1
		if p.batch {
			lines = 1 + p.rng.IntN(batchMax)
		}
		begun := time.Now()
		if ctx.Err() == nil {
			p.publish(ctx, lines)
		}
		p.gate.RUnlock()
		// Twice a random half of the mean: requests of publishers do not fall into step.
		wait := time.Duration(lines) * (every/2 + time.Duration(p.rng.Int64N(int64(every)+1)))
		sleep(ctx, wait-time.Since(begun))
	}
}

// publish publishes the next events in one request; with keys until all are acknowledged.
func (p *publisher) publish(ctx context.Context, lines int) {
	r := p.record
	first := len(r.acks)
	for i := range lines {
		flags := uint8(0)
		if i == 0 {
			flags = flagFirst
		}
		r.acks, r.flags = append(r.acks, ack{sent: p.now()}), append(r.flags, flags)
	}
	for try := 0; ctx.Err() == nil; try++ {
		if try > 0 {
			for i := first; i < first+lines; i++ {
				r.flags[i] |= flagRetried
			}
		}
		p.try(ctx, first, lines)
		if !p.keyed {
			break
		}
		if !p.wanting(first, lines) {
			if p.rng.IntN(againEach) == 0 {
				p.move()
				p.try(ctx, first, lines)
			}
			break
		}
		p.move()
		sleep(ctx, time.Duration(p.rng.Int64N(int64(retryMax))))
	}
	for _, a := range r.acks[first:] {
		counter := &p.counts.acknowledged
		if a.id.IsZero() {
			counter = &p.counts.unacknowledged
		}
		counter.Add(1)
	}
}

// wanting says whether any of the events is neither acknowledged nor accepted. A barrier
// has to have its ID.
func (p *publisher) wanting(first, lines int) bool {
	for i := first; i < first+lines; i++ {
		if p.record.acks[i].id.IsZero() && (p.barrier || p.record.flags[i]&flagSpooled == 0) {
			return true
		}
	}
	return false
}

// move turns to another node. A barrier is one node's: it says that the node has sent all
// that it had accepted before.
func (p *publisher) move() {
	if !p.barrier {
		p.node = p.rng.IntN(len(p.nodes))
	}
}

// try sends one request and notes its answers.
func (p *publisher) try(ctx context.Context, first, lines int) {
	query, header := "ns="+nsName(p.namespace(p.number)), make(http.Header)
	p.body = p.body[:0]
	if p.batch {
		header.Set("Content-Type", "application/x-ndjson")
		for i := range lines {
			p.body = p.appendLine(p.body, p.ref(first+i))
		}
	} else {
		event := p.ref(first)
		for _, t := range p.topics(event).names() {
			query += "&topic=" + url.QueryEscape(t)
		}
		if name := p.name(event); name != "" {
			query += "&event=" + name
		}
		if p.keyed {
			header.Set("Idempotency-Key", p.key(event))
		}
		p.body = p.appendData(p.body, event)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.nodes[p.node]+"/publish?"+query, bytes.NewReader(bytes.Clone(p.body)))
	if err != nil {
		p.complain(Content, "%v", err)
		return
	}
	q.Header = header
	answer, err := p.http.Do(q)
	if err != nil {
		p.counts.failed.Add(1)
		return
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close() // it was read to its end, or its error is in err
	switch {
	case err != nil:
		p.counts.failed.Add(1)
	case answer.StatusCode == http.StatusOK, answer.StatusCode == http.StatusAccepted:
		p.answers(first, lines, body)
	default:
		p.counts.failed.Add(1)
		if answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests {
			p.complain(Content, "%v was refused: %s %q", p.ref(first), answer.Status, body)
		}
	}
}

func (p *publisher) ref(index int) ref { return ref{uint16(p.number), uint32(index + 1)} }

// key of an event; it says the seed, for a store that outlives the run.
func (p *publisher) key(r ref) string { return fmt.Sprintf("%d-%d-%v", p.seed, p.began.UnixNano(), r) }

// line is one line of a batch.
type line struct {
	Topics []string `json:"topics"`
	Event  string   `json:"event,omitempty"`
	Data   string   `json:"data"`
	Key    string   `json:"key,omitempty"`
}

func (p *publisher) appendLine(dst []byte, r ref) []byte {
	l := line{Topics: p.topics(r).names(), Event: p.name(r), Data: string(p.appendData(nil, r))}
	if p.keyed {
		l.Key = p.key(r)
	}
	text, err := json.Marshal(l)
	if err != nil {
		p.complain(Content, "%v", err)
	}
	return append(append(dst, text...), '\n')
}

// answers notes what a request was answered, a line for each event.
func (p *publisher) answers(first, lines int, body []byte) {
	d := json.NewDecoder(bytes.NewReader(body))
	for i := range lines {
		var a struct {
			ID      string          `json:"id"`
			Spooled json.RawMessage `json:"spooled"`
			Error   *struct {
				Status int    `json:"status"`
				Code   string `json:"code"`
				Detail string `json:"detail"`
			} `json:"error"`
		}
		if err := d.Decode(&a); err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) || !p.batch {
				p.complain(Content, "%v: the answer %q: %v", p.ref(first+i), body, err)
			}
			return
		}
		switch {
		case a.Error != nil:
			p.counts.failed.Add(1)
			if a.Error.Status < 500 {
				p.complain(Content, "%v was refused: %s %s", p.ref(first+i), a.Error.Code, a.Error.Detail)
			}
		case len(a.Spooled) > 0:
			p.record.flags[first+i] |= flagSpooled
			p.counts.spooled.Add(1)
		default:
			p.acknowledge(first+i, a.ID)
		}
	}
}

// acknowledge notes the ID of an event. One that has an ID already must get the same.
func (p *publisher) acknowledge(index int, text string) {
	id, err := sse.ParseID(text)
	if err != nil || id.IsZero() {
		p.complain(Content, "%v was acknowledged with the ID %q", p.ref(index), text)
		return
	}
	a := &p.record.acks[index]
	if a.id.IsZero() {
		a.id, a.acked = id, p.now()
		return
	}
	p.counts.again.Add(1)
	if a.id == id {
		return
	}
	if h := (history{promise: p.promise}); !h.mayRename(a.id, id) {
		p.complain(Renamed, "%v was acknowledged as %v at %s, and with the same key at %s as %v", p.ref(index), a.id, seconds(a.acked), seconds(p.now()), id)
	}
	p.record.again = append(p.record.again, answer{uint32(index + 1), id})
}

// complain notes an answer that breaks the promise.
func (p *publisher) complain(kind Kind, format string, args ...any) {
	text := fmt.Sprintf("%s: %s", nsName(p.namespace(p.number)), fmt.Sprintf(format, args...))
	p.record.wrong = append(p.record.wrong, Violation{kind, text})
}

// counts are what the clients did, over all of them.
type counts struct {
	acknowledged, unacknowledged, spooled, again, failed atomic.Int64
	received, gaps, connections, refused                 atomic.Int64
}
