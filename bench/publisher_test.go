package bench

import (
	"errors"
	"testing"
)

func TestParseReply_WholeAndPartial(t *testing.T) {
	const reply = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"id\":\"1-2\"}"
	for n := range len(reply) {
		if used, _, err := throngDialect.parseReply([]byte(reply[:n])); used != 0 || err != nil {
			t.Fatalf("%d bytes: used %d, %v", n, used, err)
		}
	}
	used, a, err := throngDialect.parseReply([]byte(reply + "HTTP"))
	if used != len(reply) || a.status != 200 || err != nil {
		t.Errorf("used %d, status %d, %v", used, a.status, err)
	}
}

func TestParseReply_Refusal(t *testing.T) {
	const reply = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}"
	if used, a, err := throngDialect.parseReply([]byte(reply)); used != len(reply) || a.status != 503 || err != nil {
		t.Errorf("used %d, status %d, %v", used, a.status, err)
	}
}

func TestParseReply_NotAnAnswer(t *testing.T) {
	for _, reply := range []string{
		"id: 1-2\ndata: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\":\"x\"}",
		string(make([]byte, replyHeadMax+1)),
	} {
		if _, _, err := throngDialect.parseReply([]byte(reply)); !errors.Is(err, errReply) {
			t.Errorf("%.60q: %v", reply, err)
		}
	}
}
