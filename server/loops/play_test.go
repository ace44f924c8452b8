package loops

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"throng/internal/simio"
	"throng/sse"
)

// play is the world of a story: one rig, and its clients by their names.
type play struct {
	*rig
	t       *testing.T
	clients map[string]*client
	late    []Entry // in the log of a store that nodes share, not yet in this one's ring
}

// client is one connection of a story.
type client struct {
	peer    *simio.Peer
	parser  sse.Parser
	ids     []string // of the events it was told
	refused bool
	left    bool
}

// do runs one command.
func (p *play) do(args []string) string {
	cmd, args := args[0], args[1:]
	if p.rig == nil && cmd != "start" {
		return "start first"
	}
	switch cmd {
	case "start":
		return p.start(args)
	case "publish":
		return p.publishes(args)
	case "append":
		return p.appends(args)
	case "attach":
		return p.attaches(args)
	case "refuse":
		return p.refuses(args)
	case "turn":
		return p.turns(args)
	case "sleep":
		return p.sleeps()
	case "settle":
		p.settle()
		return ""
	case "clock":
		p.k.Advance(p.duration(args[0]))
		return ""
	case "pass":
		p.pass(p.duration(args[0]))
		return ""
	case "drain":
		p.g.Drain(p.duration(args[0]))
		return ""
	case "figures":
		return p.figures()
	case "got":
		return p.got(args)
	case "elsewhere", "arrive", "away", "back", "cut", "notice", "page", "paging":
		return p.colds(cmd, args)
	}
	var out strings.Builder
	for _, name := range p.names(args[0]) {
		c := p.clients[name]
		if c == nil {
			return "no such client: " + name
		}
		out.WriteString(p.client(c, cmd, args[1:]))
	}
	return out.String()
}

// client runs a command that concerns one client.
func (p *play) client(c *client, cmd string, args []string) string {
	switch cmd {
	case "read":
		return c.read()
	case "stall":
		c.peer.Stall()
	case "resume":
		c.peer.Resume()
	case "take":
		return fmt.Sprintf("%d bytes", c.peer.Drain(p.number(args[0])))
	case "window":
		c.peer.SetWindow(p.number(args[0]))
	case "send":
		c.peer.Send(make([]byte, p.number(args[0])))
	case "fin":
		c.peer.CloseWrite()
	case "reset":
		c.peer.Reset()
		c.left = true
	case "close":
		c.peer.Close()
		c.left = true
	default:
		return "no such command: " + cmd
	}
	return ""
}

// names gives the names that a word stands for: bob, or crowd*3: crowd1 to crowd3.
func (p *play) names(word string) []string {
	name, count, many := strings.Cut(word, "*")
	if !many {
		return []string{word}
	}
	var all []string
	for i := range p.number(count) {
		all = append(all, name+strconv.Itoa(i+1))
	}
	return all
}

func (p *play) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *play) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

// start makes the rig: start [loops=N] [rows=N] [ring=N] [turn=N] [pins=N] [retain=N]
// [client=N] [linger=D] [heartbeat=D] [stall=D] [lag=POLICY]
// [scans=N] [cold=N: a log has N events in memory] [shared=N: that, and nodes share it].
func (p *play) start(args []string) string {
	s := calm()
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		numbers := map[string]*int{"loops": &s.Loops, "rows": &s.RowsMax, "ring": &s.RingEvents, "turn": &s.TurnWritesMax,
			"pins": &s.PinnedMax, "retain": &s.retain, "client": &s.ClientBytesMax, "scans": &s.ScansMax}
		durations := map[string]*time.Duration{"linger": &s.LingerTimeout, "heartbeat": &s.Heartbeat, "stall": &s.StallTimeout}
		switch {
		case numbers[name] != nil:
			*numbers[name] = p.number(value)
		case durations[name] != nil:
			*durations[name] = p.duration(value)
		case name == "cold" || name == "shared":
			s.wrap = p.makeCold(value, name == "shared")
		case name == "lag":
			var ok bool
			if s.Lag, ok = ParseLagPolicy(value); !ok {
				return "no such policy: " + value
			}
		default:
			return "no such option: " + name
		}
	}
	p.rig = newRig(p.t, s)
	return ""
}

// data gives the words, where x*3 is xxx and / is a line break.
func data(words []string) string {
	text := slices.Clone(words)
	for i, w := range text {
		if s, count, ok := strings.Cut(w, "*"); ok {
			n, _ := strconv.Atoi(count)
			text[i] = strings.Repeat(s, n)
		}
	}
	return strings.ReplaceAll(strings.Join(text, " "), " / ", "\n")
}

// publishes puts an event into log and ring: publish NAMESPACE TOPIC[,TOPIC] DATA. With
// NAMESPACE*N it does so N times.
func (p *play) publishes(args []string) string {
	return p.stores(args, func(ns *Namespace, topics []string, data string) *sse.Event {
		return p.rig.publish(ns, topics, data)
	})
}

// appends puts an event into the log only, as while a committer waits for the ring.
func (p *play) appends(args []string) string { return p.stores(args, p.rig.append) }

func (p *play) stores(args []string, how func(*Namespace, []string, string) *sse.Event) string {
	name, count, many := strings.Cut(args[0], "*")
	n := 1
	if many {
		n = p.number(count)
	}
	var e *sse.Event
	first := ""
	for range n {
		e = how(p.space(name), strings.Split(args[1], ","), data(args[2:]))
		if first == "" {
			first = e.ID.String()
		}
	}
	if waiting := len(p.backlog); waiting > 0 {
		return fmt.Sprintf("%s to %v, %d wait for room in the ring", first, e.ID, waiting)
	}
	if many {
		return fmt.Sprintf("%s to %v", first, e.ID)
	}
	return first
}

// attaches hands a connection over: attach NAME NAMESPACE TOPIC[,TOPIC] [from=ID|earliest|lost]
// [json] [stalled] [window=N]. NAME*N makes N of them.
func (p *play) attaches(args []string) string {
	for _, name := range p.names(args[0]) {
		a := &Attach{NS: p.space(args[1]), Topics: strings.Split(args[2], ","), Head: []byte("HTTP/1.1 200 OK\r\n\r\n"), Full: []byte("HTTP/1.1 503\r\n\r\n")}
		fd, peer := p.connect()
		for _, arg := range args[3:] {
			word, value, _ := strings.Cut(arg, "=")
			switch {
			case word == "json":
				a.Format = sse.FormatJSON
			case word == "stalled":
				peer.Stall()
			case word == "window":
				peer.SetWindow(p.number(value))
			case value == "earliest":
				a.From = FromEarliest
			case value == "lost":
				a.From, a.Requested = FromLost, "something else"
			case word == "floor":
				id, err := sse.ParseID(value)
				if err != nil {
					return err.Error()
				}
				a.Floor = id
			case word == "from":
				id, err := sse.ParseID(value)
				if err != nil {
					return err.Error()
				}
				a.From, a.ID, a.Requested = FromID, id, value
			}
		}
		p.clients[name] = &client{peer: peer}
		p.g.Attach(fd, a)
	}
	return ""
}

// refuses hands a refused request over: refuse NAME BYTES [stalled].
func (p *play) refuses(args []string) string {
	fd, peer := p.connect()
	if len(args) > 2 {
		peer.Stall()
	}
	p.clients[args[0]] = &client{peer: peer, refused: true}
	p.g.Refuse(fd, []byte(strings.Repeat("n", p.number(args[1])-1)+"o"), nil)
	return ""
}

// turns gives the loops some turns: turn [N].
func (p *play) turns(args []string) string {
	n := 1
	if len(args) > 0 {
		n = p.number(args[0])
	}
	more := false
	for range n {
		more = p.turn(0)
		p.flush()
	}
	if more {
		return "there is more"
	}
	return ""
}

// sleeps lets the loops fall asleep: news is dealt with by whoever brings it, until the
// next turn.
func (p *play) sleeps() string {
	var out strings.Builder
	for _, l := range p.g.Loops() {
		switch ms := l.patience(false); {
		case ms < 0:
			out.WriteString("without an end\n")
		case ms == 0:
			out.WriteString("not at all, there is news\n")
		default:
			fmt.Fprintf(&out, "for %d ms\n", ms)
		}
	}
	return out.String()
}
