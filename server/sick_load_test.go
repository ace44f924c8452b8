package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/server"
)

// A patient is a node whose Redis fails, with publishers and a reader of its own.
type patient struct {
	*node
	name       string
	publishers []*publisher
	reader     *sickReader
	log        *transitions
}

// transitions is a log's handler that keeps what the channel went through.
type transitions struct {
	mu   sync.Mutex
	list []transition
}

type transition struct {
	at              time.Time
	from, to, cause string
}

func (l *transitions) Enabled(context.Context, slog.Level) bool { return true }
func (l *transitions) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *transitions) WithGroup(string) slog.Handler            { return l }

func (l *transitions) Handle(_ context.Context, r slog.Record) error {
	x, scope := transition{at: r.Time}, ""
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "scope":
			scope = a.Value.String()
		case "from":
			x.from = a.Value.String()
		case "to":
			x.to = a.Value.String()
		case "cause":
			x.cause = a.Value.String()
		}
		return true
	})
	if r.Message == "a breaker changed" && scope == "redis" {
		l.mu.Lock()
		l.list = append(l.list, x)
		l.mu.Unlock()
	}
	return nil
}

// admitPatient starts a node.
func admitPatient(t *testing.T, o server.Options) *patient {
	t.Helper()
	p := &patient{name: "plain", log: &transitions{}}
	if o.Spool != "" {
		p.name = "spool"
	}
	s, err := server.New(o, slog.New(p.log))
	if err != nil {
		t.Fatal(err)
	}
	p.node = &node{Server: s, t: t}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	t.Cleanup(func() {
		p.end()
		if err := within(served); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return p
}

// sickPublishers is how many publish to a node, each one event after the other.
const sickPublishers = 3

// read starts the reader.
func (n *patient) read() {
	n.reader = &sickReader{stream: n.subscribe("topic=a"), at: map[string]int{}}
	n.reader.t = n.t
	go n.reader.run()
}

// begin starts the load.
func (n *patient) begin() {
	for i := range sickPublishers {
		p := &publisher{name: fmt.Sprint(n.name, i), wire: n.dial(), stop: make(chan struct{}), done: make(chan struct{})}
		n.publishers = append(n.publishers, p)
		go p.run()
	}
}

func (n *patient) changes() []transition {
	n.log.mu.Lock()
	defer n.log.mu.Unlock()
	return slices.Clone(n.log.list)
}

// passed says whether the channel went through these states, in this order, since a time;
// it may have been in the first one already.
func (n *patient) passed(since time.Time, states ...string) bool {
	before := "healthy"
	for _, x := range n.changes() {
		switch {
		case len(states) == 0:
			return true
		case !x.at.After(since):
			before = x.to
			continue
		case before == states[0]:
			states = states[1:]
		}
		before = ""
		if len(states) > 0 && x.to == states[0] {
			states = states[1:]
		}
	}
	return len(states) == 0 || len(states) == 1 && before == states[0]
}

// reached is when the channel was in a state first, after a time.
func (n *patient) reached(since time.Time, state string) time.Duration {
	for _, x := range n.changes() {
		if x.at.After(since) && x.to == state {
			return x.at.Sub(since)
		}
	}
	return -1
}

// checkPath: nothing is isolated that was not degraded before, and what was isolated is
// healthy next.
func (n *patient) checkPath(since time.Time) {
	for _, x := range n.changes() {
		if x.to == "isolated" && x.from != "degraded" || x.from == "isolated" && x.to != "healthy" {
			n.t.Errorf("%s: from %s to %s", n.name, x.from, x.to)
		}
		if x.at.After(since) && x.to != "healthy" && x.cause == "" {
			n.t.Errorf("%s: %s without a cause", n.name, x.to)
		}
	}
}

// An outcome is how one try of a publish was answered.
type outcome struct {
	at     time.Time
	status int
}

// A publisher publishes its numbers, each with a key, until it is acknowledged.
type publisher struct {
	*wire
	name string
	stop chan struct{}
	done chan struct{}

	mu       sync.Mutex // guards the rest
	outcomes []outcome
	acked    int
	wrong    string
}

// Times of a publisher.
const (
	sickPause = 4 * time.Millisecond  // between two events
	sickRetry = 10 * time.Millisecond // before the same event again
)

func (p *publisher) run() {
	defer close(p.done)
	for n := 0; ; n++ {
		for {
			status, err := p.try(n)
			p.mu.Lock()
			p.outcomes = append(p.outcomes, outcome{time.Now(), status})
			if err != nil {
				p.wrong = err.Error()
			}
			ok := status == 200 || status == 202
			if ok {
				p.acked++
			}
			p.mu.Unlock()
			if err != nil {
				return
			}
			if ok {
				break
			}
			time.Sleep(sickRetry)
		}
		select {
		case <-p.stop:
			return
		case <-time.After(sickPause):
		}
	}
}

// try publishes one number once.
func (p *publisher) try(n int) (int, error) {
	p.extend()
	body := fmt.Sprint(p.name, " ", n)
	_, err := fmt.Fprintf(p.TCPConn, "POST /publish?topic=a HTTP/1.1\r\nHost: t\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s",
		strings.ReplaceAll(body, " ", "-"), len(body), body)
	if err != nil {
		return 0, err
	}
	a, err := http.ReadResponse(p.r, &http.Request{Method: "POST"})
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode != 200 && a.StatusCode != 202 && a.StatusCode != 503 {
		err = fmt.Errorf("answered %d %s", a.StatusCode, text)
	}
	return a.StatusCode, err
}

// end lets it finish its event.
func (p *publisher) end() {
	close(p.stop)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Errorf("%s does not get rid of its event", p.name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wrong != "" {
		p.t.Errorf("%s: %s", p.name, p.wrong)
	}
}

// all are the outcomes of a node's publishers, in order.
func (n *patient) all() []outcome {
	var all []outcome
	for _, p := range n.publishers {
		p.mu.Lock()
		all = append(all, p.outcomes...)
		p.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b outcome) int { return a.at.Compare(b.at) })
	return all
}

// calmTries is how many publishes in a row must be stored at once before all is well.
const calmTries = 100

// isCalm says whether the last publishes were all stored at once.
func (n *patient) isCalm() bool {
	all := n.all()
	return len(all) >= calmTries && !slices.ContainsFunc(all[len(all)-calmTries:], func(o outcome) bool { return o.status != 200 })
}

// row is what the node went through.
func (n *patient) row(w *ward) string {
	ms := func(d time.Duration) string {
		if d < 0 {
			return "-"
		}
		return d.Round(time.Millisecond).String()
	}
	first, again, last := time.Duration(-1), time.Duration(-1), time.Duration(-1)
	counts := map[int]int{}
	for _, o := range n.all() {
		counts[o.status]++
		switch {
		case o.status != 200 && first < 0 && o.at.After(w.failed):
			first = o.at.Sub(w.failed)
		case o.status == 200 && again < 0 && o.at.After(w.well):
			again = o.at.Sub(w.well)
		}
		if o.status != 200 && o.at.After(w.well) {
			last = o.at.Sub(w.well)
		}
	}
	return strings.Join([]string{n.name, ms(first), ms(n.reached(w.failed, "degraded")), ms(n.reached(w.failed, "isolated")),
		"|", ms(n.reached(w.well, "healthy")), ms(again), ms(last), "|",
		fmt.Sprint(counts[200]), fmt.Sprint(counts[202]), fmt.Sprint(counts[503]), fmt.Sprintf("%d +%d", w.before, w.most-w.before)}, "\t")
}

// A sickReader keeps how far it has come with each publisher.
type sickReader struct {
	*stream

	mu    sync.Mutex // guards the rest
	at    map[string]int
	first string
	wrong []string
}

func (r *sickReader) run() {
	for {
		r.extend()
		b, err := r.tryBlock()
		if err != nil {
			r.note("the stream ended: " + err.Error())
			return
		}
		id, data, is := sickEvent(b)
		if !is {
			continue
		}
		var name string
		var n int
		if _, err := fmt.Sscan(data, &name, &n); err != nil {
			r.note("this came: " + b)
			continue
		}
		r.mu.Lock()
		if r.first == "" {
			r.first = id
		}
		if want := r.at[name]; n != want {
			r.wrong = append(r.wrong, fmt.Sprintf("%s: %d came, %d should have", name, n, want))
		}
		r.at[name] = n + 1
		r.mu.Unlock()
	}
}

// sickEvent takes a block apart; false: it is a heartbeat.
func sickEvent(block string) (id, data string, is bool) {
	for line := range strings.SplitSeq(block, "\n") {
		switch field, value, _ := strings.Cut(line, ": "); field {
		case "id":
			id = value
		case "data":
			data, is = value, true
		}
	}
	return id, data, is
}

func (r *sickReader) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, what)
}

func (r *sickReader) firstID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first
}

// hasAll waits until everything acknowledged has come, and looks whether all was in order.
func (r *sickReader) hasAll(publishers []*publisher) {
	r.t.Helper()
	for _, p := range publishers {
		end := time.Now().Add(patience)
		for at := -1; at < p.acked; time.Sleep(5 * time.Millisecond) {
			r.mu.Lock()
			at = r.at[p.name]
			r.mu.Unlock()
			if time.Now().After(end) {
				r.t.Fatalf("of %s, %d were acknowledged and %d came", p.name, p.acked, at)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, wrong := range r.wrong {
		if i == 10 {
			r.t.Errorf("and %d more", len(r.wrong)-i)
			break
		}
		r.t.Error(wrong)
	}
	for _, p := range publishers {
		if r.at[p.name] != p.acked {
			r.t.Errorf("of %s, %d were acknowledged and %d came", p.name, p.acked, r.at[p.name])
		}
	}
}
