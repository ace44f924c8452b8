package server

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"throng/replay"
	"throng/sse"
)

// stalled is a namespace whose loops do nothing but when the test turns them, under virtual
// time.
type stalled struct {
	*namespace
	t   *testing.T
	srv *Server
}

// shareFew is how many entries its share of the ring takes.
const shareFew = 4

func stall(t *testing.T, policy string, set func(*Options), run func(*stalled)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := Defaults()
		o.Listen, o.Admin, o.Loops = "127.0.0.1:0", "", 2
		o.RingEvents, o.NamespaceRingShare, o.MailboxPublishMax = 64, shareFew, 8
		o.QueuePolicies = []string{"other=block", "a=" + policy}
		if set != nil {
			set(&o)
		}
		srv, err := New(o, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer srv.release()
		n, err := srv.hub.acquire("a", true)
		if err != nil {
			t.Fatal(err)
		}
		s := &stalled{namespace: n, t: t, srv: srv}
		run(s)
		s.turn()
		srv.hub.background.Wait()
		if len(n.line.waiting) > 0 || n.line.events != 0 || n.committing.Load() || n.mailbox.Len() > 0 {
			t.Errorf("left behind: %d publishes with %d events, committing %t", len(n.line.waiting), n.line.events, n.committing.Load())
		}
	})
}

// turn lets the loops take what is in the ring.
func (s *stalled) turn() {
	for _, l := range s.srv.group.Loops() {
		l.Turn(0)
	}
}

// asked is a publish of one event on a goroutine of its own.
type asked struct {
	record replay.Record
	err    error
	took   time.Duration
	done   atomic.Bool // what is above is known
}

func (a *asked) code() string {
	if !a.done.Load() {
		return "waits"
	}
	err := a.err
	if err == nil {
		err = a.record.Err
	}
	if err == nil {
		return "stored"
	}
	if refused := queueRefusal(err); refused != nil {
		return refused.code
	}
	return err.Error()
}

// ask publishes data to topics, and gives a moment to it.
func (s *stalled) ask(topics, data string, rank priority, key string) *asked {
	a := &asked{}
	e := &sse.Event{Topics: strings.Split(topics, " "), Data: []byte(data)}
	begun := time.Now()
	go func() {
		defer a.done.Store(true)
		defer func() { a.took = time.Since(begun) }()
		records := []replay.Record{recordOf(e, key)}
		done, err := s.publishNow(records, rank)
		if done {
			a.record, a.err = records[0], err
			return
		}
		p := s.hub.pendingFor(1)
		p.add(recordOf(e, key), rank)
		owned, err := s.publish(p)
		a.err = err
		if owned {
			a.record = p.records[0]
			s.hub.recycle(p)
		}
	}()
	synctest.Wait()
	return a
}

// fill takes all the room there is.
func (s *stalled) fill() {
	for i := range shareFew {
		if a := s.ask("fill", fmt.Sprint(i), priorityNormal, ""); a.code() != "stored" {
			s.t.Fatalf("event %d of the share: %s", i, a.code())
		}
	}
}

// stored is the data of what the log has, but for what filled the ring.
func (s *stalled) stored() []string {
	var data []string
	events := make([]*sse.Event, 256)
	n, err := s.Log.After(s.t.Context(), s.Log.First(), s.Log.Last(), events)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events[:n] {
		if e.Topics[0] != "fill" {
			data = append(data, string(e.Data))
		}
	}
	return data
}

func (s *stalled) want(what string, got []*asked, codes ...string) {
	s.t.Helper()
	all := make([]string, len(got))
	for i, a := range got {
		all[i] = a.code()
	}
	if !slices.Equal(all, codes) {
		s.t.Errorf("%s: %v, want %v", what, all, codes)
	}
}

func (s *stalled) wantStored(data ...string) {
	s.t.Helper()
	if got := s.stored(); !slices.Equal(got, data) {
		s.t.Errorf("the log has %v, want %v", got, data)
	}
}

// wantShed checks the events counted by reason.
func (s *stalled) wantShed(reason int, events uint64) {
	s.t.Helper()
	if got := s.hub.table.Shed[reason].Value(); got != events {
		s.t.Errorf("%d events are counted as %s, want %d", got, shedReasons[reason], events)
	}
}

// wait lets some time go by, and what is due then happen.
func (s *stalled) wait(d time.Duration) {
	time.Sleep(d + time.Microsecond)
	synctest.Wait()
}

func TestQueueBlock_WaitsForRoomInOrder(t *testing.T) {
	stall(t, "block", nil, func(s *stalled) {
		s.fill()
		var all []*asked
		for i := range 3 {
			all = append(all, s.ask("x", fmt.Sprint(i), priorityLow, ""))
		}
		s.want("without room", all, "waits", "waits", "waits")
		s.wait(time.Second)
		s.want("a second later", all, "waits", "waits", "waits")
		s.turn()
		s.wait(lineLook)
		s.want("with room", all, "stored", "stored", "stored")
		s.wantStored("0", "1", "2")
	})
}

func TestQueueBlock_RefusesAfterItsTime(t *testing.T) {
	stall(t, "block", nil, func(s *stalled) {
		s.fill()
		first := s.ask("x", "first", priorityHigh, "key")
		s.wait(time.Second)
		second := s.ask("x", "second", priorityNormal, "")
		s.wait(s.hub.o.PublishTimeout - time.Second)
		s.want("after the time of the first", []*asked{first, second}, "overloaded", "waits")
		if first.took != s.hub.o.PublishTimeout {
			t.Errorf("it was refused after %v", first.took)
		}
		s.wait(time.Second)
		s.want("after that of both", []*asked{first, second}, "overloaded", "overloaded")
		s.wantShed(shedQueueTimeout, 2)
		s.turn()
		again := s.ask("x", "first", priorityNormal, "key")
		if again.code() != "stored" || again.record.Duplicate {
			t.Errorf("the key of what was not stored is known: %s", again.code())
		}
		s.wantStored("first")
	})
}

// What waits is bounded: the line, and as many at its door while the committer is away.
func TestQueueBlock_MailboxIsTheBound(t *testing.T) {
	stall(t, "block", nil, func(s *stalled) {
		s.fill()
		var all []*asked
		for i := range 40 {
			all = append(all, s.ask("x", fmt.Sprint(i), priorityNormal, ""))
		}
		waiting := slices.IndexFunc(all, func(a *asked) bool { return a.code() != "waits" })
		if most := 2 * s.hub.o.MailboxPublishMax; waiting > most || waiting < s.hub.o.MailboxPublishMax {
			t.Errorf("%d publishes wait", waiting)
		}
		for _, a := range all[waiting:] {
			if a.code() != "overloaded" || a.took != 0 {
				t.Errorf("%s after %v", a.code(), a.took)
			}
		}
		s.wantShed(shedQueueRefused, uint64(len(all)-waiting))
		for range 10 {
			s.turn()
			s.wait(lineLook)
		}
		if got := s.stored(); len(got) != waiting {
			t.Errorf("%d are stored, %d waited", len(got), waiting)
		}
	})
}

func TestQueueRefuse_AnswersAtOnce(t *testing.T) {
	stall(t, "refuse", nil, func(s *stalled) {
		s.fill()
		all := []*asked{s.ask("x", "0", priorityHigh, "k"), s.ask("x", "1", priorityLow, "")}
		s.want("without room", all, "queue_full", "queue_full")
		s.wantShed(shedQueueRefused, 2)
		s.turn()
		s.want("with room", []*asked{s.ask("x", "2", priorityNormal, "k")}, "stored")
		s.wantStored("2")
	})
}

// Five refusals in a row open the breaker. Then every namespace may have little on its way,
// and its publishers wait for less long.
func TestQueueRefuse_OpensTheBreaker(t *testing.T) {
	stall(t, "refuse", nil, func(s *stalled) {
		s.fill()
		for i := range 4 {
			s.want(fmt.Sprint("refusal ", i), []*asked{s.ask("x", "0", priorityNormal, "")}, "queue_full")
			s.wait(s.hub.queue.apart)
		}
		if s.hub.queue.shut() {
			t.Fatal("open after four refusals")
		}
		s.ask("x", "0", priorityNormal, "")
		if !s.hub.queue.open() {
			t.Fatal("closed after five refusals")
		}
		other, err := s.hub.acquire("other", true)
		if err != nil {
			t.Fatal(err)
		}
		o := &stalled{namespace: other, t: t, srv: s.srv}
		o.want("in another namespace", []*asked{o.ask("x", "0", priorityNormal, "")}, "stored")
		patient := o.ask("x", "1", priorityNormal, "")
		o.wait(s.hub.queue.wait)
		o.want("in another namespace", []*asked{patient}, "overloaded")
		if patient.took != s.hub.queue.wait {
			t.Errorf("it waited for %v", patient.took)
		}
		s.turn()
		o.wait(s.hub.o.QueueOpen)
		for i := range s.hub.o.QueueProbes {
			o.want(fmt.Sprint("probe ", i), []*asked{o.ask("x", fmt.Sprint("probe ", i), priorityNormal, "")}, "stored")
			s.turn()
		}
		if s.hub.queue.shut() {
			t.Error("not closed after the probes were good")
		}
		s.want("closed", []*asked{s.ask("x", "2", priorityNormal, "")}, "stored")
	})
}
