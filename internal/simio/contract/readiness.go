package contract

import (
	"sync"

	"throng/poller"
)

func addReportsState(r *rig) {
	fd, c := r.watched(7)
	if f := r.await(7, poller.Writable); f&(poller.Hangup|poller.Failed) != 0 {
		r.Errorf("a fresh connection reports %04b", f)
	}
	c.Close()
	r.done(fd)
}

func addIsSilentOnAFreshSocket(r *rig) {
	fd, c := r.Connect()
	r.must("Add", r.Poller.Add(fd, 7))
	r.silent(7, "Writable is not armed")
	r.must("Mod", r.Poller.Mod(fd, 7))
	r.await(7, poller.Writable)
	c.Close()
	r.done(fd)
}

func addReportsEarlierBytes(r *rig) {
	fd, c := r.Connect()
	c.Send([]byte("early"))
	r.must("Add", r.Poller.Add(fd, 7))
	r.await(7, poller.Readable)
	if got := r.readSome(fd, 7, 5); string(got) != "early" {
		r.Errorf("read %q", got)
	}
	c.Close()
	r.done(fd)
}

func edgeOnlyOnChange(r *rig) {
	fd, c := r.watched(7)
	r.await(7, poller.Writable)
	r.silent(7, "nothing has changed")
	r.writeAll(fd, 7, []byte("hello"))
	r.clientReads(c, []byte("hello"))
	r.silent(7, "no write was refused")
	c.Send([]byte("x"))
	r.await(7, poller.Readable)
	r.silent(7, "the unread byte was reported already")
	r.readSome(fd, 7, 1)
	c.Close()
	r.done(fd)
}

func edgeEveryArrival(r *rig) {
	fd, c := r.watched(7)
	for _, part := range []string{"one", "two", "three"} {
		c.Send([]byte(part))
		r.await(7, poller.Readable) // though the bytes before are still unread
	}
	if got := r.readSome(fd, 7, 11); string(got) != "onetwothree" {
		r.Errorf("read %q", got)
	}
	c.Close()
	r.done(fd)
}

func tokenComesBackWhole(r *rig) {
	// All ones is not among them: an implementation may keep it for its own wake-up.
	tokens := []poller.Token{0, poller.MakeToken(0, 1), poller.MakeToken(1<<32-2, 1<<32-1), poller.MakeToken(1<<31, 1<<31)}
	for _, t := range tokens {
		fd, c := r.watched(t)
		r.await(t, poller.Writable)
		c.Close()
		r.done(fd)
	}
}

func waitFillsNoMore(r *rig) {
	const conns = 20
	var fds []int
	for i := range conns {
		fd, c := r.watched(poller.MakeToken(uint32(i), 1))
		defer c.Close()
		fds = append(fds, fd)
	}
	seen := map[poller.Token]bool{}
	for range waitsMax {
		n, err := r.Poller.Wait(r.events[:3], waitMs)
		r.must("Wait", err)
		if n > 3 {
			r.Fatalf("Wait filled %d of 3", n)
		}
		for _, e := range r.events[:n] {
			seen[e.Token] = true
		}
		if len(seen) == conns {
			break
		}
	}
	if len(seen) != conns {
		r.Errorf("events came for %d of %d descriptors", len(seen), conns)
	}
	for _, fd := range fds {
		r.done(fd)
	}
}

func removeDropsEvents(r *rig) {
	fd, c := r.watched(7)
	c.Send([]byte("unheard"))
	r.must("Remove", r.Poller.Remove(fd))
	for range 5 {
		for _, e := range r.wait(quietMs) {
			if e.Token == 7 {
				r.Fatalf("event %04b after Remove", e.Flags)
			}
		}
	}
	// The bytes are still there for whoever owns the descriptor now.
	r.must("Add", r.Poller.Add(fd, 8))
	if got := r.readSome(fd, 8, 7); string(got) != "unheard" {
		r.Errorf("read %q", got)
	}
	c.Close()
	r.done(fd)
}

func removeThenAdd(r *rig) {
	fd, c := r.watched(7)
	r.must("Remove", r.Poller.Remove(fd))
	r.must("Add", r.Poller.Add(fd, 8))
	c.Send([]byte("x"))
	for range waitsMax {
		for _, e := range r.wait(waitMs) {
			if e.Token == 7 {
				r.Fatal("an event carries the token of the Add before")
			}
			if e.Token == 8 && e.Flags&poller.Readable != 0 {
				r.readSome(fd, 8, 1)
				c.Close()
				r.done(fd)
				return
			}
		}
	}
	r.Fatal("no event for the new token")
}

func reuseOldTokenSilent(r *rig) {
	fd, c := r.watched(7)
	c.Send([]byte("from the old client"))
	r.done(fd)
	next, d := r.watched(8)
	d.Send([]byte("new"))
	for range 5 {
		for _, e := range r.wait(quietMs) {
			if e.Token == 7 {
				r.Fatalf("event %04b for a closed descriptor (%d, now %d)", e.Flags, fd, next)
			}
		}
	}
	if got := r.readSome(next, 8, 3); string(got) != "new" {
		r.Errorf("read %q", got)
	}
	c.Close()
	d.Close()
	r.done(next)
}

func wakeMerges(r *rig) {
	for range 3 {
		r.must("Wake", r.Poller.Wake())
	}
	if ev := r.wait(-1); len(ev) != 0 { // would never return without the wake
		r.Errorf("a Wake alone gave %d events", len(ev))
	}
	if ev := r.wait(0); len(ev) != 0 {
		r.Errorf("%d events without a cause", len(ev))
	}
	r.must("Wake", r.Poller.Wake())
	r.wait(-1)
}

func wakeFromOther(r *rig) {
	var other sync.WaitGroup
	for range 10 {
		other.Go(func() {
			if err := r.Poller.Wake(); err != nil {
				r.Errorf("Wake: %v", err)
			}
		})
		r.wait(-1)
		other.Wait()
	}
}

func wakeHidesNothing(r *rig) {
	fd, c := r.watched(7)
	r.must("Wake", r.Poller.Wake())
	r.await(7, poller.Writable)
	c.Send([]byte("x"))
	r.must("Wake", r.Poller.Wake())
	r.await(7, poller.Readable)
	r.readSome(fd, 7, 1)
	c.Close()
	r.done(fd)
}
