package bench

import (
	"errors"
	"fmt"
	"testing"
)

// block is an event as a server writes it.
func block(id int, token, seq uint64) string {
	return fmt.Sprintf("id: 1-%d\ndata: %s\n\n", id, appendPayload(nil, payload{token: token, seq: seq}, 60))
}

const gapBlock = "id: 1-5\nevent: throng.gap\ndata: {\"requested\":\"1-1\",\"earliest\":\"1-5\"}\n\n"

func TestStream_Verifies(t *testing.T) {
	const attach = goodHead + "retry: 1\nid: 1-1\n\n"
	for name, c := range map[string]struct {
		input string
		exact bool
		want  error
	}{
		"in order":               {attach + block(2, 7, 1) + block(3, 7, 2), true, nil},
		"an idle position":       {attach + block(2, 7, 1) + "id: 1-9\n\n" + block(10, 7, 2), true, nil},
		"twice":                  {attach + block(2, 7, 1) + block(3, 7, 1), true, errDuplicate},
		"out of order":           {attach + block(2, 7, 1) + block(3, 7, 2) + block(4, 7, 1), true, errDuplicate},
		"missing at the start":   {attach + block(2, 7, 2), true, errMissing},
		"missing":                {attach + block(2, 7, 1) + block(3, 7, 3), false, errMissing},
		"another's":              {attach + block(2, 8, 1), true, errToken},
		"same ID":                {attach + block(2, 7, 1) + block(2, 7, 2), true, errOrder},
		"ID of the attachment":   {attach + block(1, 7, 1), true, errOrder},
		"no ID":                  {attach + "data: x\n\n", true, errNoID},
		"not a payload":          {attach + "id: 1-2\ndata: hello\n\n", true, errPayload},
		"a gap where none may":   {attach + gapBlock, true, errGap},
		"a gap that is told":     {attach + block(2, 7, 1) + gapBlock + block(6, 7, 5), false, nil},
		"a second gap is silent": {attach + gapBlock + block(6, 7, 5) + block(7, 7, 7), false, errMissing},
	} {
		s := &stream{audience: &audience{exact: c.exact}, token: 7}
		if err := s.scan.feed([]byte(c.input), s); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if !s.attached || s.audience.attached != 1 {
			t.Errorf("%s: not attached", name)
		}
	}
}

func TestStream_AnyFirstEvent(t *testing.T) {
	s := &stream{audience: &audience{exact: true}, token: 7, any: true}
	if err := s.scan.feed([]byte(goodHead+block(2, 7, 40)+block(3, 7, 41)), s); err != nil {
		t.Error(err)
	}
	if err := s.scan.feed([]byte(block(4, 7, 43)), s); !errors.Is(err, errMissing) {
		t.Errorf("after the first event: %v", err)
	}
}

func TestSubscription_Request(t *testing.T) {
	var target target
	got := string(subscription{ns: "a", topic: "b/c", lastID: "1-2"}.request(target))
	want := "GET /events?ns=a&topic=b/c HTTP/1.1\r\nHost: invalid AddrPort\r\nAccept: text/event-stream\r\nLast-Event-ID: 1-2\r\n\r\n"
	if got != want {
		t.Errorf("%q", got)
	}
}
