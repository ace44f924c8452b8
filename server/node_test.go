package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"throng/server"
)

// patience is how long anything that must happen may take; nothing is measured by it.
const patience = 15 * time.Second

// node is a server in this process.
type node struct {
	*server.Server
	t   *testing.T
	fds int // descriptors open when nobody was connected
	pub *wire
}

// options are small defaults for tests; set changes them.
func options(set func(*server.Options)) server.Options {
	o := server.Defaults()
	o.Listen, o.Admin = "127.0.0.1:0", "127.0.0.1:0"
	o.Loops, o.Reactors = 2, 1
	o.ConnectionsMax = 20000
	o.LingerTimeout = 5 * time.Second
	o.CPUTarget, o.DelayTarget = 0, 0 // how busy this machine is must not matter
	o.Store = storeUnderTest()
	if by := os.Getenv("THRONG_IO_URING"); by != "" { // the race detector's run writes plainly
		o.IOUring = by
	}
	if set != nil {
		set(&o)
	}
	return o
}

// start runs a server until the test ends.
func start(t *testing.T, set func(*server.Options)) *node {
	t.Helper()
	n := begin(t, options(set))
	t.Cleanup(n.end)
	n.fds = descriptors(t)
	return n
}

// begin starts a server that the caller ends.
func begin(t *testing.T, o server.Options) *node {
	t.Helper()
	s, err := server.New(o, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Server: s, t: t}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	t.Cleanup(func() {
		if err := within(served); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	w := n.dial()
	w.alive() // Serve is under way
	w.Close()
	until(t, "the first client is gone", func() bool { return s.Stats().Connections == 0 })
	return n
}

func (n *node) end() {
	n.t.Helper()
	if n.pub != nil {
		n.pub.Close()
	}
	if err := n.Close(); err != nil {
		n.t.Errorf("Close: %v", err)
	}
}

func within(done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return errors.New("did not end in time")
	}
}

// until waits for what must become true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// descriptors counts the open descriptors of this process, but those of the store's files.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := len(list) - 1 // the one that reads the list
	for _, e := range list {
		if name, _ := os.Readlink("/proc/self/fd/" + e.Name()); stores.dir != "" && strings.HasPrefix(name, stores.dir) {
			n--
		}
	}
	return n
}

// settles waits until the server holds nothing any more: no connection, no row, no
// descriptor beyond those it started with.
func (n *node) settles() {
	n.t.Helper()
	if n.pub != nil {
		n.pub.Close()
		n.pub = nil
	}
	var st server.Stats
	fds := 0
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		st, fds = n.Stats(), descriptors(n.t)
		if st.Connections == 0 && fds <= n.fds+storeSockets() {
			return
		}
		if time.Now().After(end) {
			n.t.Fatalf("%d connections (%d in the request phase) are left, %d descriptors instead of %d: %s",
				st.Connections, st.Requests, fds, n.fds, openFiles())
		}
	}
}

// openFiles lists the descriptors for a failure's message.
func openFiles() string {
	list, _ := os.ReadDir("/proc/self/fd")
	kinds := map[string]int{}
	for _, e := range list {
		name, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue
		}
		name, _, _ = strings.Cut(name, ":[")
		kinds[name]++
	}
	return fmt.Sprint(kinds)
}

// TestMain lets the process open what it keeps for good (netpoll's reactors, the
// runtime's own epoll) before anybody counts descriptors.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	warm()
	status := m.Run()
	endStores()
	os.Exit(status)
}

func warm() {
	o := options(nil)
	s, err := server.New(o, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		panic(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background()) }()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(c, "GET /healthz HTTP/1.0\r\n\r\n")
	_, _ = io.ReadAll(c)
	_ = c.Close()
	_ = s.Close()
	<-done
}
