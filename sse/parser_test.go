package sse

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// show is a message as one line of a golden list.
func show(m Message) string {
	switch m.Kind {
	case KindEvent:
		return fmt.Sprintf("event %q %q id %q", m.Name, m.Data, m.ID)
	case KindPosition:
		return fmt.Sprintf("position %q", m.ID)
	case KindComment:
		return fmt.Sprintf("comment %q", m.Data)
	case KindRetry:
		return fmt.Sprintf("retry %v", m.Retry)
	}
	return "none"
}

// parseIn feeds stream in pieces of at most step bytes and shows every message.
func parseIn(stream []byte, step int, l Limits) ([]string, error) {
	var out []string
	p := Parser{Limits: l}
	for len(stream) > 0 {
		piece := stream[:min(step, len(stream))]
		stream = stream[len(piece):]
		for {
			n, m, err := p.Parse(piece)
			if err != nil {
				return out, err
			}
			if piece = piece[n:]; m.Kind == KindNone {
				if len(piece) > 0 {
					return out, fmt.Errorf("%d bytes left behind", len(piece))
				}
				break
			}
			out = append(out, show(m))
		}
	}
	return out, nil
}

// The cases follow the sections "parsing" and "interpreting an event stream" of the standard.
var streams = []struct {
	about  string
	stream string
	want   []string
}{
	{"several data lines are one event", "data: a\ndata: b\ndata: c\n\n", []string{`event "" "a\nb\nc" id ""`}},
	{"one space after the colon is dropped, a second one stays", "data:x\n\ndata: x\n\ndata:  x\n\n",
		[]string{`event "" "x" id ""`, `event "" "x" id ""`, `event "" " x" id ""`}},
	{"a tab after the colon stays", "data:\tx\n\n", []string{`event "" "\tx" id ""`}},
	{"a data field without a value is an empty line", "data\n\ndata\ndata\n\n", []string{`event "" "" id ""`, `event "" "\n" id ""`}},
	{"data with an empty value fires too", "data:\n\n", []string{`event "" "" id ""`}},
	{"an unfinished event was never sent", "data: a\n\ndata: b\n", []string{`event "" "a" id ""`}},
	{"an unfinished line was never sent", "data: a", nil},
	{"the name is that of the last event line", "event: a\nevent: b\ndata: x\n\n", []string{`event "b" "x" id ""`}},
	{"an empty event line takes the name away", "event: a\nevent\ndata: x\n\n", []string{`event "" "x" id ""`}},
	{"message is the name of an event without one", "event: message\ndata: x\n\n", []string{`event "" "x" id ""`}},
	{"a name without data fires nothing and is forgotten", "event: a\n\ndata: x\n\n", []string{`event "" "x" id ""`}},
	{"the name does not live on", "event: a\ndata: x\n\ndata: y\n\n", []string{`event "a" "x" id ""`, `event "" "y" id ""`}},
	{"the id lives on", "id: 1-1\ndata: x\n\ndata: y\n\n", []string{`event "" "x" id "1-1"`, `event "" "y" id "1-1"`}},
	{"the id counts wherever it stands in the block", "data: x\nid: 1-1\n\n", []string{`event "" "x" id "1-1"`}},
	{"an empty id takes the id away", "id: 1-1\ndata: x\n\nid\ndata: y\n\n", []string{`event "" "x" id "1-1"`, `event "" "y" id ""`}},
	{"an id with NUL is no id", "id: 1-1\n\nid: 2\x00\ndata: x\n\n", []string{`position "1-1"`, `event "" "x" id "1-1"`}},
	{"an id alone moves the position", "id: 1-1\n\nid: 1-2\n\n\n", []string{`position "1-1"`, `position "1-2"`}},
	{"an id in a torn block is not a position", "id: 1-1\n\nid: 1-2\n", []string{`position "1-1"`}},
	{"a position with a name is a position", "event: a\nid: 1-1\n\ndata: x\n\n", []string{`position "1-1"`, `event "" "x" id "1-1"`}},
	{"comments are told and change nothing", ": hi\n:\ndata: x\n:mid\ndata: y\n\n:\n\n",
		[]string{`comment " hi"`, `comment ""`, `comment "mid"`, `event "" "x\ny" id ""`, `comment ""`}},
	{"retry counts at its own line", "data: x\nretry: 1500\n\n", []string{"retry 1.5s", `event "" "x" id ""`}},
	{"retry is digits only", "retry: 1.5\nretry: -1\nretry: +1\nretry: 1s\nretry:\nretry\nretry:  1\nretry: ٣\nretry: 007\n\n", []string{"retry 7ms"}},
	{"other fields are dropped", "foo: bar\ndata : x\nData: x\nID: 3\n x: y\n\ndata: z\n\n", []string{`event "" "z" id ""`}},
	{"LF, CR and CRLF end lines, mixed", "data: a\rdata: b\r\ndata: c\n\r\ndata: d\r\r", []string{`event "" "a\nb\nc" id ""`, `event "" "d" id ""`}},
	{"LF CR is two ends", "data: a\n\rdata: b\n\n", []string{`event "" "a" id ""`, `event "" "b" id ""`}},
	{"CR CR LF is two ends", "data: a\r\r\ndata: b\r\n\r\n", []string{`event "" "a" id ""`, `event "" "b" id ""`}},
	{"one byte order mark at the start is dropped", "\uFEFFdata: a\n\n\uFEFFdata: b\n\ndata: c\n\n", []string{`event "" "a" id ""`, `event "" "c" id ""`}},
	{"only one is", "\uFEFF\uFEFFdata: a\n\ndata: b\n\n", []string{`event "" "b" id ""`}},
	{"a mark inside data is data", "data: \uFEFFa\n\n", []string{`event "" "\ufeffa" id ""`}},
	{"empty lines tell nothing", "\n\r\r\n\n", nil},
	{"NUL in data is data", "data: a\x00b\n\n", []string{`event "" "a\x00b" id ""`}},
	{"form feed and vertical tab end nothing", "data: a\fb\vc\u0085d\u2028e\n\n", []string{`event "" "a\fb\vc\u0085d\u2028e" id ""`}},
	{"a stranger's id is text", "id: any thing: at all\ndata: x\n\n", []string{`event "" "x" id "any thing: at all"`}},
}

func TestParser_Golden(t *testing.T) {
	for _, c := range streams {
		for _, step := range []int{1, 2, 3, 5, 1 << 20} {
			got, err := parseIn([]byte(c.stream), step, Limits{})
			if err != nil || strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("%s (pieces of %d): %v\n got %q\nwant %q", c.about, step, err, got, c.want)
			}
		}
	}
}

func TestParser_LineEndingInCRTakesEffectAtOnce(t *testing.T) {
	var p Parser
	n, m, err := p.Parse([]byte("data: a\r\r"))
	if n != 9 || m.Kind != KindEvent || err != nil {
		t.Fatalf("took %d, kind %d, %v", n, m.Kind, err)
	}
	if n, m, err = p.Parse([]byte("\ndata: b\n\n")); n != 10 || string(m.Data) != "b" || err != nil {
		t.Fatalf("took %d, data %q, %v", n, m.Data, err)
	}
}

func TestParser_LimitsAreExactAndLast(t *testing.T) {
	l := Limits{LineBytesMax: 16, DataBytesMax: 20}
	for _, c := range []struct {
		stream string
		want   error
		events int
	}{
		{"data: 0123456789\n\n", nil, 1},
		{"data: 0123456789x\n\n", ErrLineTooLong, 0},
		{"data: a\n\n:0123456789abcdef\n", ErrLineTooLong, 1},
		{"data: a\n\n" + strings.Repeat("x", 10_000), ErrLineTooLong, 1},
		{"data:0123456789\ndata:012345678\n\n", nil, 1},
		{"data:0123456789\ndata:0123456789\n\n", ErrEventTooLong, 0},
		{strings.Repeat("data\n", 20) + "\n", nil, 1},
		{strings.Repeat("data\n", 22) + "\n", ErrEventTooLong, 0},
		{strings.Repeat("data:01234567890\n\n", 9), nil, 9},
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			got, err := parseIn([]byte(c.stream), step, l)
			if !errors.Is(err, c.want) || len(got) != c.events {
				t.Errorf("%.40q in pieces of %d: %d messages, %v; want %d, %v", c.stream, step, len(got), err, c.events, c.want)
			}
		}
	}
	p := Parser{Limits: l}
	for range 3 {
		if _, m, err := p.Parse([]byte("data: 0123456789x\n\ndata: a\n\n")); !errors.Is(err, ErrLineTooLong) || m.Kind != KindNone {
			t.Fatalf("after a failure: kind %d, %v", m.Kind, err)
		}
	}
}

func TestParser_LongLinesOfOneEndOnly(t *testing.T) {
	for _, end := range []string{"\n", "\r", "\r\n"} {
		stream := strings.Repeat("data:"+strings.Repeat("x", 3*scanBytesMax)+end+end, 3) + strings.Repeat(end, 2*scanBytesMax)
		got, err := parseIn([]byte(stream), 1<<30, Limits{})
		if err != nil || len(got) != 3 {
			t.Errorf("lines ended by %q: %d events, %v", end, len(got), err)
		}
	}
}

func TestParseRetry_HugeTimesAreCut(t *testing.T) {
	longest := math.MaxInt64 / time.Millisecond * time.Millisecond
	for text, want := range map[string]time.Duration{
		"0": 0, "1": time.Millisecond, "9223372036854": longest, "9223372036855": longest, "9223372036859": longest,
		"92233720368540": longest, strings.Repeat("9", 400): longest, strings.Repeat("0", 400) + "5": 5 * time.Millisecond,
	} {
		if got, ok := parseRetry([]byte(text)); !ok || got != want {
			t.Errorf("retry %.20s: %v, %v; want %v", text, got, ok, want)
		}
	}
	if _, ok := parseRetry([]byte(strings.Repeat("9", 40) + "x")); ok {
		t.Error("a letter after many digits is taken")
	}
}

func TestParser_NothingAllocatesOnceWarm(t *testing.T) {
	stream := []byte("id: 1-1\nevent: n\ndata: hello\ndata: world\n\nretry: 10\n:c\nid: 1-2\n\n")
	var p Parser
	n := testing.AllocsPerRun(100, func() {
		for b := stream; len(b) > 0; {
			n, _, err := p.Parse(b[:min(len(b), 11)])
			if err != nil {
				t.Fatal(err)
			}
			b = b[n:]
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
