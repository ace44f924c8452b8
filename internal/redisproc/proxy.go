package redisproc

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Proxy stands between clients and a server, whose answers it delays. Any goroutine may
// use it.
type Proxy struct {
	Addr string // 127.0.0.1:PORT, for clients

	target   string
	listener net.Listener
	delay    atomic.Int64 // ns
	work     sync.WaitGroup

	mu     sync.Mutex // guards the rest
	conns  map[net.Conn]bool
	closed bool
}

// chunksMax is how many pieces of answers may be on their way on one connection.
const chunksMax = 4096

// NewProxy begins to listen for a server at target. The caller ends it with Close.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("redisproc: proxy: %w", err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l, conns: make(map[net.Conn]bool)}
	p.work.Go(p.accept)
	return p, nil
}

// Delay is by how much answers are late from now on. What is on its way keeps its time.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Close ends all connections and waits.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	err := p.listener.Close()
	p.work.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil || !p.keep(client, server) {
			_ = client.Close()
			continue
		}
		chunks := make(chan chunk, chunksMax)
		p.work.Go(func() {
			_, _ = io.Copy(server, client)
			p.drop(client, server)
		})
		p.work.Go(func() {
			p.read(server, chunks)
			close(chunks)
		})
		p.work.Go(func() {
			write(client, chunks)
			p.drop(client, server)
		})
	}
}

// keep notes connections for Close; false: it has been called.
func (p *Proxy) keep(client, server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = server.Close()
		return false
	}
	p.conns[client], p.conns[server] = true, true
	return true
}

// drop closes both ends.
func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

// A chunk is a piece of an answer, and when it is to arrive.
type chunk struct {
	bytes []byte
	due   time.Time
}

func (p *Proxy) read(server net.Conn, chunks chan<- chunk) {
	for {
		b := make([]byte, 32<<10)
		n, err := server.Read(b)
		if n > 0 {
			chunks <- chunk{b[:n], time.Now().Add(time.Duration(p.delay.Load()))}
		}
		if err != nil {
			return
		}
	}
}

// write passes on what has arrived in its time, until there is nothing more. It takes what
// nobody wants any longer too, so that the one who reads can end.
func write(client net.Conn, chunks <-chan chunk) {
	var failed error
	for c := range chunks {
		if failed != nil {
			continue
		}
		time.Sleep(time.Until(c.due))
		_, failed = client.Write(c.bytes)
	}
}
