package bench

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/HdrHistogram/hdrhistogram-go"

	"throng/bench/internal/resp"
)

// bareConns is how many connections bareStreams has.
const bareConns = 2

// bareStreams is the shortest way through Redis: one connection that adds to a stream for
// each namespace, and one that waits for news of all of them, in one XREAD.
type bareStreams struct {
	w      *swarm
	adding *conn
	asking *conn
	lag    *hdrhistogram.Histogram
	added  int64
	read   int64

	in    []byte // of the reply that is not whole yet
	words [][]byte
	index map[string]int // of keys in words
	seqs  []uint64
	key   int // whose entries are read
	out   []byte
	data  []byte
}

func bareKey(ns int) string { return "bare:" + strconv.Itoa(ns) }

// newBare connects both, and begins to wait.
func (r *run) newBare(addr string) (*bareStreams, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	n := r.o.Namespaces
	b := &bareStreams{w: r.w, index: make(map[string]int, n), seqs: make([]uint64, n)}
	for _, w := range []string{"XREAD", "BLOCK", "0", "STREAMS"} {
		b.words = append(b.words, []byte(w))
	}
	for i := range n {
		b.index[bareKey(i)] = i
		b.words = append(b.words, []byte(bareKey(i)))
	}
	for range n {
		b.words = append(b.words, []byte("0-0"))
	}
	if b.adding, err = r.w.connect(bareAdder{b}, dial{target: to}, nil); err != nil {
		return nil, err
	}
	b.asking, err = r.w.connect(b, dial{target: to}, resp.AppendCommand(nil, b.words...))
	return b, err
}

// add adds one event.
func (b *bareStreams) add(ns int, due int64, size int) error {
	b.added++
	b.seqs[ns]++
	b.data = appendPayload(b.data[:0], payload{uint64(ns), b.seqs[ns], due}, size)
	b.out = resp.AppendCommand(b.out[:0], []byte("XADD"), []byte(bareKey(ns)), []byte("*"), []byte("d"), b.data)
	return b.adding.send(b.out)
}

// received implements handler for the one that reads.
func (b *bareStreams) received(c *conn, p []byte) error {
	b.in = append(b.in, p...)
	if !resp.Whole(b.in) {
		return nil
	}
	rest, err := resp.Read(b.in, b.leaf)
	if err != nil {
		return err
	}
	b.in = append(b.in[:0], rest...)
	b.out = resp.AppendCommand(b.out[:0], b.words...)
	return c.send(b.out)
}

// Depths of the leaves of an answer to XREAD: [[key [[id [field value]]]]].
const (
	depthKey = 2
	depthID  = 4
)

// leaf takes a text of the answer.
func (b *bareStreams) leaf(depth int, text []byte) error {
	switch {
	case depth == depthKey:
		i, known := b.index[string(text)]
		if !known {
			return fmt.Errorf("bench: XREAD gives the key %q", text)
		}
		b.key = i
	case depth == depthID:
		b.words[len(b.words)-len(b.seqs)+b.key] = slices.Clone(text)
	case len(text) >= payloadBytesMin:
		e, err := parsePayload(text)
		if err != nil || e.token != uint64(b.key) {
			return fmt.Errorf("bench: %s gives %.200q: %w", bareKey(b.key), text, err)
		}
		b.read++
		record(b.lag, b.w.now()-e.due)
	}
	return nil
}

// gone implements handler.
func (b *bareStreams) gone(_ *conn, err error) {
	if err != errFault {
		b.w.fault("Redis closed the connection of XREAD: %v", err)
	}
}

// bareAdder is the handler of the connection that adds.
type bareAdder struct{ b *bareStreams }

// received looks for refusals; the IDs are nobody's interest.
func (bareAdder) received(_ *conn, p []byte) error {
	if len(p) > 0 && p[0] == '-' {
		return fmt.Errorf("bench: XADD: %.200q", p)
	}
	return nil
}

// gone implements handler.
func (a bareAdder) gone(_ *conn, err error) {
	if err != errFault {
		a.b.w.fault("Redis closed the connection of XADD: %v", err)
	}
}
