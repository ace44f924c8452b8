package bench

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// arrivals counts how the streams of an audience came in. To an audience any answer but
// an event stream is a fault; here an honest refusal is one of the outcomes.
type arrivals struct {
	audience *audience
	head     *hdrhistogram.Histogram // due to the end of the answer's head, ns
	attach   *hdrhistogram.Histogram // due to the point of attachment, ns
	refusal  func(status int, head []byte) bool
	onAttach func(v *arrival)
	onEnd    func(v *arrival) // refused, or gone before it was attached

	tried, attached, refused, failed int
}

func newArrivals(a *audience) *arrivals {
	return &arrivals{audience: a, head: newHistogram(), attach: newHistogram(), refusal: isShed}
}

// settled counts the openings whose outcome is known.
func (v *arrivals) settled() int { return v.attached + v.refused + v.failed }

// arrival is one stream from its connect on.
type arrival struct {
	*stream
	from *arrivals
	due  int64
	in   []byte  // of the answer, up to the point of attachment; nil: behind it
	body int     // where the next block begins in it; 0: the head is not whole
	at   eventID // where it attached, when the server has said so
	over bool    // refused or failed
}

// firstBlockMax bounds what an arrival keeps before its first block, bytes.
const firstBlockMax = 32 << 10

// open starts a stream that was due at a time.
func (v *arrivals) open(sub subscription, due int64) (*arrival, error) {
	if sub.i == 0 {
		sub.i = uint64(v.tried)
	}
	return v.openWith(sub, sub.request(v.audience.target), due)
}

func (v *arrivals) openWith(sub subscription, request []byte, due int64) (*arrival, error) {
	v.tried++
	s, err := v.audience.openWith(sub, request)
	if err != nil {
		return nil, err
	}
	s.dialed = due
	a := &arrival{stream: s, from: v, due: due, in: []byte{}}
	s.conn.owner = a
	return a, nil
}

// openAll lets open start n streams, as fast as they settle, and waits for the last.
func (v *arrivals) openAll(r *run, n int, open func(i int) error) error {
	for i := range n {
		if err := open(i); err != nil {
			return err
		}
		if v.tried-v.settled() < connectsMax {
			continue
		}
		err := r.w.until(r.ctx, "streams attach", attachLimit, func() bool { return v.tried-v.settled() < connectsMax/2 })
		if err != nil {
			return err
		}
	}
	return r.w.until(r.ctx, "the last streams attach", attachLimit, func() bool { return v.settled() == v.tried })
}

// received implements handler.
func (a *arrival) received(c *conn, p []byte) error {
	if a.in == nil {
		return a.pass(c, p)
	}
	a.in = append(a.in, p...)
	if a.body > 0 {
		a.firstBlock()
		return a.pass(c, p)
	}
	end := bytes.Index(a.in, []byte("\r\n\r\n"))
	if end < 0 {
		if len(a.in) > replyHeadMax {
			return errTooLong
		}
		return nil
	}
	a.body = end + 4
	record(a.from.head, a.from.audience.swarm.now()-a.due)
	if head := a.in[:end+2]; a.from.refusal(statusOf(head), head) {
		a.from.refused++
		c.close()
		a.end()
		return nil
	}
	whole := a.in
	a.firstBlock()
	return a.pass(c, whole)
}

// firstBlock looks for the point of attachment: the first block that has an ID, when it
// has no data.
func (a *arrival) firstBlock() {
	for {
		end := bytes.Index(a.in[a.body:], []byte("\n\n"))
		if end < 0 {
			break
		}
		f, err := parseBlock(a.in[a.body : a.body+end+1])
		a.body += end + 2
		if err == nil && f.id == nil && f.data == nil {
			continue
		}
		if err == nil && f.data == nil {
			a.at, _ = parseID(f.id)
		}
		a.in = nil
		return
	}
	if len(a.in) > firstBlockMax {
		a.in = nil
	}
}

// pass gives the stream what was read.
func (a *arrival) pass(c *conn, p []byte) error {
	before := a.attached
	err := a.stream.received(c, p)
	if !before && a.attached {
		a.from.attached++
		record(a.from.attach, a.from.audience.swarm.now()-a.due)
		if a.from.onAttach != nil {
			a.from.onAttach(a)
		}
	}
	return err
}

func (a *arrival) end() {
	a.over = true
	if a.from.onEnd != nil {
		a.from.onEnd(a)
	}
}

// gone implements handler.
func (a *arrival) gone(c *conn, err error) {
	if a.attached {
		a.stream.gone(c, err)
		return
	}
	a.from.failed++
	a.end()
}

// isShed says whether an answer is that of a server that protects itself: 503, with the
// seconds after which to come back (RFC 9110, section 15.6.4).
func isShed(status int, head []byte) bool {
	value, ok := headerValue(bytes.ToLower(head), "retry-after")
	_, err := strconv.ParseUint(string(value), 10, 32)
	return status == 503 && ok && err == nil
}

// statusOf is the status of an answer, 0 when there is none.
func statusOf(head []byte) int {
	if len(head) < len("HTTP/1.1 200") || !bytes.HasPrefix(head, []byte("HTTP/1.")) {
		return 0
	}
	status, err := strconv.Atoi(string(head[9:12]))
	if err != nil {
		return 0
	}
	return status
}

// arrived reports on openings. Those refused count as right answers when fewer than all
// had to attach.
func (r *Report) arrived(v *arrivals, want int) {
	r.figure("connects tried", float64(v.tried), "")
	r.figure("connects that succeeded", 100*float64(v.attached)/float64(max(v.tried, 1)), "%")
	r.figure("connects refused with 503 and Retry-After", float64(v.refused), "")
	if want >= v.tried {
		r.check("streams attached", int64(v.tried), int64(v.attached))
	} else {
		r.checkThat("streams attached", fmt.Sprint("at least ", want), fmt.Sprint(v.attached), v.attached >= want)
	}
	r.check("connects neither attached nor refused", 0, int64(v.tried-v.attached-v.refused))
}
