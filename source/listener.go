package source

import (
	"net"
	"sync"
)

// ConnectionsMax is how many connections the port holds. A backend needs one, whatever the
// number of its calls.
const ConnectionsMax = 256

// listener closes connections beyond ConnectionsMax at once.
type listener struct {
	net.Listener
	room chan struct{} // has an element for each connection
	shed func()
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.room <- struct{}{}:
			return &counted{Conn: c, leave: sync.OnceFunc(func() { <-l.room })}, nil
		default:
			l.shed()
			_ = c.Close()
		}
	}
}

// counted is a connection that gives its place back.
type counted struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
