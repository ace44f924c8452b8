package loops

// take puts a hand-over into the mailbox; false: it is full. It counts as a row before it
// leaves its sender's books, so that it is never in none. That a stream came is counted beside
// that, on a cache line that this processor has just written to: it contends for nothing more.
func (l *Loop) take(m message) bool {
	l.counts.rows.Add(1)
	m.leave(1)
	if !l.mailbox.TryPush(m) {
		m.leave(-1)
		l.counts.rows.Add(-1)
		return false
	}
	if m.attach != nil {
		l.counts.pushed.Add(1)
	}
	return true
}

// leaves gives what is first in the mailbox. Only the loop itself counts who left.
func (l *Loop) leaves() (m message, ok bool) {
	if m, ok = l.mailbox.Pop(); m.attach != nil {
		l.counts.popped.Add(1)
	}
	return m, ok
}

// HandOvers is how many descriptors wait in mailboxes for their loop: streams, and refused
// requests.
func (g *Group) HandOvers() (n int) {
	for _, l := range g.loops {
		n += l.mailbox.Len()
	}
	return n
}

// StreamHandOvers is how many streams have come into mailboxes since the start, and how many
// have left them; refused requests don't count. Both only grow, and who comes while they are
// added up counts as waiting. Any goroutine may call it.
func (g *Group) StreamHandOvers() (came, left uint64) {
	for _, l := range g.loops {
		left += l.counts.popped.Load()
	}
	for _, l := range g.loops {
		came += l.counts.pushed.Load()
	}
	return came, left
}

// handOvers takes what others left in the mailbox, at most as many as the quantum.
func (l *Loop) handOvers(quantum int) int {
	used := 0
	if l.deferred.len() > 0 {
		used = l.deferredOnes(quantum / 2)
	}
	for ; used < quantum && l.deferred.len() < l.o.MailboxMax; used++ {
		m, ok := l.leaves()
		if !ok {
			break
		}
		if m.attach == nil {
			l.refuse(m.fd, m.answer)
			continue
		}
		if l.tooSoon(m.attach) {
			l.deferred.push(m)
			continue
		}
		l.attach(m.fd, m.attach)
		used += l.looks()
	}
	return used
}

// deferredOnes looks again at streams that came before their place was known.
func (l *Loop) deferredOnes(quantum int) int {
	used := 0
	for n := l.deferred.len(); n > 0 && used < quantum; n-- {
		m := l.deferred.pop()
		used++
		if l.tooSoon(m.attach) {
			l.deferred.push(m)
			continue
		}
		l.attach(m.fd, m.attach)
		used += l.looks()
	}
	return used
}

// looks is what the events that were looked at since it was last asked cost, in writes.
func (l *Loop) looks() int {
	n := l.looked / skippedRows
	l.looked %= skippedRows
	return n
}

// enter gives a descriptor its row; 0: there was no room or epoll refused it, and the
// descriptor is closed behind the answer.
func (l *Loop) enter(fd int, s state, answer []byte) uint32 {
	slot := l.table.take()
	if slot == 0 {
		l.turnAway(fd, answer)
		return 0
	}
	if err := l.poll.Add(fd, l.table.token(slot)); err != nil {
		l.o.Log.Error("a connection could not be watched", "loop", l.id, "error", err)
		l.table.put(slot)
		l.turnAway(fd, answer)
		return 0
	}
	r := &l.table.rows[slot]
	r.fd, r.state = int32(fd), s
	r.since, r.quiet = l.tick, l.tick
	l.wheel.add(slot, l.due(slot))
	return slot
}

// turnAway answers a client that cannot have a row. What it has sent is read, once, or
// closing would reset the connection and destroy the answer.
func (l *Loop) turnAway(fd int, answer []byte) {
	l.counts.closed[ReasonTable].Add(1)
	_, _ = l.net.Read(fd, l.scratch)
	_, _ = l.net.Write(fd, answer)
	_ = l.net.Close(fd)
	l.counts.rows.Add(-1)
}

// refuse answers and lingers.
func (l *Loop) refuse(fd int, answer []byte) {
	slot := l.enter(fd, stateLingering, answer)
	if slot == 0 {
		return
	}
	if l.table.pin(l.table.sideOf(slot), answer) {
		l.enqueue(slot)
		return
	}
	l.close(slot, ReasonPins)
}
