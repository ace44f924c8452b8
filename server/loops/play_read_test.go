package loops

import (
	"fmt"
	"strings"

	"throng/sse"
)

const headOK = "HTTP/1.1 200 OK\r\n\r\n"

// read tells what a client has received since it was last asked.
func (c *client) read() string {
	var out strings.Builder
	if c.left {
		return "it left\n"
	}
	if b := c.peer.Received(); len(b) > 0 {
		c.parse(&out, c.peer.Read(len(b)))
	}
	if n := c.peer.Queued(); n > 0 {
		fmt.Fprintf(&out, "(%d bytes wait for it)\n", n)
	}
	switch {
	case c.peer.SawReset():
		out.WriteString("reset\n")
	case c.peer.SawFIN() && c.peer.ServerClosed():
		out.WriteString("closed\n")
	case c.peer.SawFIN():
		out.WriteString("end\n")
	}
	if out.Len() == 0 {
		return "nothing\n"
	}
	return out.String()
}

func (c *client) parse(out *strings.Builder, b []byte) {
	text := string(b)
	if c.refused || strings.HasPrefix(text, "HTTP/1.1 503") {
		fmt.Fprintf(out, "answer of %d bytes\n", len(text))
		return
	}
	if rest, ok := strings.CutPrefix(text, headOK); ok {
		b = b[len(headOK):]
		if rest == "" {
			return
		}
	}
	for len(b) > 0 {
		n, m, err := c.parser.Parse(b)
		b = b[n:]
		switch {
		case err != nil:
			fmt.Fprintln(out, err)
			return
		case m.Kind == sse.KindRetry:
			fmt.Fprintf(out, "retry %v\n", m.Retry)
		case m.Kind == sse.KindComment:
			out.WriteString("comment\n")
		case m.Kind == sse.KindPosition:
			fmt.Fprintf(out, "position %s\n", m.ID)
		case m.Kind == sse.KindEvent:
			c.ids = append(c.ids, string(m.ID))
			fmt.Fprintf(out, "event %s %s\n", m.ID, strings.TrimLeft(string(m.Name)+" "+short(m.Data), " "))
		case n > 0 && len(strings.Trim(string(b), "\n")) > 0:
			fmt.Fprintf(out, "part of a frame\n")
		}
	}
}

// short is data on one line, with long stretches of one letter as x*3.
func short(data []byte) string {
	var out strings.Builder
	text := strings.ReplaceAll(string(data), "\n", " / ")
	for i := 0; i < len(text); {
		n := 1
		for i+n < len(text) && text[i+n] == text[i] {
			n++
		}
		if n > 4 {
			fmt.Fprintf(&out, "%c*%d", text[i], n)
		} else {
			out.WriteString(text[i : i+n])
		}
		i += n
	}
	return out.String()
}

// got tells how many of a crowd have an event, and whether one has it twice: got NAME*N ID.
func (p *play) got(args []string) string {
	once, twice, names := 0, 0, p.names(args[0])
	for _, name := range names {
		c := p.clients[name]
		c.read()
		n := 0
		for _, id := range c.ids {
			if id == args[1] {
				n++
			}
		}
		switch {
		case n == 1:
			once++
		case n > 1:
			twice++
		}
	}
	if twice > 0 {
		return fmt.Sprintf("%d of %d, and %d have it twice", once, len(names), twice)
	}
	return fmt.Sprintf("%d of %d", once, len(names))
}

// figures tells the counts of all loops that are not zero.
func (p *play) figures() string {
	var out strings.Builder
	var sum Figures
	for _, l := range p.g.Loops() {
		f := l.Figures()
		sum.Rows += f.Rows
		sum.Streams += f.Streams
		sum.Lagging += f.Lagging
		sum.Pinned += f.Pinned
		sum.Heartbeats += f.Heartbeats
		sum.Replayed += f.Replayed
		sum.Gaps += f.Gaps
		sum.Lapped += f.Lapped
		sum.Reads += f.Reads
		sum.Scans += f.Scans
		sum.Waiting += f.Waiting
		for i := range f.Closed {
			sum.Closed[i] += f.Closed[i]
		}
	}
	fmt.Fprintf(&out, "rows %d, streams %d", sum.Rows, sum.Streams)
	for _, n := range []struct {
		what string
		n    int
	}{{"lagging", sum.Lagging}, {"pinned", sum.Pinned}, {"heartbeats", int(sum.Heartbeats)}, {"replayed", int(sum.Replayed)}, {"gaps", int(sum.Gaps)}, {"lapped", int(sum.Lapped)},
		{"waiting", sum.Waiting}, {"scans", int(sum.Scans)}, {"read", int(sum.Reads)}} {
		if n.n != 0 {
			fmt.Fprintf(&out, ", %s %d", n.what, n.n)
		}
	}
	for i, n := range sum.Closed {
		if n != 0 {
			fmt.Fprintf(&out, ", closed by %v %d", Reason(i), n)
		}
	}
	return out.String()
}
