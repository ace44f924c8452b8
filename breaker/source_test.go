package breaker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func quietBoard() *Board {
	return NewBoard(slog.New(slog.NewTextHandler(io.Discard, nil)), func(Layer, State) {})
}

var redisLike = ChannelOptions{Name: "redis", Slow: 200 * time.Millisecond, Failures: 3, IsolatedFor: 5 * time.Second, Probes: 3, Ramp: 10 * time.Second}

// A letter is an answer: g good, s slow, b bad; - is a time of isolation.
func TestChannel_Thresholds(t *testing.T) {
	for _, x := range []struct {
		answers string
		want    State
	}{
		{"bb", Healthy},
		{"bbb", Degraded},
		{"ss", Healthy},
		{"sss", Degraded},
		{"sbs", Degraded},
		{"bbgbb", Healthy},
		{"bbbbb", Degraded},
		{"bbbbbb", Isolated},
		{"sssbb", Degraded},
		{"sssbbb", Isolated},
		{"sssbbsbb", Degraded},
		{"bbbgg", Degraded},
		{"bbbggg", Healthy},
		{"bbbggsggg", Healthy},
		{"bbbggsgg", Degraded},
		{"bbbbbbggg", Isolated},
		{"bbbbbb-gg", Isolated},
		{"bbbbbb-ggg", Healthy},
		{"bbbbbb-ggb-gg", Isolated},
		{"bbbbbb-ggb-ggg", Healthy},
		{"bbbbbb-gsg", Degraded},
		{"bbbbbb-gsggg", Healthy},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newChannel(redisLike, nil)
			for _, a := range x.answers {
				switch a {
				case 'g':
					c.observe(200*time.Millisecond, nil)
				case 's':
					c.observe(200*time.Millisecond+1, nil)
				case 'b':
					c.observe(time.Millisecond, errBad)
				case '-':
					time.Sleep(redisLike.IsolatedFor)
				}
			}
			if c.State() != x.want {
				t.Errorf("%s: %s, want %s", x.answers, Sources.Name(c.State()), Sources.Name(x.want))
			}
			if c.Allow() && x.want == Isolated {
				t.Errorf("%s: isolated, and given work", x.answers)
			}
		})
	}
}

func TestChannel_RampGivesItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChannel(redisLike, nil)
		for range 6 {
			c.observe(0, errBad)
		}
		time.Sleep(5 * time.Second)
		for range 3 {
			c.observe(0, nil)
		}
		for second := range 12 {
			let := 0
			for range 10_000 {
				if c.Allow() {
					let++
				}
			}
			want := min(1, 0.1+0.09*float64(second))
			if got := float64(let) / 10_000; math.Abs(got-want) > 0.001 {
				t.Errorf("%d s after its isolation it is given %.3f of its work, want %.2f", second, got, want)
			}
			time.Sleep(time.Second)
		}
	})
}

// The state of the whole for each pair.
func TestSource_StandsAsItsBestChannel(t *testing.T) {
	want := [3][3]State{{Healthy, Healthy, Healthy}, {Healthy, Degraded, Degraded}, {Healthy, Degraded, Isolated}}
	for x := range stateCount {
		for y := range stateCount {
			s := quietBoard().Source(SourceOptions{}, ChannelOptions{Name: "a"}, ChannelOptions{Name: "b"})
			s.Channel("a").state.Store(uint32(x))
			s.Channel("b").state.Store(uint32(y))
			s.settle()
			if s.State() != want[x][y] {
				t.Errorf("%s and %s: %s", Sources.Name(x), Sources.Name(y), Sources.Name(s.State()))
			}
		}
	}
	if quietBoard().Source(SourceOptions{}).Channel("none") != nil {
		t.Error("a channel that is not there was found")
	}
}

// A probe that never comes back is a failure, has no second one beside it, and does not keep
// Run from ending.
func TestSource_HangingProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var inside, most atomic.Int32
		o := redisLike
		o.Probe = func(context.Context) error {
			most.Store(max(most.Load(), inside.Add(1)))
			<-release
			inside.Add(-1)
			return nil
		}
		s := quietBoard().Source(SourceOptions{Every: 5 * time.Second, Bound: 800 * time.Millisecond}, o)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.State() != Isolated || most.Load() != 1 {
			t.Errorf("after a minute without an answer it is %s, with %d probes at once", Sources.Name(s.State()), most.Load())
		}
		cancel()
		<-ended
		close(release)
	})
}

// An outage is known within Every and five fifths of it; its end within IsolatedFor and two.
func TestSource_TimesToKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		o := redisLike
		o.Probe = func(context.Context) error {
			if down.Load() {
				return errors.New("connection refused")
			}
			return nil
		}
		s := quietBoard().Source(SourceOptions{Every: 5 * time.Second, Bound: 800 * time.Millisecond}, o)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Run(ctx)
		time.Sleep(7 * time.Second)
		for _, x := range []struct {
			down bool
			want State
			most time.Duration
		}{{true, Degraded, 7 * time.Second}, {true, Isolated, 3 * time.Second}, {false, Healthy, 7 * time.Second}} {
			down.Store(x.down)
			begun := time.Now()
			for s.State() != x.want && time.Since(begun) < time.Minute {
				time.Sleep(10 * time.Millisecond)
			}
			took := time.Since(begun).Round(10 * time.Millisecond)
			t.Logf("%s after %v", Sources.Name(x.want), took)
			if took > x.most+20*time.Millisecond {
				t.Errorf("%s only after %v, want %v", Sources.Name(x.want), took, x.most)
			}
		}
	})
}

func TestBoard_ShowsInOrderAndDrops(t *testing.T) {
	b := quietBoard()
	last := b.Circuit(Gateway, "zebra", gatewayRule)
	first := b.Circuit(Gateway, "ant", gatewayRule)
	b.Circuit(Connection, "", connectionRule)
	var scopes []string
	for _, s := range b.Statuses() {
		scopes = append(scopes, s.Layer+":"+s.Scope)
	}
	if got := strings.Join(scopes, " "); got != "connection: gateway:ant gateway:zebra" {
		t.Error(got)
	}
	last.Trip(errBad)
	if b.State(Gateway) != Open || b.State(Connection) != Closed {
		t.Error("the state of a layer is not its worst")
	}
	b.Drop(last)
	b.Drop(last)
	if b.State(Gateway) != Closed || len(b.Statuses()) != 2 || first.State() != Closed {
		t.Error("a dropped circuit still counts")
	}
}

func TestStatus_CauseIsBounded(t *testing.T) {
	c := NewCircuit(Gateway, "", Rule{InARow: 1}, nil)
	c.Fail(errors.New(strings.Repeat("x", 10_000)))
	if n := len(c.Status().Cause); n > causeBytesMax+10 {
		t.Errorf("a cause of %d bytes is kept", n)
	}
}

// Few who ask are all let through on the ramp, and a crowd gets its share and hardly more.
func TestChannel_RampLetsFewThrough(t *testing.T) {
	for _, x := range []struct {
		every       time.Duration // between two who ask
		least, most float64       // a second, on average over the first second
	}{
		{time.Second, 1, 1}, {100 * time.Millisecond, 10, 10}, {70 * time.Millisecond, 9, 13},
		{10 * time.Millisecond, 15, 26}, {100 * time.Microsecond, 1000, 1500},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newChannel(redisLike, nil)
			time.Sleep(time.Minute)
			for range 6 {
				c.observe(0, errBad)
			}
			time.Sleep(5 * time.Second)
			for range 3 {
				c.observe(0, nil)
			}
			let := 0
			for begun := time.Now(); time.Since(begun) < time.Second; time.Sleep(x.every) {
				if c.Allow() {
					let++
				}
			}
			if got := float64(let); got < x.least || got > x.most {
				t.Errorf("one asks every %v, and %v are let through in the first second; want %v to %v", x.every, got, x.least, x.most)
			}
		})
	}
}
