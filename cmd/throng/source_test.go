package main

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"throng/client"
)

func TestNDJSON_TakesEachFieldOrTheFlags(t *testing.T) {
	c := &publishCmd{Topic: []string{"flag"}, Event: "named", NS: "shop", NDJSON: true, Rank: "high"}
	for line, want := range map[string]client.PublishRequest{
		`{"data":"a"}`:                            {Topics: []string{"flag"}, Name: "named", Data: []byte("a")},
		`{"data":"a","topic":"x","event":"e"}`:    {Topics: []string{"x"}, Name: "e", Data: []byte("a")},
		`{"data":"a","topics":["x","y"]}`:         {Topics: []string{"x", "y"}, Name: "named", Data: []byte("a")},
		`{"data":"a","event":"","key":"k"}`:       {Topics: []string{"flag"}, Data: []byte("a"), IdempotencyKey: "k"},
		`{"data":"a","priority":"low"}`:           {Topics: []string{"flag"}, Name: "named", Data: []byte("a"), Priority: "low"},
		`{"data":"line\nbreak \"x\""}`:            {Topics: []string{"flag"}, Name: "named", Data: []byte("line\nbreak \"x\"")},
		`{"data":{"price": 1.50, "n":null}}`:      {Topics: []string{"flag"}, Name: "named", Data: []byte(`{"price": 1.50, "n":null}`)},
		`{"data":null}`:                           {Topics: []string{"flag"}, Name: "named", Data: []byte("null")},
		`{"data":12345678901234567890123}`:        {Topics: []string{"flag"}, Name: "named", Data: []byte("12345678901234567890123")},
		"  {\"data\":\"space around\"} \r":        {Topics: []string{"flag"}, Name: "named", Data: []byte("space around")},
		`{"data":"","topic":"x","topics":["y"]}`:  {Topics: []string{"y", "x"}, Name: "named", Data: []byte("")},
		`{"data":[1,2],"topic":"user/ümläut/42"}`: {Topics: []string{"user/ümläut/42"}, Name: "named", Data: []byte("[1,2]")},
	} {
		want.Namespace = "shop"
		want.Priority = cmp.Or(want.Priority, "high")
		if got := c.object(1, []byte(line)); got.err != nil || !reflect.DeepEqual(got.request, want) {
			t.Errorf("%s:\ngot  %+v (%v)\nwant %+v", line, got.request, got.err, want)
		}
	}
}

func TestNDJSON_RefusesLines(t *testing.T) {
	c := &publishCmd{NDJSON: true}
	for line, want := range map[string]error{
		`plain text`:                            errJSON,
		`[]`:                                    errJSON,
		`{"topic":"x"}`:                         errJSON,
		`{"topic":"x","data":"a"} {}`:           errJSON,
		`{"topic":"x","data":"a"`:               errJSON,
		`{"topic":7,"data":"a"}`:                errJSON,
		`{"topik":"x","data":"a"}`:              errJSON,
		`{"data":"a"}`:                          errNoTopic,
		"{\"topic\":\"x\",\"data\":[\"\xff\"]}": errNotUTF8,
	} {
		if got := c.object(1, []byte(line)); !errors.Is(got.err, want) {
			t.Errorf("%q: got %v, want %v", line, got.err, want)
		}
	}
}

func TestLines_KeepTheirNumbers(t *testing.T) {
	c := &publishCmd{NDJSON: true}
	var numbers []int
	for i := range c.fromLines(strings.NewReader("\n{\"topic\":\"a\",\"data\":1}\n\n  \nbad\n{\"topic\":\"a\",\"data\":2}")) {
		numbers = append(numbers, i.number)
	}
	if !slices.Equal(numbers, []int{2, 5, 6}) {
		t.Errorf("numbers of the lines: %v", numbers)
	}
	plain := &publishCmd{Topic: []string{"a"}}
	var data []string
	for i := range plain.fromLines(strings.NewReader("one\n\nthree\r\nfour")) {
		data = append(data, string(i.request.Data))
	}
	if !slices.Equal(data, []string{"one", "", "three", "four"}) {
		t.Errorf("lines: %q", data)
	}
}

func TestGather_TakesWhatWaitsWithinLimits(t *testing.T) {
	items := make(chan item, 2*batchEventsMax)
	for n := range 2 * batchEventsMax {
		items <- item{number: n + 2}
	}
	if got := gather(item{number: 1}, items); len(got) != batchEventsMax || got[len(got)-1].number != batchEventsMax {
		t.Errorf("%d events in a batch, want %d", len(got), batchEventsMax)
	}
	big := item{request: client.PublishRequest{Data: make([]byte, batchBytesMax)}}
	if got := gather(big, items); len(got) != 1 {
		t.Errorf("%d events in a batch that is full of bytes", len(got))
	}
	if got := gather(item{}, make(chan item)); len(got) != 1 {
		t.Errorf("%d events, when nothing waits", len(got))
	}
}

func TestURL_IsTheFirstArgumentWithAScheme(t *testing.T) {
	for _, c := range []struct {
		first string
		data  []string
		url   string
		want  []string
	}{
		{"", nil, defaultURL, nil},
		{"data", nil, defaultURL, []string{"data"}},
		{"https://a.example", []string{"data"}, "https://a.example", []string{"data"}},
		{"http://a.example", []string{"http://data.example"}, "http://a.example", []string{"http://data.example"}},
		{"data", []string{"http://a.example"}, defaultURL, []string{"data", "http://a.example"}},
		{"", []string{"more"}, defaultURL, []string{"", "more"}},
	} {
		p := publishCmd{First: c.first, Data: c.data}
		if url, data := p.split(); url != c.url || !slices.Equal(data, c.want) {
			t.Errorf("%q and %q: URL %s, data %q", c.first, c.data, url, data)
		}
	}
}
