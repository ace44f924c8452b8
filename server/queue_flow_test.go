package server

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// river is a flow through loops that deal with so many entries a second, in steps of a tenth
// of a millisecond. Whoever publishes takes all the room there is.
type river struct {
	flow
	random    *rand.Rand
	capacity  float64
	stops     func(sec float64) bool // the loops do nothing
	now       int64
	published uint64
	dealt     float64
	longest   float64 // that an entry would be on its way, seconds
}

const (
	riverStep  = 100 * time.Microsecond
	riverShare = 1024
)

func newRiver(t *testing.T, capacity float64, waits bool) *river {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := &river{random: rand.New(rand.NewPCG(seed, 3)), capacity: capacity, stops: func(float64) bool { return false }}
	o := Defaults()
	r.prepare(riverShare, o.MailboxPublishMax, o.QueueLag, waits)
	return r
}

// run publishes up to demand entries a second, as far as there is room, and says how many of
// them were.
func (r *river) run(seconds, demand float64) (published uint64) {
	before, want := r.published, 0.0
	r.longest = 0
	for end := r.now + int64(seconds*1e9); r.now < end; {
		r.now += int64(riverStep)
		if !r.stops(float64(r.now) / 1e9) {
			work := r.capacity * riverStep.Seconds() * (0.5 + r.random.Float64())
			r.dealt = min(r.dealt+work, float64(r.published))
		}
		want = min(want+demand*riverStep.Seconds(), riverShare)
		for want >= 1 {
			if int64(r.published-uint64(r.dealt)) >= r.window.Load() {
				r.felt.Store(true)
				break
			}
			r.published++
			want--
		}
		if r.due(r.now) {
			r.look(r.now, r.published, uint64(r.dealt))
		}
		r.longest = max(r.longest, (float64(r.published)-r.dealt)/r.capacity)
	}
	return r.published - before
}

// However fast the loops are, publishers without end do not make them late, and they are
// never without work.
func TestFlow_IsWhatTheLoopsGetDone(t *testing.T) {
	target := (Defaults().QueueLag / flowPart).Seconds()
	for _, capacity := range []float64{40, 400, 1400, 20000, 500000} {
		r := newRiver(t, capacity, true)
		r.run(3, 1e7)
		begun := r.dealt
		r.run(3, 1e7)
		least := max(3*target, 3*flowLeast/capacity)
		t.Logf("%.0f a second: %.3f of it done, at most %.0f ms on its way, window %d, line %d", capacity, (r.dealt-begun)/3/capacity, r.longest*1e3, r.window.Load(), r.line.Load())
		if done := (r.dealt - begun) / 3 / capacity; done < 0.95 {
			t.Errorf("%.0f a second: %.3f of it are done", capacity, done)
		}
		if r.longest > least {
			t.Errorf("%.0f a second: %.0f ms on its way", capacity, r.longest*1e3)
		}
		if r.capacity*target < riverShare && (!r.late.Load() || r.line.Load() > max(flowLineLeast, int64(2*target*capacity))) {
			t.Errorf("%.0f a second: late %t, %d may wait", capacity, r.late.Load(), r.line.Load())
		}
	}
}

// What is no more than the loops take is never held back for long, and once it is over nobody
// finds less room than there was.
func TestFlow_LetsGoWhenNothingIsLate(t *testing.T) {
	for _, waits := range []bool{true, false} {
		t.Run(fmt.Sprint("waits ", waits), func(t *testing.T) {
			r := newRiver(t, 2000, waits)
			r.run(3, 1e6)
			if !r.late.Load() {
				t.Fatal("nothing is late")
			}
			r.run(2, 1000)
			if got := r.run(2, 1000); got < 1990 {
				t.Errorf("%d of 2000 were let in", got)
			}
			if r.late.Load() || r.line.Load() != r.crowd || r.window.Load() < r.begin {
				t.Errorf("late %t, window %d of %d, %d may wait", r.late.Load(), r.window.Load(), r.begin, r.line.Load())
			}
		})
	}
}

// A pause of the loops, be it of the scheduler or of the garbage collector, makes room small
// for a moment only.
func TestFlow_APauseIsForgotten(t *testing.T) {
	r := newRiver(t, 50000, true)
	r.run(2, 40000)
	r.stops = func(sec float64) bool { return sec < 2.2 }
	r.run(0.2, 40000)
	r.run(0.5, 40000)
	if got := r.run(1, 40000); got < 39000 {
		t.Errorf("%d of 40000 were let in in the second after", got)
	}
}

// Where publishers are refused for want of room a burst finds all of the share.
func TestFlow_ABurstIsNotRefused(t *testing.T) {
	if r := newRiver(t, 1e6, false); r.window.Load() != riverShare {
		t.Errorf("the window is %d", r.window.Load())
	}
	var off flow
	off.prepare(riverShare, 64, 0, true)
	if off.window.Load() != riverShare || off.due(int64(time.Hour)) {
		t.Error("without breakers it holds somebody back")
	}
}

// Who is refused comes back when there is room: one of ten soon, half of them late.
func TestRetryAfterShare_FollowsTheShare(t *testing.T) {
	for share, want := range map[float64][2]uint64{0: {1, 4}, 0.1: {1, 4}, 0.2: {2, 9}, 0.5: {5, 24}, 1: {6, 29}} {
		if soon, late := retryAfterShare(share, 0), retryAfterShare(share, 1<<32-1); soon != want[0] || late != want[1] {
			t.Errorf("%v refused: %d to %d s, want %v", share, soon, late, want)
		}
	}
}
