package poller

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/netpoll"
)

// inputBufferBytes is what netpoll reserves for a new connection's first read. A
// stream's request fits; a larger body makes netpoll double it by itself.
const inputBufferBytes = 1 << 10

// sweepEvery is how often expired connections are looked for: deadlines are seconds.
const sweepEvery = 100 * time.Millisecond

// EdgeOptions say how connections in the request phase are kept.
type EdgeOptions struct {
	Reactors     int // netpoll pollers, for the whole process: the first Edge decides
	HeadTimeout  time.Duration
	BodyTimeout  time.Duration
	IdleTimeout  time.Duration
	WriteTimeout time.Duration
	// NewSession is called once a connection, before its first byte.
	NewSession func(*Conn) Session
	// Log takes netpoll's own log lines.
	Log io.Writer
}

// Session is what is kept for one connection while it talks HTTP. Its methods are
// never called at the same time.
type Session interface {
	// Data is given everything that was read and must deal with all of it; p is valid
	// during the call.
	Data(p []byte)
	// Expired is told that the client did not do in time what class waits for. It
	// returns the last words, or nil. It must not wait.
	Expired(class DeadlineClass) []byte
	// Closed is told once that the connection is gone and was not handed over.
	Closed()
}

// Edge owns the connections that talk HTTP: netpoll's reactors read them, each request
// runs in a goroutine of its own, and one sweeper ends those that take too long.
type Edge struct {
	ln        *Listener
	loop      netpoll.EventLoop
	o         EdgeOptions
	deadlines deadlines
	open      atomic.Int64
	stop      chan struct{}
	sweeping  sync.WaitGroup
}

var configureOnce sync.Once

// NewEdge prepares the reactors on ln.
func NewEdge(ln *Listener, o EdgeOptions) (*Edge, error) {
	var err error
	configureOnce.Do(func() {
		err = netpoll.Configure(netpoll.Config{
			PollerNum:    o.Reactors,
			BufferSize:   inputBufferBytes,
			Runner:       runTask,
			LoggerOutput: o.Log,
			LoadBalance:  netpoll.RoundRobin,
		})
	})
	if err != nil {
		return nil, err
	}
	e := &Edge{ln: ln, o: o, stop: make(chan struct{})}
	e.deadlines.after = [deadlineClasses]time.Duration{
		DeadlineHead: o.HeadTimeout, DeadlineBody: o.BodyTimeout, DeadlineIdle: o.IdleTimeout,
	}
	options := []netpoll.Option{
		netpoll.WithOnPrepare(e.onPrepare),
		netpoll.WithWriteTimeout(o.WriteTimeout),
	}
	if o.Reactors > 1 {
		// With several reactors a request could be served, and its descriptor handed over,
		// before netpoll's accept has entered the connection in its books, which would
		// then keep it for good. netpoll runs OnRequest only after OnConnect, and OnConnect
		// only after the books are right. One reactor does both in turn by itself.
		options = append(options, netpoll.WithOnConnect(func(ctx context.Context, _ netpoll.Connection) context.Context { return ctx }))
	}
	e.loop, err = netpoll.NewEventLoop(onRequest, options...)
	return e, err
}

// Serve accepts and serves until Close. It returns the reason if it was not Close.
func (e *Edge) Serve() error {
	e.sweeping.Go(e.sweep)
	err := e.loop.Serve(e.ln)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Open is the number of connections in the request phase.
func (e *Edge) Open() int { return int(e.open.Load()) }

// Close stops accepting, lets what is being served end until ctx is done, and closes
// the rest.
func (e *Edge) Close(ctx context.Context) error {
	err := e.loop.Shutdown(ctx)
	close(e.stop)
	e.sweeping.Wait()
	return err
}

// runTask is netpoll's runner. Once the task has returned, netpoll has removed a
// detached descriptor from its epoll, waited for a reactor that was still reading from
// it, and freed its buffers: only now does the descriptor change hands.
func runTask(ctx context.Context, task func()) {
	go func() {
		task()
		if c, ok := ctx.(*Conn); ok && c.handOver != nil {
			then := c.handOver
			c.handOver = nil
			then(c.fd)
		}
	}()
}

func (e *Edge) onPrepare(np netpoll.Connection) context.Context {
	c := &Conn{Context: context.Background(), edge: e, np: np, fd: np.(netpoll.Conn).Fd()}
	c.session = e.o.NewSession(c)
	e.open.Add(1)
	e.deadlines.arm(c, DeadlineHead, time.Now())
	_ = np.AddCloseCallback(func(netpoll.Connection) error {
		c.closed()
		return nil
	})
	return c
}

func onRequest(ctx context.Context, np netpoll.Connection) error {
	c := ctx.(*Conn)
	r := np.Reader()
	p, err := r.Next(r.Len())
	if err != nil {
		return err
	}
	if c.begin() {
		c.session.Data(p)
		c.end()
	}
	return r.Release()
}

func (e *Edge) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var batch [256]expiry
	for {
		select {
		case <-e.stop:
			return
		case now := <-tick.C:
			for n := len(batch); n == len(batch); {
				n = e.deadlines.expired(batch[:], now)
				for i := range batch[:n] {
					batch[i].conn.expire(batch[i].class)
					batch[i] = expiry{}
				}
			}
		}
	}
}
