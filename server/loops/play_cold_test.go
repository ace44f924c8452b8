package loops

import (
	"fmt"
	"strings"

	"throng/replay"
	"throng/sse"
)

// makeCold makes logs that have so many events in memory.
func (p *play) makeCold(recent string, shared bool) func(replay.Log) *cold {
	n := uint64(p.number(recent))
	return func(log replay.Log) *cold {
		c := &cold{Log: log, recent: n}
		if last := log.Last(); shared {
			c.tail = &last
		}
		return c
	}
}

// colds runs a command that concerns logs which are not in memory:
//
//   - elsewhere NAMESPACE TOPIC[,TOPIC] DATA: another node appends an event; NAMESPACE*N: N times
//   - arrive NAMESPACE: this node's tail reads what others appended
//   - away NAMESPACE, back NAMESPACE: the store can't be read, and can again
//   - cut NAMESPACE ID: history up to ID is removed
//   - notice NAMESPACE ID [DATA]: the tail tells everybody a gap; without DATA only its position
//   - page: nobody reads pages, until the next settle or turn, but this one
//   - paging: what was read by pagers
func (p *play) colds(cmd string, args []string) string {
	switch cmd {
	case "elsewhere":
		return p.stores(args, func(ns *Namespace, topics []string, data string) *sse.Event {
			e := p.append(ns, topics, data)
			p.late = append(p.late, Entry{Event: e, NS: ns, At: p.k.Now()})
			return e
		})
	case "arrive":
		p.backlog, p.late = append(p.backlog, p.late...), nil
		p.flush()
		return ""
	case "page":
		if !p.g.pager.serve(false) {
			return "nobody asks for a page"
		}
		return ""
	case "paging":
		c := p.g.Paging()
		return fmt.Sprintf("%d pages with %d events", c.Pages, c.Events)
	}
	ns := p.space(args[0])
	c := p.rig.colds[args[0]]
	if c == nil {
		return "its log is in memory"
	}
	switch cmd {
	case "away":
		c.away = true
	case "back":
		c.away = false
	default:
		id, err := sse.ParseID(args[1])
		if err != nil {
			return err.Error()
		}
		if cmd == "cut" {
			c.cut = id
			break
		}
		e := &sse.Event{ID: id}
		if len(args) > 2 {
			e = sse.NewGap(strings.Join(args[2:], " "), id, id)
		}
		p.backlog = append(p.backlog, Entry{Event: e, NS: ns})
		p.flush()
	}
	return ""
}
