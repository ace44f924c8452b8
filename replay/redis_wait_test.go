package replay

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/internal/redisproc"
)

// TestRedis_WaitHoldsUpNobody: while a publish waits for a replica that is away, other
// namespaces are read and published to; Health tells, and the next publishes fail at once,
// until the replica is back.
func TestRedis_WaitHoldsUpNobody(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, func(o *RedisOptions) { o.Replicas, o.Timeout = 1, 2*time.Second })
	f := newTestFeed(s)
	mustFollow(t, s, "reader")
	var publishers sync.WaitGroup
	for i := range 4 {
		l := mustOpen(t, s, fmt.Sprint("n", i))
		publishers.Go(func() {
			if err := l.Append(t.Context(), newBatch(1)); !isUnavailable(err, reasonNotReplicated) {
				t.Errorf("namespace %d: %v", i, err)
			}
		})
	}
	// Redis tells which connections it holds up.
	waitFor(t, "the publishes to wait", func() bool { return strings.Count(do(t, srv, "CLIENT", "LIST"), "cmd=wait") == 4 })
	began := time.Now()
	do(t, srv, "XADD", "throng:{reader}", "*", "t", "x", "d", "")
	f.waitCount(t, "reader", 1)
	r := mustOpen(t, s, "other")
	if _, err := r.After(t.Context(), redisStart, redisStart, nil); err != nil {
		t.Errorf("a reader of another namespace: %v", err)
	}
	if d := time.Since(began); d > time.Second {
		t.Errorf("reading took %v", d)
	}
	publishers.Wait()
	if err := s.Health(); !isUnavailable(err, reasonNoReplicas) {
		t.Errorf("Health: %v", err)
	}
	began = time.Now()
	for range 100 {
		if err := r.Append(t.Context(), newBatch(1)); !isUnavailable(err, reasonNoReplicas) || !surelyNotStored(err) {
			t.Errorf("another publish: %v", err)
		}
	}
	if d := time.Since(began); d > time.Second {
		t.Errorf("100 publishes without the replica took %v", d)
	}
	startRedis(t, redisproc.Options{Config: []string{fmt.Sprint("replicaof 127.0.0.1 ", srv.Port)}})
	waitFor(t, "Health", func() bool { return s.Health() == nil })
	mustAppend(t, r, 1)
	if n := do(t, srv, "XLEN", "throng:{other}"); n != "1" {
		t.Errorf("%s events stored, want 1", n)
	}
	if n := do(t, srv, "EXISTS", "throng:{n0}:none", "throng:{n1}:none", "throng:{n2}:none", "throng:{n3}:none", "throng:{other}:none"); n != "0" {
		t.Error("the probe left something behind")
	}
}

// TestRedis_DuplicateWaits does not acknowledge a duplicate whose first copy no replica has,
// though it came over another connection.
func TestRedis_DuplicateWaits(t *testing.T) {
	r := startReplicated(t, 0)
	var logs [2]Log
	for i := range logs {
		logs[i] = mustOpen(t, newRedis(t, "redis://"+r.Master.Addr, func(o *RedisOptions) { o.Replicas = 1 }), "a")
	}
	keyed := func() []Record {
		batch := newBatch(1)
		batch[0].Key = "k"
		return batch
	}
	if err := r.Replica.Pause(); err != nil {
		t.Fatal(err)
	}
	for i, l := range logs { // the second one has a duplicate
		if err := l.Append(t.Context(), keyed()); !isUnavailable(err, reasonNotReplicated) {
			t.Errorf("node %d without the replica: %v", i, err)
		}
	}
	if err := r.Replica.Resume(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the replica", func() bool {
		batch := keyed()
		return logs[1].Append(t.Context(), batch) == nil && batch[0].Duplicate
	})
}

// TestRedis_OldMasterComesBack kills a master, or puts it to sleep, and lets it come back when
// the Sentinels have another one: it takes itself for the master, and is not believed.
func TestRedis_OldMasterComesBack(t *testing.T) {
	for _, how := range []string{"killed", "asleep"} {
		t.Run(how, func(t *testing.T) {
			r := startReplicated(t, 3)
			s := newRedis(t, "redis-sentinel://"+strings.Join(r.SentinelAddrs(), ",")+"/"+redisproc.MasterName, nil)
			l := mustFollowQuietly(t, s)
			mustAppend(t, l, 3)
			if err := r.WaitSynced(t.Context()); err != nil {
				t.Fatal(err)
			}
			leave, back := r.Master.Kill, func() error { return r.Master.Restart(t.Context()) }
			if how == "asleep" {
				leave, back = r.Master.Pause, r.Master.Resume
			}
			if err := leave(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "Health to tell", func() bool { return l.Append(t.Context(), newBatch(1)) != nil && s.Health() != nil })
			old := l.shard.Load()
			waitFor(t, "the Sentinels", func() bool {
				n := 0
				for _, x := range r.Sentinels {
					if strings.Contains(do(t, x, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", redisproc.MasterName), fmt.Sprint(r.Replica.Port)) {
						n++
					}
				}
				return n == 3
			})
			if err := back(); err != nil {
				t.Fatal(err)
			}
			if err := old.s.confirm(t.Context(), old.addr); err == nil {
				t.Error("the old master is confirmed")
			}
			again := newRedisShard(s, r.Master.Addr) // as if nobody had told us of the new one
			defer again.retire()
			<-again.ready
			if fault := again.fault(); fault == nil || fault.Reason != reasonUnreachable {
				t.Errorf("the old master is taken for one: %v", fault)
			}
			for n, until := 0, time.Now().Add(500*time.Millisecond); n < 100 || time.Now().Before(until); {
				batch := newBatch(1)
				if l.Append(t.Context(), batch) != nil {
					time.Sleep(time.Millisecond)
					continue
				}
				n++
				id := batch[0].Event.ID.String()
				if got := do(t, r.Replica, "XRANGE", "throng:{a}", id, id); !strings.Contains(got, id) {
					t.Fatalf("%s was acknowledged, and the new master does not have it", id)
				}
			}
		})
	}
}

// mustFollowQuietly follows a namespace and drops what is delivered.
func mustFollowQuietly(t *testing.T, s *Redis) *redisLog {
	newTestFeed(s)
	return mustFollow(t, s, "a")
}
