package bench

import "github.com/HdrHistogram/hdrhistogram-go"

// overloadAudience is the streams that were there before, and the ticker that they read.
type overloadAudience struct {
	*run
	a       *audience
	p       *publisher
	seq     uint64 // of the last tick that was taken
	window  *window
	refused int64
	lost    int64 // ticks of which nobody knows whether they were taken
	gone    int   // streams that the server closed
	want    int64 // deliveries of what was taken
	over    bool
}

const (
	audienceToken = 1
	// overloadOpenRate is how many streams a second are opened before anything is measured:
	// so few that no server takes them for a load.
	overloadOpenRate = 400
)

// newOverloadAudience opens n streams. Of a server without breakers gaps are counted; of
// one with them they are faults.
func newOverloadAudience(r *run, t target, n int, exact bool) (*overloadAudience, error) {
	u := &overloadAudience{run: r, a: r.audience(t), window: newWindow()}
	u.a.exact, u.a.rate = exact, overloadOpenRate
	u.a.onEvent = func(s *stream, p payload) { u.window.add(s.now - p.due) }
	u.a.onGone = func(s *stream, _ error) {
		u.gone++
		if exact {
			r.w.fault("%s closed a stream of the audience after event %d", t.name, s.seq)
		}
	}
	err := u.a.openAll(r.ctx, n, func(int) subscription {
		return subscription{ns: "audience", topic: "overload/ticker", token: audienceToken}
	})
	if err != nil {
		return nil, err
	}
	u.p, err = newPublisher(r.w, t)
	if err != nil {
		return nil, err
	}
	u.p.onReply = func(status int) {
		if status != 200 {
			u.refused++
			return
		}
		u.seq++
		u.want += int64(len(u.a.streams) - u.gone)
	}
	return u, nil
}

// begin lets what is delivered from now on count in h.
func (u *overloadAudience) begin(h *hdrhistogram.Histogram) { u.a.lag = h }

// tick publishes the next event. One that is refused is forgotten: the next takes its
// number, and its own due time.
func (u *overloadAudience) tick(due int64) error {
	p := u.p
	if p.closed {
		if p.busy {
			u.lost++
			u.seq++
			for _, s := range u.a.streams {
				s.any = true
			}
		}
		p.busy = false
		if err := p.connect(); err != nil {
			return err
		}
	}
	if p.busy || u.over {
		return nil
	}
	return p.start(event{"audience", "overload/ticker", payload{audienceToken, u.seq + 1, due}, u.o.PayloadBytes})
}

// whole says whether everything that was taken has come.
func (u *overloadAudience) whole() bool {
	return (!u.p.busy || u.p.closed) && u.a.delivered >= u.want
}
