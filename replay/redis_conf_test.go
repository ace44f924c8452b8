package replay

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"throng/internal/redisproc"
	"throng/sse"
)

// countClients is how many connections of ours a server has.
func countClients(t testing.TB, srv *redisproc.Server) int {
	return strings.Count(do(t, srv, "CLIENT", "LIST"), "name="+redisClientName+" ")
}

// leastRights are what a user of ours needs, as the comment of Redis names them.
const leastRights = "~throng:* resetchannels -@all +xadd +xrange +xread +xtrim +xdel +xinfo|stream +eval +evalsha +hget +hset +hdel " +
	"+rpush +lpop +lindex +pexpire +time +ping +client|id +client|unblock +client|tracking +client|setname"

// TestRedis_LeastRights works over TLS as a user who may do nothing else.
func TestRedis_LeastRights(t *testing.T) {
	srv := startRedis(t, redisproc.Options{TLS: true, Users: []string{"throng on >secret/?#@ " + leastRights}})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(srv.CA)
	trust := func(o *RedisOptions) { o.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12} }
	s := newRedis(t, "rediss://throng:secret%2F%3F%23%40@"+srv.Addr, trust)
	f := newTestFeed(s)
	l := mustFollow(t, s, "a")
	for i := range tailBlockKeys + 1 { // so many that Redis is asked to tell of changes
		mustFollow(t, s, fmt.Sprint("ns", i))
	}
	batch := newBatch(3)
	batch[1].Key, batch[2].Key = "k", "k"
	if err := l.Append(t.Context(), batch); err != nil || !batch[2].Duplicate {
		t.Fatalf("Append: %v, %+v", err, batch)
	}
	f.waitCount(t, "a", 2)
	s.Sweep(time.Now())
	if err := l.shard.Load().raise(t.Context(), "throng:{b}", sse.ID{Major: 7}); err != nil {
		t.Errorf("raise: %v", err)
	}
	if tail := &l.shard.Load().tail; tail.short.Load() || s.Counts().Reconnects != 0 {
		t.Errorf("the tail is hindered: short %v, %+v", tail.short.Load(), s.Counts())
	}
	if _, err := l.After(t.Context(), redisStart, l.Last(), make([]*sse.Event, 1)); err != nil {
		t.Error(err)
	}
	for name, url := range map[string]string{
		"forbidden":   "rediss://throng:wrong@" + srv.Addr,
		"unreachable": "rediss://throng:secret%2F%3F%23%40@" + strings.Replace(srv.Addr, "127.0.0.1", "127.0.0.2", 1),
	} {
		if err := newRedis(t, url, trust).Health(); !isUnavailable(err, name) {
			t.Errorf("%s: Health is %v", name, err)
		}
	}
	if err := newRedis(t, "rediss://"+srv.Addr, nil).Health(); !isUnavailable(err, "unreachable") {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
}

// TestRedis_FewerRights works for users who may not interrupt an XREAD, or not be told of
// changes, with few namespaces and many.
func TestRedis_FewerRights(t *testing.T) {
	for _, right := range []string{"client|unblock", "client|tracking"} {
		srv := startRedis(t, redisproc.Options{Users: []string{"default on nopass ~* +@all -" + right}})
		s := newRedis(t, "redis://"+srv.Addr, nil)
		f := newTestFeed(s)
		for i := range tailBlockKeys + 5 {
			ns := fmt.Sprint("ns", i)
			l := mustFollow(t, s, ns)
			if i < 3 || i > tailBlockKeys {
				mustAppend(t, l, 1)
				f.waitCount(t, ns, 1)
			}
		}
	}
}

// TestRedis_BehindIsRefused does not acknowledge an event below IDs that were given before,
// and goes on above them.
func TestRedis_BehindIsRefused(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	f := newTestFeed(s)
	l := mustFollow(t, s, "a")
	later := sse.ID{Major: uint64(time.Now().Add(time.Hour).UnixMilli()), Minor: 5}
	l.delivering.Lock()
	l.setLast(later) // as if Redis had given it, and lost it
	l.entry = true
	l.delivering.Unlock()
	if err := l.Append(t.Context(), newBatch(2)); !isUnavailable(err, reasonBehind) {
		t.Errorf("Append: %v", err)
	}
	f.wait(t, "the gap", func() bool { return len(gapsOf(f.of("a"))) == 1 })
	if id := mustAppend(t, l, 1)[0].Event.ID; !later.Less(id) {
		t.Errorf("ID %v after %v", id, later)
	}
	got := f.waitCount(t, "a", 2)
	if got[len(got)-1].ID.Less(later) || len(gapsOf(got)) != 1 {
		t.Errorf("delivered last: %v, with %d gaps", got[len(got)-1].ID, len(gapsOf(got)))
	}
}

// TestRedis_Age trims by age with Sweep; the position of an idle namespace stays good.
func TestRedis_Age(t *testing.T) {
	srv := startRedis(t, redisproc.Options{Config: []string{"stream-node-max-entries 1"}})
	s := newRedis(t, "redis://"+srv.Addr, func(o *RedisOptions) { o.AgeMax = time.Minute })
	l := mustOpen(t, s, "a")
	old := mustAppend(t, l, 10)
	s.Sweep(time.Now())
	if n := do(t, srv, "XLEN", "throng:{a}"); n != "10" {
		t.Errorf("%s events after the first sweep", n)
	}
	s.Sweep(time.Now().Add(2 * time.Minute))
	if n := do(t, srv, "XLEN", "throng:{a}"); n != "0" {
		t.Errorf("%s events left after their age", n)
	}
	if _, err := l.After(t.Context(), l.Last(), l.Last(), nil); err != nil {
		t.Errorf("the last ID: %v", err)
	}
	wantGone(t, l, old[0].Event.ID, l.Last(), l.Last())
	if l.First() != l.Last() {
		t.Errorf("first %v, last %v of an empty stream", l.First(), l.Last())
	}
}

// TestRedis_RemovedByHand tells a gap to those who come back after DEL, and after XDEL of
// what they had yet to read.
func TestRedis_RemovedByHand(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, nil)
	l := mustOpen(t, s, "a")
	batch := mustAppend(t, l, 5)
	id := func(i int) sse.ID { return batch[i].Event.ID }
	do(t, srv, "XDEL", "throng:{a}", id(2).String())
	wantGone(t, l, id(1), id(0), id(2))
	if n, err := l.After(t.Context(), id(2), l.Last(), make([]*sse.Event, 4)); n != 2 || err != nil {
		t.Errorf("after what was removed: %d, %v", n, err)
	}
	do(t, srv, "DEL", "throng:{a}")
	if _, err := l.After(t.Context(), id(4), l.Last(), nil); !errors.Is(err, ErrGone) {
		t.Errorf("without a stream: %v", err)
	}
	last := mustAppend(t, l, 1)[0].Event.ID
	if _, err := l.After(t.Context(), id(4), last, nil); !errors.Is(err, ErrGone) {
		t.Errorf("in a new stream: %v", err)
	}
}

// TestRedis_Waits does not acknowledge what no replica has.
func TestRedis_Waits(t *testing.T) {
	srv := startRedis(t, redisproc.Options{})
	s := newRedis(t, "redis://"+srv.Addr, func(o *RedisOptions) { o.Replicas = 1 })
	l := mustOpen(t, s, "a")
	if err := l.Append(t.Context(), newBatch(2)); !isUnavailable(err, reasonNotReplicated) {
		t.Errorf("without a replica: %v", err)
	}
	if n := do(t, srv, "XLEN", "throng:{a}"); n != "2" {
		t.Errorf("%s events stored, want 2", n)
	}
	replica := startRedis(t, redisproc.Options{Config: []string{fmt.Sprint("replicaof 127.0.0.1 ", srv.Port)}})
	waitFor(t, "the replica", func() bool {
		return strings.Contains(do(t, replica, "INFO", "replication"), "master_link_status:up") &&
			l.Append(t.Context(), newBatch(1)) == nil
	})
}

// waitFor asks until the answer is yes.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestRedisURL_IsRead(t *testing.T) {
	for url, want := range map[string]redisTarget{
		"redis://h":                      {addrs: []string{"h:6379"}},
		"redis://":                       {addrs: []string{"localhost:6379"}},
		"valkeys://u:p%40@[::1]:7/3":     {addrs: []string{"[::1]:7"}, db: 3, tls: true, user: "u", password: "p@"},
		"redis://:p@h?db=2":              {addrs: []string{"h:6379"}, db: 2, password: "p"},
		"rediss://a,b:1,c/?cluster=true": {mode: redisCluster, addrs: []string{"a:6379", "b:1", "c:6379"}, tls: true},
		"redis://a?addr=b:1&cluster=1":   {mode: redisCluster, addrs: []string{"a:6379", "b:1"}},
		"redis://a,b/4?sentinel=m":       {mode: redisSentinel, addrs: []string{"a:26379", "b:26379"}, master: "m", db: 4},
		"redis-sentinel://u:p@a/m/4":     {mode: redisSentinel, addrs: []string{"a:26379"}, master: "m", db: 4, user: "u", password: "p"},
		"redis://a?master_set=m&sentinel_user=u&sentinel_password=p": {mode: redisSentinel, addrs: []string{"a:26379"}, master: "m", sentinelUser: "u", sentinelPassword: "p"},
	} {
		got, err := parseRedisURL(url)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
	for url, want := range map[string]string{
		"h:6379": "no scheme", "http://h": `scheme "http"`, "redis://h:0": `port "0"`, "redis://h:x": `port "x"`, "redis://h/x": `path "x"`,
		"redis://a,b": "2 hosts", "redis://a?cluster=maybe": `cluster="maybe"`, "redis://a/1?cluster=true": "database 1",
		"redis://a?sentinel=m&cluster=true": "has no Sentinels", "redis-sentinel://a": "no name", "redis://a?protocol=2": "unknown protocol=",
		"redis://a?db=-1": `db="-1"`, "redis://u:se%zzcret@a": "%-encoded", "redis://a?sentinel=": `sentinel=""`,
	} {
		_, err := parseRedisURL(url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "cret") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func TestKeySlot_IsRedis(t *testing.T) {
	for ns, want := range map[string]uint16{"a": 15495, "123456789": 12739, "": 0} {
		if got := keySlot(ns); got != want {
			t.Errorf("slot of %q is %d, want %d", ns, got, want)
		}
	}
}

// FuzzRedisEntry: whatever the fields are, an entry is an event that may be sealed and
// read back, or is refused, and its ID is that of the entry.
func FuzzRedisEntry(f *testing.F) {
	f.Add("1-2", "t\x00x\x00d\x00y")
	f.Add("0-0", "t\x00x\x00t\x00y\x00e\x00n\x00d\x00a\nb\x00other\x00field")
	f.Add("x", "d\x00")
	f.Fuzz(func(t *testing.T, id, text string) {
		entry := rueidis.XRangeSlice{ID: id}
		parts := strings.Split(text, "\x00")
		for i := 0; i+1 < len(parts); i += 2 {
			entry.FieldValues = append(entry.FieldValues, rueidis.XRangeFieldValue{Field: parts[i], Value: parts[i+1]})
		}
		e, at, err := decodeEntry(entry, checkEvent)
		if want, bad := sse.ParseID(id); at != want || bad != nil && err == nil {
			t.Fatalf("ID %v of %q", at, id)
		}
		if err != nil {
			return
		}
		if err := checkEvent(e); err != nil {
			t.Fatalf("%v passed", err)
		}
		again := appendFields(nil, e)
		e.Seal()
		back := rueidis.XRangeSlice{ID: id}
		for i := 0; i < len(again); i += 2 {
			back.FieldValues = append(back.FieldValues, rueidis.XRangeFieldValue{Field: again[i], Value: again[i+1]})
		}
		same, _, err := decodeEntry(back, checkEvent)
		if err != nil || string(same.Data) != string(e.Data) || same.Name != e.Name || fmt.Sprint(same.Topics) != fmt.Sprint(e.Topics) {
			t.Fatalf("%+v came back as %+v, %v", e, same, err)
		}
	})
}
