package replay

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throng/internal/redisproc"
	"throng/sse"
)

// ackedOf is the highest ID that was acknowledged.
func ackedOf(l *redisLog) sse.ID {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.acked
}

// A hookFeed calls hook before the next Deliver, once.
type hookFeed struct {
	*testFeed
	mu   sync.Mutex
	hook func()
}

func newHookFeed(s *Redis) *hookFeed {
	f := &hookFeed{testFeed: newTestFeed(s)}
	s.Feed(f)
	return f
}

// next sets the hook.
func (f *hookFeed) next(hook func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Deliver implements Feed.
func (f *hookFeed) Deliver(ns string, events []*sse.Event) {
	f.mu.Lock()
	hook := f.hook
	f.hook = nil
	f.mu.Unlock()
	if hook != nil {
		hook()
	}
	f.testFeed.Deliver(ns, events)
}

// TestRedis_TrimmedWhileTailLags tells one gap when a tail that had no room, or was just
// slower than the publishers, finds only the end of what it had yet to read; and none when
// it finds all of it, though older events were trimmed.
func TestRedis_TrimmedWhileTailLags(t *testing.T) {
	srv := startRedis(t, redisproc.Options{Config: []string{"stream-node-max-entries 10"}})
	for _, many := range []bool{false, true} { // one XREAD for all, or one each
		s := newRedis(t, "redis://"+srv.Addr, func(o *RedisOptions) { o.EventsMax = 100 })
		f := newHookFeed(s)
		name := fmt.Sprint("many ", many, " ")
		if many {
			for i := range tailBlockKeys {
				mustFollow(t, s, fmt.Sprint("other", i))
			}
		}
		for how, lag := range map[string]func(ns string, l *redisLog){
			"no room": func(ns string, l *redisLog) {
				f.setFull(ns, true)
				mustAppend(t, l, 10) // a read under way may still bring these
				for range 10 {
					mustAppend(t, l, 100)
				}
				f.setFull(ns, false)
			},
			"slow": func(_ string, l *redisLog) {
				var over atomic.Bool
				f.next(func() {
					defer over.Store(true)
					for range 10 {
						mustAppend(t, l, 100)
					}
				})
				mustAppend(t, l, 10)
				f.wait(t, "the slow delivery", over.Load)
			},
		} {
			ns := name + how
			l := mustFollow(t, s, ns)
			mustAppend(t, l, 3)
			f.waitCount(t, ns, 3)
			lag(ns, l)
			var got []*sse.Event
			f.wait(t, "the last event of "+ns, func() bool {
				got = f.of(ns)
				return got[len(got)-1].ID == ackedOf(l)
			})
			if n := len(gapsOf(got)); n != 1 || len(got) < 100 || len(got) > 1012 {
				t.Errorf("%s: 1013 events were appended, %d and %d gaps were delivered", ns, len(got)-n, n)
			}
			wantRising(t, got)
			before := len(got)
			f.setFull(ns, true)
			mustAppend(t, l, 90)
			f.setFull(ns, false)
			if got = f.waitCount(t, ns, before+90); len(gapsOf(got)) != 1 {
				t.Errorf("%s: another gap was told, though nothing was lost", ns)
			}
		}
	}
}

// TestStreamInfo_Missed: a tail is at 5-0, and read three entries before the state was told.
func TestStreamInfo_Missed(t *testing.T) {
	id := func(n uint64) sse.ID { return sse.ID{Major: n} }
	for name, c := range map[string]struct {
		info  streamInfo
		added int64
		read  int
		want  bool
	}{
		"nothing new":                     {streamInfo{last: id(5), added: 5}, 5, 0, false},
		"held from before":                {streamInfo{first: id(4), last: id(8), added: 9, length: 5}, 5, 0, false},
		"held from right behind":          {streamInfo{first: sse.ID{Major: 5, Minor: 1}, last: id(8), added: 12, length: 3}, 5, 0, false},
		"all that came is held":           {streamInfo{first: id(6), last: id(8), added: 8, length: 3}, 5, 0, false},
		"one is not":                      {streamInfo{first: id(7), last: id(9), added: 9, length: 3}, 5, 0, true},
		"it was read before":              {streamInfo{first: id(7), last: id(9), added: 9, length: 3}, 5, 1, false},
		"all were read before":            {streamInfo{last: id(8), added: 8}, 5, 3, false},
		"none is held, and one not read":  {streamInfo{last: id(9), added: 9}, 5, 3, true},
		"not known":                       {streamInfo{first: id(6), last: id(8), added: 8, length: 3}, -1, 0, true},
		"not known, nothing ever removed": {streamInfo{first: id(6), last: id(8), added: 3, length: 3, whole: true}, -1, 0, false},
		"a new stream":                    {streamInfo{first: id(9), last: id(9), added: 2, length: 1}, 5, 0, true},
	} {
		if got := c.info.missed(id(5), c.added, c.read); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// asked says whether room was asked for in vain.
func (f *testFeed) asked(ns string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.vain[ns] > 0
}

// TestRedis_TrimmedToNothing tells a gap at once, though there is nothing left to read.
func TestRedis_TrimmedToNothing(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newHookFeed(s)
	l := mustFollow(t, s, "a")
	f.next(func() { f.setFull("a", true) })
	mustAppend(t, l, 1)
	f.waitCount(t, "a", 1)
	f.wait(t, "the tail that finds no room", func() bool { return f.asked("a") })
	last := mustAppend(t, l, 3)[2].Event.ID
	do(t, srv, "XTRIM", "throng:{a}", "MAXLEN", "0")
	f.setFull("a", false)
	f.wait(t, "the gap", func() bool { return len(gapsOf(f.of("a"))) == 1 && l.Last() == last })
}

// TestRedis_AppendDuringFollow delivers what is appended while the position of a namespace
// is being delivered: the tail goes on from that position and no later one.
func TestRedis_AppendDuringFollow(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newHookFeed(s)
	l := mustOpen(t, s, "a").(*redisLog)
	mustAppend(t, l, 3)
	f.next(func() { mustAppend(t, l, 1) })
	mustFollow(t, s, "a")
	mustAppend(t, l, 1)
	f.wait(t, "the last event", func() bool { return l.Last() == ackedOf(l) })
	if n := len(f.of("a")); n != 2 {
		t.Errorf("%d of 2 events delivered", n)
	}
}

// TestRedis_HoleKeepsHistory gives all that is held below an entry that was removed by name,
// then one gap, then the rest.
func TestRedis_HoleKeepsHistory(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	l := mustOpen(t, s, "a").(*redisLog)
	batch := mustAppend(t, l, 600)
	do(t, srv, "XDEL", "throng:{a}", batch[559].Event.ID.String())
	for from, want := range map[sse.ID]int{batch[9].Event.ID: 589, l.First(): 599, redisStart: 599} {
		var got []sse.ID
		gaps := 0
		page := make([]*sse.Event, 100)
		for at := from; at.Less(l.Last()); {
			n, err := l.After(t.Context(), at, l.Last(), page)
			var gone *GoneError
			switch {
			case errors.As(err, &gone) && at.Less(gone.Resume):
				if gaps++; len(got) > 0 && got[len(got)-1] != batch[558].Event.ID {
					t.Errorf("from %v: the gap was told behind %v", from, at)
				}
				at = gone.Resume
				continue
			case err != nil || n == 0:
				t.Fatalf("After(%v) = %d, %v", at, n, err)
			}
			for _, e := range page[:n] {
				got = append(got, e.ID)
			}
			at = page[n-1].ID
		}
		if len(got) != want || gaps < 1 || gaps > 2 {
			t.Errorf("from %v: %d events and %d gaps, want %d and 1", from, len(got), gaps, want)
		}
	}
	if _, err := l.After(t.Context(), batch[9].Event.ID, batch[9].Event.ID, nil); err != nil {
		t.Errorf("an ID below what is held: %v", err)
	}
	if _, err := l.After(t.Context(), batch[558].Event.ID, batch[558].Event.ID, nil); !errors.Is(err, ErrGone) {
		t.Errorf("the ID before the hole: %v", err)
	}
}

// TestRedis_LargePages bounds the bytes of a page, since publishers wait behind it, and asks
// for less after a page that took too long, which says nothing of Redis.
func TestRedis_LargePages(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	l := mustOpen(t, s, "a").(*redisLog)
	batch := newBatch(100)
	for i := range batch {
		batch[i].Event.Data = []byte(strings.Repeat("x", 1<<16))
	}
	if err := l.Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	page := make([]*sse.Event, 256)
	for i, most := range []int{2 * redisPageBytes, redisPageBytes} {
		n, err := l.After(t.Context(), batch[9].Event.ID, l.Last(), page)
		if err != nil || n == 0 || n*len(batch[0].Event.Data) > most {
			t.Errorf("page %d: %d events, %v", i, n, err)
		}
	}
	large := l.entryBytes.Load()
	if err := srv.Pause(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.After(t.Context(), batch[9].Event.ID, l.Last(), page); !isUnavailable(err, reasonAnswerLost) {
		t.Errorf("while it is paused: %v", err)
	}
	if err := srv.Resume(); err != nil {
		t.Fatal(err)
	}
	if now := l.entryBytes.Load(); now <= large {
		t.Errorf("entries are taken for %d bytes, and for %d before a page that did not come", now, large)
	}
	waitFor(t, "a page", func() bool {
		n, err := l.After(t.Context(), batch[9].Event.ID, l.Last(), page)
		return err == nil && n > 0
	})
}

// TestRedis_PagesInOrder sends nothing behind a page of which nothing was taken.
func TestRedis_PagesInOrder(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, func(o *RedisOptions) { o.Timeout = 100 * time.Millisecond })
	l := mustOpen(t, s, "a")
	if err := srv.Pause(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.Resume(); err != nil {
			t.Error(err)
		}
	}()
	batch := newBatch(redisBatchMax + 1)
	if err := l.Append(t.Context(), batch); !isUnavailable(err, reasonAnswerLost) || surelyNotStored(batch[0].Err) || !surelyNotStored(batch[redisBatchMax].Err) {
		t.Errorf("Append: %v; the second page: %v", err, batch[redisBatchMax].Err)
	}
}

// TestRedis_RisesAboveAcked does not acknowledge an ID below one that was acknowledged, also
// when the tail has not come so far.
func TestRedis_RisesAboveAcked(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newTestFeed(s)
	l := mustFollow(t, s, "a")
	tail := &l.shard.Load().tail
	waitFor(t, "the tail to wait for news", func() bool { return !tail.lags(l.key) })
	f.setFull("a", true)
	mustAppend(t, l, 1) // ends the XREAD under way
	waitFor(t, "the tail to find no room", func() bool { return tail.lags(l.key) })
	do(t, srv, "XADD", "throng:{a}", fmt.Sprintf("%d-0", time.Now().Add(time.Hour).UnixMilli()), "t", "x", "d", "")
	one := mustAppend(t, l, 1)[0].Event.ID
	do(t, srv, "DEL", "throng:{a}") // as a failover to a server that had none of it, whose clock is right
	if err := l.Append(t.Context(), newBatch(1)); !isUnavailable(err, reasonBehind) || surelyNotStored(err) {
		t.Errorf("Append: %v; surely not stored: %v", err, surelyNotStored(err))
	}
	if two := mustAppend(t, l, 1)[0].Event.ID; !one.Less(two) {
		t.Errorf("acknowledged %v, then %v", one, two)
	}
}

// TestRedis_ScriptForgotten keeps the order of a batch when Redis has forgotten the script.
func TestRedis_ScriptForgotten(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	l := mustOpen(t, s, "a")
	for n := range 3 {
		batch := newBatch(4)
		batch[0].Key, batch[2].Key = fmt.Sprint("k", n), fmt.Sprint("l", n)
		if n == 2 {
			batch = batch[:1] // alone it is sent again
		}
		if err := l.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(batch); i++ {
			if !batch[i-1].Event.ID.Less(batch[i].Event.ID) {
				t.Errorf("batch %d: %v, then %v", n, batch[i-1].Event.ID, batch[i].Event.ID)
			}
		}
		do(t, srv, "SCRIPT", "FLUSH")
	}
}

// TestRedis_UnfollowWhileMoving leaves nothing behind in the tail that the namespace moved to
// while a Deliver was waited for.
func TestRedis_UnfollowWhileMoving(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newHookFeed(s)
	l := mustFollow(t, s, "a")
	from := l.shard.Load()
	inside := make(chan struct{})
	to := newRedisShard(s, srv.Addr)
	f.next(func() {
		close(inside)
		waitFor(t, "Unfollow to leave", func() bool { return !from.tail.has("throng:{a}") })
		s.mu.Lock()
		s.routes.shards = map[string]*redisShard{strings.ToUpper(srv.Addr): to}
		l.move(to)
		s.mu.Unlock()
	})
	mustAppend(t, l, 1)
	<-inside
	l.Unfollow() // waits for the Deliver
	from.retire()
	if to.tail.has("throng:{a}") {
		t.Error("it is still read, though nobody follows it")
	}
}

// lags tells whether a followed stream may have something that was not read.
func (t *redisTail) lags(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.set[key].lagging
}

// has tells whether a stream is followed.
func (t *redisTail) has(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.set[key] != nil
}
