package bench

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// text is a payload as servers send it.
func text(token, seq uint64) string {
	return string(appendPayload(nil, payload{token: token, seq: seq, due: 5}, 60))
}

// chunked writes text in chunks of n bytes.
func chunked(text string, n int) string {
	var b strings.Builder
	for len(text) > 0 {
		n := min(n, len(text))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, text[:n])
		text = text[n:]
	}
	return b.String()
}

// Streams as three servers send them, with what a client must make of them.
var samples = map[string]struct {
	input  string
	lastID string
}{
	"nchan": {
		"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: keep-alive\r\n\r\n" +
			": hi\n\nid: 1700000000:0\ndata: " + text(7, 1) + "\n\nid: 1700000000:1\ndata: " + text(7, 2) + "\n\n", "1700000000:1",
	},
	"Mercure": {
		"HTTP/1.1 200 OK\r\nCache-Control: private, no-cache, no-store, must-revalidate, max-age=0\r\n" +
			"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
			chunked(":\nid: urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427\ndata: "+text(7, 1)+"\n\n:\nevent: x\nretry: 5\n"+
				"id: urn:uuid:2\ndata: "+text(7, 2)+"\n\n", 33), "urn:uuid:2",
	},
	"Centrifugo": {
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n" +
			chunked("\r\n", 9) + chunked(`data: {"connect":{"client":"x y z","version":"6.0.0 OSS","subs":{"a":{}},"ping":25}}`+"\n\n"+
			`data: {"channel":"a","pub":{"data":"`+text(7, 1)+`","offset":1}}`+"\n\ndata: {}\n\n"+
			`data: {"channel":"a","pub":{"data":"`+text(7, 2)+`"}}`+"\n\n", 500), "0-0",
	},
	"CRLF, data in two lines, unknown fields": {
		"HTTP/1.1 200\r\ncontent-type:text/event-stream\r\n\r\n" +
			"data: {\"body\":\r\ndata: \"" + text(7, 1) + "\"}\r\nid: a b\r\nfoo: bar\r\n\r\ndata:" + text(7, 2) + "\r\n\r\n", "a b",
	},
}

func TestLoose_Samples(t *testing.T) {
	for name, sample := range samples {
		for n := 1; n <= len(sample.input); n++ {
			s := &stream{audience: &audience{exact: true}, token: 7}
			s.scan.loose = true
			for at := 0; at < len(sample.input); at += n {
				if err := s.scan.feed([]byte(sample.input[at:min(at+n, len(sample.input))]), s); err != nil {
					t.Fatalf("%s, in pieces of %d: %v", name, n, err)
				}
			}
			if s.seq != 2 || s.audience.delivered != 2 || s.lastID.String() != sample.lastID || s.scan.carry != nil {
				t.Fatalf("%s, in pieces of %d: event %d, %d delivered, last ID %v, %d bytes kept",
					name, n, s.seq, s.audience.delivered, s.lastID, len(s.scan.carry))
			}
		}
	}
}

func TestLoose_Verifies(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	wrapped := func(token, seq uint64) string { return `data: {"data":"` + text(token, seq) + `"}` + "\n\n" }
	for name, c := range map[string]struct {
		input string
		want  error
	}{
		"in order":           {wrapped(7, 1) + wrapped(7, 2), nil},
		"two in one block":   {"data: [\"" + text(7, 1) + "\",\"" + text(7, 2) + "\"]\n\n" + wrapped(7, 3), nil},
		"twice":              {wrapped(7, 1) + wrapped(7, 1), errDuplicate},
		"twice in one block": {"data: [\"" + text(7, 1) + "\",\"" + text(7, 1) + "\"]\n\n", errDuplicate},
		"missing":            {wrapped(7, 1) + wrapped(7, 3), errMissing},
		"another's":          {wrapped(8, 1), errToken},
		"torn":               {"data: " + text(7, 1)[:20] + "id: 3\ndata: " + text(7, 1) + "\n\n", errPayload},
		"runs on":            {"data: " + text(7, 1) + text(7, 2) + "\n\n", errPayload},
		"a foreign byte":     {"data: {\"" + strings.Replace(text(7, 1), "xx", "xy", 1) + "\"}\n\n", errPayload},
		"another answer":     {"HTTP/1.1 200 OK\r\n\r\n" + wrapped(7, 2), errMissing},
	} {
		s := &stream{audience: &audience{exact: true}, token: 7}
		s.scan.loose = true
		if err := s.scan.feed([]byte(head+c.input), s); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestScanner_LooseEndOfBody(t *testing.T) {
	s := scanner{loose: true}
	var c collected
	input := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
		chunked("data: a\n\n", 4) + "0\r\n\r\n"
	if err := s.feed([]byte(input), &c); err != errEnded || !reflect.DeepEqual(c, collected{`id="" event="" data="a"`}) {
		t.Errorf("%v, %q", err, c)
	}
}

func TestParseReply_Loose(t *testing.T) {
	d := &dialect{loose: true}
	for name, c := range map[string]struct {
		reply  string
		status int
		last   bool
	}{
		"nchan": {"HTTP/1.1 202 Accepted\r\nServer: nginx\r\nContent-Type: text/plain\r\nContent-Length: 17\r\nConnection: keep-alive\r\n\r\nqueued messages: ", 200, false},
		"the last one of a connection": {
			"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 200, true,
		},
		"Mercure":             {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nurn:uuid:1", 200, false},
		"Centrifugo":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(`{"result":{"offset":1}}`, 7) + "0\r\n\r\n", 200, false},
		"Centrifugo's error":  {"HTTP/1.1 200 OK\r\nContent-Length: 47\r\n\r\n" + `{"error":{"code":102,"message":"no such space"}}`[:47], 422, false},
		"no content":          {"HTTP/1.1 204 No Content\r\n\r\n", 200, false},
		"ends with its bytes": {"HTTP/1.0 200 OK\r\n\r\n", 200, true},
		"refused":             {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403, false},
	} {
		for n := range len(c.reply) {
			if used, _, err := d.parseReply([]byte(c.reply[:n])); used != 0 || err != nil {
				t.Fatalf("%s, %d bytes: used %d, %v", name, n, used, err)
			}
		}
		used, a, err := d.parseReply([]byte(c.reply + "HTTP"))
		if used != len(c.reply) || a.status != c.status || a.last != c.last || err != nil {
			t.Errorf("%s: used %d of %d, %+v, %v", name, used, len(c.reply), a, err)
		}
	}
}
