package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/breaker"
	"throng/server/loops"
)

// queueStory is a queue layer that is told what happens, under virtual time.
type queueStory struct {
	q      *queue
	loops  loops.Figures
	begun  time.Time
	log    bytes.Buffer
	passes []breaker.Pass
}

// logger writes what a story shows of a transition.
func (s *queueStory) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey:
			return slog.Duration("at", a.Value.Time().Sub(s.begun))
		case slog.MessageKey, "layer":
			return slog.Attr{}
		}
		return a
	}}))
}

func newQueueStory() *queueStory {
	s := &queueStory{begun: time.Now()}
	o := Defaults()
	board := breaker.NewBoard(s.logger(), func(breaker.Layer, breaker.State) {})
	s.q = newQueue(&o, board, loops.ClockFrom(time.Now()), func(do func(loops.Figures)) { do(loops.Figures{}); do(s.loops) })
	return s
}

// play does what a line of the story says, and gives what came of it.
func (s *queueStory) play(line string) string {
	verb, rest, _ := strings.Cut(line, " ")
	var number float64
	_, _ = fmt.Sscan(rest, &number)
	span, _ := time.ParseDuration(rest)
	switch verb {
	case "behind":
		s.loops.BehindSeconds = span.Seconds()
	case "fill":
		s.loops.RingFill = number / 100
	case "wait":
		for end := time.Now().Add(span); time.Now().Before(end); {
			time.Sleep(min(queueLook, time.Until(end)))
			s.q.look(time.Now())
		}
	case "refuse": // one after the other, as far apart as it takes to count
		for range int(number) {
			time.Sleep(s.q.apart)
			s.q.refused(errMailboxFull, false)
		}
	case "burst": // at one moment
		time.Sleep(s.q.apart)
		for range int(number) {
			s.q.refused(errMailboxFull, false)
		}
	case "time-out":
		for range int(number) {
			s.q.refused(errPublishTimeout, true)
		}
	case "store":
		return s.store(int(number), nil)
	case "fail":
		return s.store(int(number), errStory)
	case "begin":
		for range int(number) {
			if pass, ok := s.q.enter(); ok {
				s.passes = append(s.passes, pass)
			}
		}
		return fmt.Sprintf("%d may pass\n", len(s.passes))
	case "end":
		for _, pass := range s.passes {
			s.q.settle(pass, nil)
		}
		s.passes = nil
	default:
		return "what is that?\n"
	}
	return ""
}

var errStory = fmt.Errorf("the disk is full")

func (s *queueStory) store(publishes int, err error) string {
	passed := 0
	for range publishes {
		if pass, ok := s.q.enter(); ok {
			s.q.settle(pass, err)
			passed++
		}
	}
	return fmt.Sprintf("%d of %d pass\n", passed, publishes)
}

// The stories say what the layer does, number by number.
func TestQueue_Stories(t *testing.T) {
	const file = "testdata/queue.txt"
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	for _, story := range strings.SplitAfter(string(script), "\n\n") {
		synctest.Test(t, func(*testing.T) {
			s := newQueueStory()
			for line := range strings.Lines(story) {
				line = strings.TrimRight(line, "\n")
				if strings.HasPrefix(line, "#") || line == "" {
					told.WriteString(line + "\n")
				}
				command, is := strings.CutPrefix(line, "> ")
				if !is {
					continue
				}
				answer := s.play(command)
				told.WriteString(line + "\n")
				_, _ = s.log.WriteTo(&told)
				told.WriteString(answer)
			}
		})
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(told.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if told.String() != string(script) {
		t.Errorf("%s tells another story; it went like this:\n%s", file, told.String())
	}
}
