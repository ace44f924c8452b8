package bench

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const goodHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n"

// collected keeps copies of what a scanner finds.
type collected []string

func (c *collected) frame(f frame) error {
	*c = append(*c, fmt.Sprintf("id=%q event=%q data=%q", f.id, f.event, f.data))
	return nil
}

// scanned feeds input in pieces of n bytes.
func scanned(input string, n int) (collected, error) {
	var s scanner
	var c collected
	for len(input) > 0 {
		n := min(n, len(input))
		if err := s.feed([]byte(input[:n]), &c); err != nil {
			return c, err
		}
		input = input[n:]
	}
	return c, nil
}

func TestScanner_WholeAndInPieces(t *testing.T) {
	input := goodHead + "retry: 3000\nid: 1-7\n\n" + ": comment\n\n" +
		"id: 1-8\nevent: n\ndata: hello\n\n" + "id:1-9\ndata:x: y\n\n" + "id: 1-10\ndata: \n\nid: 1-11\nda"
	want := collected{
		`id="1-7" event="" data=""`, `id="" event="" data=""`, `id="1-8" event="n" data="hello"`,
		`id="1-9" event="" data="x: y"`, `id="1-10" event="" data=""`,
	}
	for n := 1; n <= len(input); n++ {
		got, err := scanned(input, n)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("in pieces of %d: %v\n%s", n, err, strings.Join(got, "\n"))
		}
	}
}

func TestScanner_Refuses(t *testing.T) {
	for name, c := range map[string]struct {
		input string
		want  error
	}{
		"another status":     {"HTTP/1.1 503 Busy\r\nContent-Type: text/event-stream\r\n\r\n", errHead},
		"another type":       {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", errHead},
		"chunks":             {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", errHead},
		"an unknown field":   {goodHead + "id: 1-1\nfoo: bar\n\n", errForeign},
		"a second answer":    {goodHead + "HTTP/1.1 200 OK\nid: 1-1\n\n", errForeign},
		"two data lines":     {goodHead + "data: a\ndata: b\n\n", errRepeated},
		"two IDs":            {goodHead + "id: 1-1\nid: 1-2\n\n", errRepeated},
		"a head without end": {strings.Repeat("x", 2*carryBytesMax), errTooLong},
	} {
		if _, err := scanned(c.input, 4096); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Whole input and byte by byte agree on frames and on the verdict.
func FuzzScanner(f *testing.F) {
	f.Add(goodHead + "retry: 1\nid: 1-1\n\nid: 1-2\ndata: x\n\n")
	f.Add(goodHead + "\n\n\n\ndata\n\n:\n\n")
	f.Add("HTTP/1.1 200 OK\r\n\r\n")
	f.Fuzz(func(t *testing.T, input string) {
		whole, err := scanned(input, len(input)+1)
		single, err2 := scanned(input, 1)
		if (err == nil) != (err2 == nil) || !reflect.DeepEqual(whole, single) {
			t.Fatalf("whole: %v %v\nsingle: %v %v", whole, err, single, err2)
		}
	})
}
