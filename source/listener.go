package source

import (
	"maps"
	"net"
	"slices"
	"sync"
)

// ConnectionsMax is how many connections the port holds. A backend needs one, whatever the
// number of its calls.
const ConnectionsMax = 256

// listener closes connections beyond ConnectionsMax at once.
type listener struct {
	net.Listener
	shed func()

	mu   sync.Mutex // guards open
	open map[*counted]struct{}
}

func newListener(ln net.Listener, shed func()) *listener {
	return &listener{Listener: ln, shed: shed, open: make(map[*counted]struct{})}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if own := l.enter(c); own != nil {
			return own, nil
		}
		l.shed()
		_ = c.Close()
	}
}

// enter gives a connection a place; nil: there is none.
func (l *listener) enter(c net.Conn) *counted {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= ConnectionsMax {
		return nil
	}
	own := &counted{c, l}
	l.open[own] = struct{}{}
	return own
}

// cut closes all connections. The library would wait for those that have not said anything
// yet, which are none to it.
func (l *listener) cut() {
	l.mu.Lock()
	all := slices.Collect(maps.Keys(l.open))
	l.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// counted is a connection that gives its place back.
type counted struct {
	net.Conn
	of *listener
}

// Close implements net.Conn.
func (c *counted) Close() error {
	err := c.Conn.Close()
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return err
}
