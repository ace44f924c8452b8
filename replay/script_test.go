package replay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"throng/sse"
)

var rewrite = flag.Bool("rewrite", false, "write what happened into testdata/script instead of comparing")

// TestMemory_Stories runs every story of testdata/script. In a story a line that starts
// with > is a command, one that starts with # is the teller's, and the others are what the
// command above them answered. With -rewrite the answers are replaced: then read the diff.
func TestMemory_Stories(t *testing.T) { runStories(t, "testdata/script/*.txt", tell) }

// runStories compares each story with what it is when it is told anew.
func runStories(t *testing.T, pattern string, tell func(story string) []byte) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := tell(string(want))
			switch {
			case *rewrite:
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			case !bytes.Equal(got, want):
				t.Errorf("the story went otherwise:\n%s", got)
			}
		})
	}
}

// tell plays a story and writes it down again with the answers that came.
func tell(story string) []byte {
	var out bytes.Buffer
	var p play
	for line := range strings.Lines(story) {
		line = strings.TrimRight(line, "\n")
		switch command, ok := strings.CutPrefix(line, "> "); {
		case ok:
			fmt.Fprintf(&out, "%s\n%s\n", line, strings.TrimRight(p.do(strings.Fields(command)), "\n"))
		case line == "" || line[0] == '#':
			fmt.Fprintln(&out, line)
		}
	}
	return out.Bytes()
}

// play is the world of a story: a clock that only its commands move, and one store.
type play struct {
	now   time.Time
	opts  MemoryOptions
	store *Memory
	logs  map[string]Log // as somebody who opened them still holds them
}

// do runs one command.
func (p *play) do(args []string) string {
	switch cmd := args[0]; {
	case cmd == "start":
		return p.start(args[1:])
	case cmd == "clock":
		d, err := time.ParseDuration(args[1])
		if err != nil {
			return err.Error()
		}
		p.now = p.now.Add(d)
		return "ok"
	case cmd == "sweep":
		p.store.Sweep(p.now)
		return "ok"
	case cmd == "stats":
		s := p.store.Stats()
		return fmt.Sprintf("%d namespaces, %d events, %d bytes, %d keys", s.Namespaces, s.Events, s.Bytes, s.Keys)
	case cmd == "close":
		return answer(p.store.Close())
	case cmd == "open":
		l, err := p.store.Open(args[1])
		if err == nil {
			p.logs[args[1]] = l
			return "first " + l.First().String() + ", last " + l.Last().String()
		}
		return err.Error()
	case cmd == "evict":
		return answer(p.store.Evict(args[1]))
	case p.logs[args[1]] == nil:
		return "not open: " + args[1]
	case cmd == "append":
		return p.append(p.logs[args[1]], args[2:])
	case cmd == "after":
		return p.after(p.logs[args[1]], args[2:])
	}
	return "no such command"
}

// start makes a store, the first or after a stop: start [events=N] [bytes=N] [age=D]
// [total=N] [namespaces=N] [keys=N] [window=D] [tombs=N].
func (p *play) start(args []string) string {
	if p.store == nil {
		p.now = time.UnixMilli(1000)
		p.opts = MemoryDefaults()
		p.opts.Now = func() time.Time { return p.now }
	}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		n, notNumber := strconv.Atoi(value)
		d, notDuration := time.ParseDuration(value)
		if notNumber != nil && notDuration != nil {
			return "bad value: " + arg
		}
		switch name {
		case "events":
			p.opts.EventsMax = n
		case "bytes":
			p.opts.BytesMax = int64(n)
		case "age":
			p.opts.AgeMax = d
		case "total":
			p.opts.TotalBytesMax = int64(n)
		case "namespaces":
			p.opts.NamespacesMax = n
		case "keys":
			p.opts.KeysMax = n
		case "window":
			p.opts.KeyWindow = d
		case "tombs":
			p.opts.TombstonesMax = n
		default:
			return "no such limit: " + name
		}
	}
	p.store, p.logs = NewMemory(p.opts), make(map[string]Log)
	return "ok"
}

// append publishes one batch: append NS DATA[@KEY] …; 5*DATA is five such records.
func (p *play) append(l Log, args []string) string {
	var batch []Record
	for _, arg := range args {
		times := 1
		if n, rest, ok := strings.Cut(arg, "*"); ok {
			times, _ = strconv.Atoi(n)
			arg = rest
		}
		data, key, _ := strings.Cut(arg, "@")
		for range times {
			e := &sse.Event{Topics: []string{"t"}, Data: []byte(data)}
			batch = append(batch, Record{Event: e, Key: key, Sum: sha256.Sum256([]byte(data))})
		}
	}
	if err := l.Append(context.Background(), batch); err != nil {
		return err.Error()
	}
	var out strings.Builder
	for _, r := range batch {
		switch {
		case r.Err != nil:
			fmt.Fprintln(&out, "refused:", r.Err)
		case r.Duplicate:
			fmt.Fprintln(&out, r.Event.ID, "duplicate")
		default:
			fmt.Fprintln(&out, r.Event.ID)
		}
	}
	return out.String()
}

// after reads on: after NS ID|first [UPTO], to the end, page by page.
func (p *play) after(l Log, args []string) string {
	at, err := sse.ParseID(args[0])
	if args[0] == "first" {
		at, err = l.First(), nil
	}
	upTo := l.Last()
	if len(args) > 1 && err == nil {
		upTo, err = sse.ParseID(args[1])
	}
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for page := make([]*sse.Event, 2); ; {
		n, err := l.After(context.Background(), at, upTo, page)
		if gone := (*GoneError)(nil); errors.As(err, &gone) {
			return fmt.Sprintf("gone: earliest %s, resume from %s", gone.Earliest, gone.Resume)
		}
		if err != nil {
			return err.Error()
		}
		if n == 0 {
			break
		}
		for _, e := range page[:n] {
			fmt.Fprintf(&out, "%s %s\n", e.ID, e.Data)
		}
		at = page[n-1].ID
	}
	if out.Len() == 0 {
		return "nothing"
	}
	return out.String()
}

// answer is the text of a result without a value.
func answer(err error) string {
	if err != nil {
		return err.Error()
	}
	return "ok"
}
