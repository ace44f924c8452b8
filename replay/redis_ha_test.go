package replay

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"throng/internal/redisproc"
	"throng/sse"
)

func startReplicated(t *testing.T, sentinels int) *redisproc.Replicated {
	haveRedis(t)
	r, err := redisproc.StartReplicated(t.Context(), redisproc.Options{}, sentinels)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// gapsOf are the gap notices among events.
func gapsOf(events []*sse.Event) (gaps []*sse.Event) {
	for _, e := range events {
		if e.Name == sse.GapName {
			gaps = append(gaps, e)
		}
	}
	return gaps
}

// TestRedis_FailoverLosesWrites kills a master whose replica had not got the last writes.
// Both nodes tell one gap, in the namespace that lost something only, and IDs go on rising.
func TestRedis_FailoverLosesWrites(t *testing.T) {
	r := startReplicated(t, 3)
	url := "redis-sentinel://" + strings.Join(r.SentinelAddrs(), ",") + "/" + redisproc.MasterName
	var nodes [2]*Redis
	var feeds [2]*testFeed
	for i := range nodes {
		nodes[i] = newRedis(t, url, nil)
		feeds[i] = newTestFeed(nodes[i])
		mustFollow(t, nodes[i], "lost")
		mustFollow(t, nodes[i], "kept")
	}
	unread := mustFollow(t, nodes[0], "unread")
	feeds[0].setFull("unread", true)
	lost, kept := mustOpen(t, nodes[0], "lost"), mustOpen(t, nodes[0], "kept")
	mustAppend(t, lost, 10)
	mustAppend(t, kept, 10)
	if err := r.WaitSynced(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Replica.Pause(); err != nil {
		t.Fatal(err)
	}
	do(t, r.Master, "CLIENT", "KILL", "TYPE", "replica") // what is not in its socket by now, it never gets
	batch := mustAppend(t, lost, 5)
	seen := batch[4].Event.ID
	mustAppend(t, unread, 1) // acknowledged, and lost before the tail has read it
	for _, f := range feeds {
		f.waitCount(t, "lost", 15)
		f.waitCount(t, "kept", 10)
	}
	if err := r.Master.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.Replica.Resume(); err != nil {
		t.Fatal(err)
	}
	for i, f := range feeds {
		got := f.waitCount(t, "lost", 16)
		gap := got[15]
		if gap.Name != sse.GapName || gap.ID != seen || !strings.Contains(string(gap.Data), seen.String()) {
			t.Errorf("node %d: %v %q %s, want a gap at %v", i, gap.ID, gap.Name, gap.Data, seen)
		}
	}
	waitFor(t, "publishing", func() bool { return lost.Append(t.Context(), newBatch(1)) == nil })
	mustAppend(t, kept, 1)
	feeds[0].setFull("unread", false)
	waitFor(t, "the gap of what was not read", func() bool { return len(gapsOf(feeds[0].of("unread"))) == 1 })
	mustAppend(t, unread, 1)
	feeds[0].wait(t, "the event after it", func() bool {
		got := feeds[0].of("unread")
		return string(got[len(got)-1].Data) == "0"
	})
	for i, f := range feeds {
		got := f.waitCount(t, "lost", 17)
		if !seen.Less(got[16].ID) {
			t.Errorf("node %d: ID %v after %v", i, got[16].ID, seen)
		}
		if n := len(gapsOf(got)) + len(gapsOf(f.waitCount(t, "kept", 11))); n != 1 {
			t.Errorf("node %d: %d gaps told, want 1", i, n)
		}
		if n := nodes[i].Counts().Gaps; n != uint64(2-i) { // the first node has the unread one too
			t.Errorf("node %d: %d gaps counted", i, n)
		}
	}
	// Who comes back with an ID that was lost, or from before it, is told.
	other := newRedis(t, url, nil)
	for _, id := range []sse.ID{batch[0].Event.ID, batch[3].Event.ID} {
		if _, err := mustOpen(t, other, "lost").After(t.Context(), id, seen, nil); !errors.Is(err, ErrGone) {
			t.Errorf("After(%v): %v", id, err)
		}
	}
}

// TestRedis_FailoverKeepsAll fails over to a replica that has everything: no gap.
func TestRedis_FailoverKeepsAll(t *testing.T) {
	r := startReplicated(t, 1)
	s := newRedis(t, "redis://"+r.SentinelAddrs()[0]+"?sentinel="+redisproc.MasterName, nil)
	f := newTestFeed(s)
	l := mustFollow(t, s, "a")
	mustAppend(t, l, 10)
	mustFollow(t, s, "empty")
	f.waitCount(t, "a", 10)
	if err := r.WaitSynced(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Master.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.Replica.WaitPromoted(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "publishing", func() bool { return l.Append(t.Context(), newBatch(1)) == nil })
	got := f.waitCount(t, "a", 11)
	wantRising(t, got)
	if len(gapsOf(got)) != 0 || s.Counts().Gaps != 0 {
		t.Errorf("gaps told: %v", gapsOf(got))
	}
}

// TestRedis_RestartsEmpty restarts a server that keeps nothing on disk: a gap, and IDs rise.
func TestRedis_RestartsEmpty(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newTestFeed(s)
	l := mustFollow(t, s, "a")
	mustAppend(t, l, 3)
	got := f.waitCount(t, "a", 3)
	if err := srv.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := srv.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	gap := f.waitCount(t, "a", 4)[3]
	if gap.Name != sse.GapName || gap.ID != got[2].ID {
		t.Errorf("%v %q %s, want a gap", gap.ID, gap.Name, gap.Data)
	}
	if _, err := l.After(t.Context(), got[0].ID, gap.ID, make([]*sse.Event, 1)); !errors.Is(err, ErrGone) {
		t.Errorf("resuming from before: %v", err)
	}
	if _, err := l.After(t.Context(), gap.ID, gap.ID, nil); err != nil {
		t.Errorf("resuming from the gap: %v", err)
	}
	mustAppend(t, l, 1)
	if e := f.waitCount(t, "a", 5)[4]; !gap.ID.Less(e.ID) {
		t.Errorf("ID %v after %v", e.ID, gap.ID)
	}
}

// TestRedis_TrimmedWhileAway: what was trimmed before the tail could read it is a gap, what
// was trimmed after it had been read is none.
func TestRedis_TrimmedWhileAway(t *testing.T) {
	srv := startRedis(t, redisproc.Options{Fsync: "always", Config: []string{"stream-node-max-entries 1"}})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newTestFeed(s)
	for _, ns := range []string{"read", "unread"} {
		l := mustFollow(t, s, ns)
		mustAppend(t, l, 5)
		f.waitCount(t, ns, 5)
		f.setFull(ns, true)
	}
	waitFor(t, "the tail to stop", func() bool {
		return s.logs["read"].shard.Load().tail.reading.Load() == 0
	})
	for ns, keep := range map[string]string{"read": "3", "unread": "2"} {
		for range 3 {
			do(t, srv, "XADD", "throng:{"+ns+"}", "*", "t", "x", "d", "later")
		}
		do(t, srv, "XTRIM", "throng:{"+ns+"}", "MAXLEN", keep)
	}
	if err := srv.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.setFull("read", false)
	f.setFull("unread", false)
	if got := f.waitCount(t, "read", 8); len(gapsOf(got)) != 0 {
		t.Errorf("a gap was told: %s", gapsOf(got)[0].Data)
	}
	if got := f.waitCount(t, "unread", 8); got[5].Name != sse.GapName || len(gapsOf(got)) != 1 {
		t.Errorf("%d gaps were told, the first event after the pause is %q", len(gapsOf(got)), got[5].Name)
	}
}

func startCluster(t *testing.T, o redisproc.Options) (*redisproc.Cluster, string) {
	haveRedis(t)
	c, err := redisproc.StartCluster(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c, "redis://" + strings.Join(c.Addrs(), ",") + "/?cluster=true"
}

// TestRedis_Cluster spreads namespaces; when one master is killed the others' go on, and its
// own when it is back. A slot that moves takes its namespace along.
func TestRedis_Cluster(t *testing.T) {
	c, url := startCluster(t, redisproc.Options{Fsync: "always"})
	s := newRedis(t, url, nil)
	f := newTestFeed(s)
	const namespaces, killed = 24, 1
	onKilled := map[string]bool{}
	logs := map[string]*redisLog{}
	for i := range namespaces {
		ns := fmt.Sprint("ns", i)
		srv, err := c.Of(t.Context(), "throng:{"+ns+"}")
		if err != nil {
			t.Fatal(err)
		}
		onKilled[ns] = srv == c.Masters[killed]
		logs[ns] = mustFollow(t, s, ns)
		batch := newBatch(4)
		batch[3].Key = "k"
		if err := logs[ns].Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	for ns := range logs {
		f.waitCount(t, ns, 4)
	}
	for i, srv := range c.Masters {
		if n := countClients(t, srv); n != 2 && n != 3 { // one has the connection that asks for the slots too
			t.Errorf("%d connections to master %d", n, i)
		}
	}
	if err := c.Masters[killed].Kill(); err != nil {
		t.Fatal(err)
	}
	for ns, l := range logs {
		if err := l.Append(t.Context(), newBatch(1)); onKilled[ns] != (err != nil) || err != nil && !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s, whose master was killed: %v; Append: %v", ns, onKilled[ns], err)
		}
	}
	if err := s.Health(); err != nil {
		t.Errorf("Health with two masters of three: %v", err)
	}
	for ns := range logs {
		if !onKilled[ns] {
			f.waitCount(t, ns, 5)
		}
	}
	if err := c.Masters[killed].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for ns, l := range logs {
		if onKilled[ns] {
			waitFor(t, "publishing to "+ns, func() bool { return l.Append(t.Context(), newBatch(1)) == nil })
			wantRising(t, f.waitCount(t, ns, 5))
		}
	}
	moveSlot(t, c, logs["ns0"])
	mustAppend(t, logs["ns0"], 3)
	got := f.waitCount(t, "ns0", 9)
	wantRising(t, got)
	if n := s.Counts(); len(got) != 9 || n.Redirects == 0 || n.Gaps != 0 {
		t.Errorf("%d events of the moved namespace, %+v", len(got), n)
	}
	for ns := range logs {
		mustAppend(t, logs[ns], 1)
	}
}

// moveSlot gives the slot of a namespace to the next master.
func moveSlot(t *testing.T, c *redisproc.Cluster, l *redisLog) {
	from, err := c.Of(t.Context(), l.key)
	if err != nil {
		t.Fatal(err)
	}
	var to *redisproc.Server
	for i, srv := range c.Masters {
		if srv == from {
			to = c.Masters[(i+1)%len(c.Masters)]
		}
	}
	slot := fmt.Sprint(l.slot)
	fromID, toID := do(t, from, "CLUSTER", "MYID"), do(t, to, "CLUSTER", "MYID")
	do(t, to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	do(t, from, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	port := fmt.Sprint(to.Port)
	do(t, from, "MIGRATE", "127.0.0.1", port, "", "0", "5000", "KEYS", l.key, l.known, l.order)
	mustAppend(t, l, 1) // ASK
	do(t, to, "CLUSTER", "SETSLOT", slot, "NODE", toID)
	do(t, from, "CLUSTER", "SETSLOT", slot, "NODE", toID)
}
