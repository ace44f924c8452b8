package client

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"throng/sse"
)

func TestNew_RefusesWhatCantWork(t *testing.T) {
	for _, u := range []string{"", "localhost:8080", "ftp://x", "http://", "http:///path", "http://x?a=b", "http://x#f", "http://x:y:z", "//x", "http://a b"} {
		if _, err := New(u, Options{}); err == nil {
			t.Errorf("%q is taken", u)
		}
	}
	for _, o := range []Options{{SilenceMax: -1}, {BackoffMin: -1}, {BackoffMax: -1}, {SilenceMax: durationMax + 1}} {
		if _, err := New("http://x", o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestNew_PrefixAndSlashMakeOneURL(t *testing.T) {
	for base, want := range map[string]string{
		"http://x":         "http://x/events?ns=a",
		"http://x/":        "http://x/events?ns=a",
		"https://x:1/p/q":  "https://x:1/p/q/events?ns=a",
		"https://x:1/p/q/": "https://x:1/p/q/events?ns=a",
	} {
		c, err := New(base, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.url("events", query{"ns=a"}); got.String() != want || !strings.HasPrefix(got.RequestURI(), "/") {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

func TestError_TextAndTemporary(t *testing.T) {
	for _, c := range []struct {
		e         Error
		text      string
		temporary bool
	}{
		{Error{Status: 400, Code: "bad_topic", Detail: "an empty level"}, "client: the server refused with 400 Bad Request: bad_topic: an empty level", false},
		{Error{Status: 503}, "client: the server refused with 503 Service Unavailable", true},
		{Error{Status: 429}, "client: the server refused with 429 Too Many Requests", true},
		{Error{Status: 408}, "client: the server refused with 408 Request Timeout", true},
		{Error{Status: 599, Detail: "x"}, "client: the server refused with 599 : x", true},
		{Error{Status: 422, Code: "contract"}, "client: the server refused with 422 Unprocessable Entity: contract", false},
		{Error{Detail: "too big"}, "client: the server refused: too big", false},
	} {
		if c.e.Error() != c.text || c.e.Temporary() != c.temporary {
			t.Errorf("%+v: %q, temporary %v", c.e, c.e.Error(), c.e.Temporary())
		}
	}
}

func TestPermanent_IsWhatTryingAgainWontHelp(t *testing.T) {
	for err, want := range map[error]bool{
		io.ErrUnexpectedEOF:                      false,
		errSilence:                               false,
		&Error{Status: 500}:                      false,
		fmt.Errorf("x: %w", &Error{Status: 404}): true,
		fmt.Errorf("%w: y", ErrProtocol):         true,
		sse.ErrLineTooLong:                       true,
		sse.ErrEventTooLong:                      true,
	} {
		if permanent(err) != want {
			t.Errorf("%v: permanent %v", err, !want)
		}
	}
}

func TestRetryAfter_SecondsAndDates(t *testing.T) {
	now := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		text, date string
		want       time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"120", "", 2 * time.Minute},
		{"99999", "", askedWaitMax},
		{"99999999999999999999999", "", askedWaitMax},
		{"-1", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{at(time.Minute), "", time.Minute},
		{at(-time.Minute), "", 0},
		{at(24 * time.Hour), "", askedWaitMax},
		{at(time.Hour), at(time.Hour - time.Second), time.Second}, // the server's clock is ahead
		{at(time.Minute), "nonsense", time.Minute},
	} {
		h := http.Header{"Retry-After": {c.text}, "Date": {c.date}}
		if got := retryAfter(h, now); got != c.want {
			t.Errorf("Retry-After %q, Date %q: %v, want %v", c.text, c.date, got, c.want)
		}
	}
}

func TestBackoff_WindowDoublesUpToItsMax(t *testing.T) {
	b := &backoff{min: time.Second, max: 10 * time.Second}
	for n, want := range map[int]time.Duration{1: 1, 2: 2, 3: 4, 4: 8, 5: 10, 6: 10, math.MaxInt: 10} {
		if got := b.window(n); got != want*time.Second {
			t.Errorf("window %d is %v, want %v s", n, got, int(want))
		}
	}
	huge := &backoff{min: math.MaxInt64 / 3, max: math.MaxInt64}
	for n := range 100 {
		if w := huge.window(n + 1); w <= 0 {
			t.Fatalf("window %d is %v", n+1, w)
		}
	}
}

func TestBackoff_JitterFillsTheWindow(t *testing.T) {
	low, high := time.Duration(math.MaxInt64), time.Duration(0)
	for range 2000 {
		b := &backoff{min: time.Second, max: time.Second, retry: 10 * time.Second}
		d := b.next(errEnded)
		if d < 10*time.Second || d > 11*time.Second {
			t.Fatalf("wait %v", d)
		}
		low, high = min(low, d), max(high, d)
	}
	if low > 10*time.Second+100*time.Millisecond || high < 11*time.Second-100*time.Millisecond {
		t.Errorf("2000 waits lie between %v and %v only", low, high)
	}
	b := &backoff{min: time.Millisecond, max: time.Millisecond, retry: time.Second}
	if d := b.next(errors.Join(&Error{Status: 503, RetryAfter: time.Minute})); d < time.Minute || d > time.Minute+time.Millisecond {
		t.Errorf("with Retry-After the wait is %v", d)
	}
}

func TestReadError_OnlyProblemsAreTold(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		want       Error
	}{
		{"application/problem+json", `{"code":"c","detail":"d","title":"t","status":999}`, Error{Status: 502, Code: "c", Detail: "d"}},
		{"application/problem+json; charset=utf-8", `{"title":"t"}`, Error{Status: 502, Detail: "t"}},
		{"application/problem+json", `{"code":"c","detail":7}`, Error{Status: 502}},
		{"application/problem+json", `{"code":"` + strings.Repeat("x", problemBytesMax), Error{Status: 502}},
		{"text/html", "<h1>Bad gateway</h1>", Error{Status: 502}},
		{"", "", Error{Status: 502}},
	} {
		r := &http.Response{StatusCode: 502, Header: http.Header{"Content-Type": {c.kind}}}
		if got := readError(r, strings.NewReader(c.body)); *got != c.want {
			t.Errorf("%s %.30s: %+v", c.kind, c.body, *got)
		}
	}
}

func TestState_Names(t *testing.T) {
	if got := fmt.Sprint(Disconnected, Connected, Recovering); got != "DISCONNECTED CONNECTED RECOVERING" {
		t.Error(got)
	}
}
