package server_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/server"
)

// queueNamespaces are one for each policy, and what each may tell its publishers while the
// ring has no room.
var queueNamespaces = map[string]string{
	"block": "overloaded", "shed": "overloaded shed", "shed-oldest": "overloaded shed", "conflate": "overloaded conflated", "refuse": "overloaded queue_full",
}

// told is an event that was published: where, which, and what its publisher was told.
type told struct {
	ns, data, id, code string
}

// pressers publish at random, and remember every answer.
type pressers struct {
	t    *testing.T
	mu   sync.Mutex
	told []told
}

// presser is one of them: it has a connection, and numbers its events.
type presser struct {
	*pressers
	w      *wire
	r      *rand.Rand
	name   int
	number int
}

func (p *presser) event() string {
	p.number++
	return fmt.Sprintf("%d %d", p.name, p.number)
}

func (p *presser) remember(ns, data, id, code string) {
	if code != "" && !slices.Contains(strings.Fields(queueNamespaces[ns]), code) {
		p.t.Errorf("in %s an event was answered %s", ns, code)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, told{ns, data, id, code})
}

var priorities = []string{"low", "normal", "high"}

// one publishes one event; again: as a retry of one that was stored, with its key.
func (p *presser) one(ns string) {
	data, key := p.event(), ""
	var fields []string
	if p.r.IntN(4) == 0 {
		key = fmt.Sprintf("%d-%d", p.name, p.number)
		fields = append(fields, "Idempotency-Key: "+key)
	}
	request := post(fmt.Sprintf("topic=t/%d&ns=%s&priority=%s", p.r.IntN(4), ns, priorities[p.r.IntN(3)]), data, fields...)
	id := ""
	for tries := 1 + p.r.IntN(2); tries > 0; tries-- {
		a, ok := p.ask(request)
		if !ok {
			return
		}
		var v struct{ ID, Code string }
		if err := json.Unmarshal([]byte(a.body), &v); err != nil || (a.StatusCode == 200) != (v.ID != "") {
			p.t.Errorf("%s %s: %v", a.Status, a.body, err)
		}
		switch {
		case id != "" && v.ID != "" && v.ID != id:
			p.t.Errorf("a retry of %s was told %s", id, v.ID)
		case id == "" || v.ID == "":
			p.remember(ns, data, v.ID, v.Code)
		}
		id = v.ID
		if key == "" || id == "" {
			return
		}
	}
}

func (p *presser) batch(ns string) {
	var data []string
	var body strings.Builder
	for range 1 + p.r.IntN(8) {
		data = append(data, p.event())
		fmt.Fprintf(&body, "{\"topic\":\"t/%d\",\"data\":\"%s\",\"priority\":\"%s\"}\n", p.r.IntN(4), data[len(data)-1], priorities[p.r.IntN(3)])
	}
	a, ok := p.ask(post("ns="+ns, body.String(), "Content-Type: application/x-ndjson"))
	if !ok {
		return
	}
	lines := strings.Split(strings.TrimSuffix(a.body, "\n"), "\n")
	if a.StatusCode != 200 || len(lines) != len(data) {
		p.t.Errorf("%s: %d lines of %d were answered: %s", a.Status, len(lines), len(data), a.body)
		return
	}
	for i, line := range lines {
		var v struct {
			ID    string
			Error struct{ Code string }
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil || (v.ID == "") == (v.Error.Code == "") {
			p.t.Errorf("line %q: %v", line, err)
		}
		p.remember(ns, data[i], v.ID, v.Error.Code)
	}
}

func (p *presser) ask(request string) (reply, bool) {
	_ = p.w.SetDeadline(time.Now().Add(patience))
	if _, err := p.w.Write([]byte(request)); err != nil {
		p.t.Error(err)
		return reply{}, false
	}
	a, err := p.w.tryAnswer("POST")
	if err != nil {
		p.t.Errorf("publisher %d got no answer: %v", p.name, err)
	}
	return a, err == nil
}

// turnAtRandom lets the loops go on by fits and starts until stop is closed.
func turnAtRandom(n *node, r *rand.Rand, stop chan struct{}) {
	for {
		for range r.IntN(30) {
			n.TurnLoops()
		}
		pause := time.Duration(r.IntN(10)) * time.Millisecond
		if r.IntN(40) == 0 {
			pause = 200 * time.Millisecond
		}
		select {
		case <-stop:
			return
		case <-time.After(pause):
		}
	}
}

// Whatever the load and the policy, each publish gets one answer; what was answered with an
// ID is stored, once and in the order of its publisher, and nothing else is; and what is
// not stored is counted.
func TestQueue_EveryPublishHasOneAnswer(t *testing.T) {
	eachStore(t, func(t *testing.T, store string) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		n := startStalled(t, func(o *server.Options) {
			o.Store, o.RingEvents, o.NamespaceRingShare, o.MailboxPublishMax = store, 64, 8, 4
			o.PublishTimeout, o.QueueWait, o.QueueOpen, o.QueueLag = 100*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond
			for name := range queueNamespaces {
				o.QueuePolicies = append(o.QueuePolicies, name+"="+name)
			}
		})
		c := &pressers{t: t}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			turnAtRandom(n, rand.New(rand.NewPCG(seed, 0)), stop)
		}()
		var names []string
		for name := range queueNamespaces {
			names = append(names, name)
		}
		slices.Sort(names)
		var all sync.WaitGroup
		for i := range 30 {
			p := &presser{pressers: c, w: n.dial(), name: i, r: rand.New(rand.NewPCG(seed, uint64(i+1)))}
			all.Go(func() {
				for range 40 {
					ns := names[p.r.IntN(len(names))]
					if p.r.IntN(3) == 0 {
						p.batch(ns)
					} else {
						p.one(ns)
					}
				}
			})
			t.Cleanup(p.w.alive) // and no second answer was on its way
		}
		all.Wait()
		close(stop)
		<-stopped
		n.Unstall()
		for _, name := range names {
			c.check(n, name)
		}
		c.checkCounts(n)
	})
}

// check holds what a namespace has stored against what its publishers were told.
func (c *pressers) check(n *node, ns string) {
	c.t.Helper()
	want, codes := map[string]string{}, map[string]int{}
	for _, e := range c.told {
		if e.ns == ns {
			codes[e.code]++
		}
		if e.ns == ns && e.id != "" {
			want[e.id] = e.data
		}
	}
	c.t.Logf("%s: %v", ns, codes)
	s := n.subscribe("topic=t/%2B&since=earliest&ns=" + strings.ReplaceAll(ns, "%", ""))
	defer s.Close()
	last := map[string]int{}
	for range len(want) {
		e := s.next()
		if want[e.id] != e.data {
			c.t.Errorf("%s: %s is %q, its publisher was told %q", ns, e.id, e.data, want[e.id])
		}
		var number int
		publisher, rest, _ := strings.Cut(e.data, " ")
		_, _ = fmt.Sscan(rest, &number)
		if number <= last[publisher] {
			c.t.Errorf("%s: of publisher %s, %d came behind %d", ns, publisher, number, last[publisher])
		}
		last[publisher] = number
	}
	mark := n.publish("topic=t/x&ns="+ns, "the mark")
	if e := s.next(); e.id != mark {
		c.t.Errorf("%s: %+v was stored, and nobody was told so", ns, e)
	}
}

// checkCounts: each event that was refused is counted once.
func (c *pressers) checkCounts(n *node) {
	c.t.Helper()
	refused, counted := 0, 0.0
	for _, e := range c.told {
		if e.id == "" {
			refused++
		}
	}
	for name, v := range n.scrape() {
		if strings.HasPrefix(name, `throng_shed_total{reason="queue_`) {
			counted += v
		}
	}
	if float64(refused) != counted || refused == 0 {
		c.t.Errorf("%d events were refused, %v are counted", refused, counted)
	}
}
