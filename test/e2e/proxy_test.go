package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// What a proxy does with a new connection.
const (
	pass  = iota // to the server
	drop         // closes it at once
	busy         // answers 503, as a gateway whose server is away
	modes        // how many there are
)

// proxy stands between a client and the server, and can cut what goes through it.
type proxy struct {
	url    string
	target string
	mu     sync.Mutex
	mode   int
	dealt  [modes]int // connections, by mode
	open   map[net.Conn]bool
}

func startProxy(t *testing.T, s *server) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "http://" + ln.Addr().String(), target: s.public, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		ln.Close()
		p.cut(drop)
	})
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return // the test is over
			}
			go p.serve(c)
		}
	}()
	return p
}

// cut breaks every connection, by a reset: nothing under way arrives. New ones are dealt
// with by mode.
func (p *proxy) cut(mode int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
	for c := range p.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a closed one may fail: it is gone, as wanted
		}
		c.Close()
	}
	clear(p.open)
}

// tried tells how many connections came while the proxy was in that mode.
func (p *proxy) tried(mode int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dealt[mode]
}

// keep notes c, to be cut, unless it has been cut already.
func (p *proxy) keep(mode int, cs ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range cs {
		p.open[c] = true
	}
	return p.mode == mode
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	mode := p.mode
	p.dealt[mode]++
	p.mu.Unlock()
	switch mode {
	case drop:
		return
	case busy:
		if _, err := client.Read(make([]byte, 4096)); err == nil {
			_, _ = io.WriteString(client, "HTTP/1.1 503 Service Unavailable\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return // the client sees a closed connection, as from a real one
	}
	defer server.Close()
	if !p.keep(mode, client, server) {
		return
	}
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}
