package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestCurl_GetsStreamWithItsHead(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s := startServer(t)
	c := curl(t, "-i", s.url+"/events?topic=a/%2B")
	for _, want := range []string{"HTTP/1.1 200", "Content-Type: text/event-stream", "Cache-Control: no-cache, no-transform", "X-Accel-Buffering: no", "retry: "} {
		c.wantLine(want)
	}
	s.awaitStreams(1)
	s.publish("a/b/c", "too deep") // not for a/+
	id := s.publish("a/b", "first\nsecond")
	for _, want := range []string{"id: " + id, "data: first", "data: second"} {
		c.wantLine(want)
	}
	if slices.Contains(c.out.all(), "data: too deep") {
		t.Error("an event of another topic was delivered")
	}
	s.stop()
	c.wantStatus(0) // the stream ended as streams do: by the close
}

func TestCurl_ResumesAfterItsLastID(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s := startServer(t)
	ids := s.publishNumbers("n", 0, 100)
	for _, from := range []struct {
		args []string
		id   int // the first that is wanted
	}{
		{[]string{"-H", "Last-Event-ID: " + ids[41], s.url + "/events?topic=n"}, 42},
		{[]string{s.url + "/events?topic=n&lastEventId=" + ids[41]}, 42},
		{[]string{s.url + "/events?topic=n&since=" + ids[98]}, 99},
		{[]string{s.url + "/events?topic=n&since=earliest"}, 0},
	} {
		c := curl(t, from.args...)
		c.wantLine("data: 99")
		if got := idsOfData(c.out.all()); !slices.Equal(got, ids[from.id:]) {
			t.Errorf("%q: %d events came, want %d: %q", from.args, len(got), 100-from.id, got)
		}
		c.signal(syscall.SIGTERM)
	}
}

func TestCurl_IsToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s := startServer(t)
	for path, want := range map[string]string{
		"/events":                "400 application/problem+json",
		"/events?topic=a//b":     "400 application/problem+json",
		"/events?topic=a&since=": "200 text/event-stream",
		"/elsewhere":             "404 application/problem+json",
		"/publish?topic=a":       "405 application/problem+json",
	} {
		if strings.HasPrefix(want, "200") {
			c := curl(t, "-i", s.url+path)
			c.wantLine("HTTP/1.1 200")
			continue
		}
		c := curl(t, "-w", "\n%{http_code} %{content_type}\n", s.url+path)
		c.wantStatus(0)
		c.wantLine(want)
	}
}

// A hundred thousand bytes in one event cross the server's and the kernel's buffers.
func TestCurl_GetsLargeEventWhole(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s := startServer(t, "--event-bytes-max=1MiB")
	c := curl(t, s.url+"/events?topic=big")
	c.wantLine("retry: ")
	s.awaitStreams(1)
	var text strings.Builder
	for n := range 100_000 {
		fmt.Fprintf(&text, "%d,", n)
	}
	s.publish("big", text.String())
	if got := c.wantLine("data: "); got != "data: "+text.String() {
		t.Errorf("the event has %d bytes, want %d", len(got), text.Len()+6)
	}
}
