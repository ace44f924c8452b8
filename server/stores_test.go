package server_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"throng/internal/redisproc"
	"throng/sse"
)

// The tests of this room run against any store: THRONG_TEST_STORE=disk or redis instead of
// memory, each server with an empty one of its own.

// stores are what was made for the tests, ended with them.
var stores struct {
	sync.Once
	dir   string
	redis *redisproc.Server
	next  atomic.Int64
}

// storeUnderTest is an empty store for one server.
func storeUnderTest() string {
	kind := os.Getenv("THRONG_TEST_STORE")
	if kind == "" || kind == "memory" {
		return "memory"
	}
	stores.Do(func() {
		var err error
		if stores.dir, err = os.MkdirTemp("", "throng-stores"); err != nil {
			panic(err)
		}
		if kind == "redis" {
			// More databases than there are tests: none is used twice.
			if stores.redis, err = redisproc.Start(context.Background(), redisproc.Options{Config: trimmed([]string{"databases 4096"})}); err != nil {
				panic(err)
			}
		}
	})
	n := stores.next.Add(1)
	if kind == "redis" {
		return fmt.Sprintf("redis://%s/%d", stores.redis.Addr, n)
	}
	return fmt.Sprintf("disk:%s/%d", stores.dir, n)
}

// unless skips a test of what a store does otherwise.
func unless(t *testing.T, kind, why string) {
	t.Helper()
	if os.Getenv("THRONG_TEST_STORE") == kind {
		t.Skip(why)
	}
}

// follows says whether b may be the ID right after a: IDs of Redis are times, not counted.
func follows(t *testing.T, a, b string) bool {
	t.Helper()
	if stores.redis != nil {
		x, err := sse.ParseID(a)
		y, err2 := sse.ParseID(b)
		return err == nil && err2 == nil && x.Less(y)
	}
	return b == later(t, a, 1)
}

// trimmed are options under which Redis forgets as exactly as the others: it removes whole
// nodes of a stream.
func trimmed(config []string) []string { return append(config, "stream-node-max-entries 1") }

// storeSockets is how many sockets a server may have for its store.
func storeSockets() int {
	if stores.redis != nil {
		return 8
	}
	return 0
}

// endStores ends what storeUnderTest began.
func endStores() {
	if stores.redis != nil {
		_ = stores.redis.Stop()
	}
	if stores.dir != "" {
		_ = os.RemoveAll(stores.dir)
	}
}
