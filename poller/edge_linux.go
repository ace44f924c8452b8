package poller

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/netpoll"

	"throng/internal/invariant"
)

// inputBufferBytes is what netpoll reserves for a new connection's first read. A
// stream's request fits; a larger body makes netpoll double it by itself.
const inputBufferBytes = 1 << 10

// sweepEvery is how often expired connections are looked for: deadlines are seconds, and
// each look wakes a sleeping process.
const sweepEvery = 500 * time.Millisecond

// EdgeOptions say how connections in the request phase are kept.
type EdgeOptions struct {
	Reactors     int // netpoll pollers, for the whole process: the first Edge decides
	HeadTimeout  time.Duration
	BodyTimeout  time.Duration
	IdleTimeout  time.Duration
	WriteTimeout time.Duration
	// LingerTimeout is how long an expired connection is read on after its last words.
	LingerTimeout time.Duration
	// AheadBytesMax is how much a client may send ahead while a request of it waits; one
	// that sends more is cut off.
	AheadBytesMax int
	// AheadTotalBytesMax bounds what all of them together have sent ahead.
	AheadTotalBytesMax int64
	// NewSession is called once a connection, before its first byte.
	NewSession func(*Conn) Session
	// HandedOver is called after descriptors were given away on a reactor, to HandOver's
	// function or to Listener.Shed, where that must not wait: once for several of them.
	HandedOver func()
	// Log takes netpoll's own log lines.
	Log io.Writer
}

// Session is what is kept for one connection while it talks HTTP. Its methods are
// never called at the same time.
type Session interface {
	// Data is given everything that was read and must deal with all of it, or keep a copy;
	// p is valid during the call. Where Conn.MayWait says no it must not wait, and calls
	// Conn.Defer for what would have to.
	Data(p []byte)
	// Expired is told that the client did not do in time what class waits for. It
	// returns the last words, or nil. It must not wait.
	Expired(class DeadlineClass) []byte
	// Closed is told once that the connection is gone and was not handed over.
	Closed()
}

// Edge owns the connections that talk HTTP: netpoll's reactors read them and run their
// requests, a request that has to wait gets a goroutine, and one sweeper ends those that
// take too long.
type Edge struct {
	ln        *Listener
	loop      netpoll.EventLoop
	o         EdgeOptions
	deadlines deadlines
	entrance  entrance
	open      atomic.Int64
	tasks     atomic.Int64 // goroutines that serve or end a connection
	inline    atomic.Int64 // tasks that run on a reactor
	ahead     atomic.Int64 // bytes kept for connections that goroutines serve
	closing   atomic.Bool
	mu        sync.Mutex // guards serving and closed
	serving   bool
	closed    bool
	stop      chan struct{}
	sweeping  sync.WaitGroup
}

// netpoll's reactors belong to the process: the first Edge says how many there are.
var configureOnce sync.Once

// NewEdge prepares the reactors on ln.
func NewEdge(ln *Listener, o EdgeOptions) (*Edge, error) {
	time.Sleep(time.Nanosecond) // Go's runtime opens its own epoll with the first timer, and dies if no descriptor is left for it
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
		deadlineLinger: o.LingerTimeout,
	}
	// With several reactors a request could be served, and its connection closed, before
	// netpoll's accept has entered it in its books, which would then keep it for good.
	// netpoll runs OnRequest only after OnConnect, and OnConnect only after the books are
	// right. Its task starts the goroutine of a first request that has to wait, too.
	onConnect := func(ctx context.Context, _ netpoll.Connection) context.Context { return ctx }
	e.loop, err = netpoll.NewEventLoop(onRequest, netpoll.WithOnPrepare(e.onPrepare), netpoll.WithOnConnect(onConnect))
	ln.edge = e
	return e, err
}

// Serve accepts and serves until Close. It returns the reason if it was not Close.
func (e *Edge) Serve() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.serving = true
	e.sweeping.Go(e.sweep)
	e.mu.Unlock()
	err := e.loop.Serve(e.ln)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Open is the number of connections in the request phase.
func (e *Edge) Open() int { return int(e.open.Load()) }

// Books is the count that Open gives: the function that HandOver calls takes the connection
// from it as soon as it is counted elsewhere.
func (e *Edge) Books() *atomic.Int64 { return &e.open }

// Close stops accepting, lets what is being served or handed over end until ctx is
// done, and closes the rest.
func (e *Edge) Close(ctx context.Context) error {
	e.closing.Store(true)
	for e.inline.Load() > 0 {
		time.Sleep(100 * time.Microsecond)
	}
	e.mu.Lock()
	e.closed = true
	serving := e.serving
	e.mu.Unlock()
	if !serving {
		return e.ln.Close()
	}
	select { // netpoll's Shutdown does nothing before its Serve has asked for the number
	case <-e.ln.asked:
	case <-ctx.Done():
	}
	err := e.loop.Shutdown(ctx)
	_ = e.ln.Close()
	close(e.stop)
	e.sweeping.Wait()
	e.cutOff()
	for (e.tasks.Load() > 0 || e.open.Load() > 0) && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if e.tasks.Load() == 0 && e.open.Load() == 0 {
		// With several reactors netpoll may enter a connection in its books that has hung up
		// just then, and wait for it. Ours are right.
		return nil
	}
	return err
}

// onPrepare gives the connection that Accept has just returned to netpoll.
func (e *Edge) onPrepare(np netpoll.Connection) context.Context {
	c := e.entrance.entering
	e.entrance.entering = nil
	invariant.Check(c != nil && c.fd == np.(netpoll.Conn).Fd(), "netpoll prepares another connection than the one just accepted")
	c.np = np
	_ = np.AddCloseCallback(func(netpoll.Connection) error {
		c.closed()
		return nil
	})
	return c
}

// cutOff ends the connections that nobody is serving and that netpoll's Shutdown has not
// seen: it was on its way to enter them in its books.
func (e *Edge) cutOff() {
	var batch [256]expiry
	for n := len(batch); n == len(batch); {
		n = e.deadlines.expired(batch[:], time.Now().Add(math.MaxInt64))
		for _, x := range batch[:n] {
			x.conn.cutOff()
		}
	}
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
