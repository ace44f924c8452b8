package bench

import (
	"strings"
	"testing"
)

// published is what a wire sends for a publish.
func published(t *testing.T, w Wire) string {
	t.Helper()
	d, err := w.dialect()
	if err != nil {
		t.Fatal(err)
	}
	request, _ := d.appendPublish(nil, nil, "/prefix", "host:1", words{ns: "n", topic: "a/b", data: []byte("0 1"), i: 7})
	return string(request)
}

func TestDialect_ThrongPublish(t *testing.T) {
	want := "POST /prefix/publish?ns=n&topic=a/b HTTP/1.1\r\nHost: host:1\r\nContent-Length: 3\r\n\r\n0 1"
	if got := published(t, Wire{}); got != want {
		t.Errorf("%q", got)
	}
}

// What the makers of three servers document for a publish.
func TestDialect_OtherServersPublish(t *testing.T) {
	for name, c := range map[string]struct {
		wire Wire
		want string
	}{
		"nchan": {
			Wire{Dialect: "sse", PublishPath: "/pub/{ns}/{topic}"},
			"POST /prefix/pub/n/a/b HTTP/1.1\r\nHost: host:1\r\nContent-Length: 3\r\n\r\n0 1",
		},
		"Mercure": {
			Wire{
				Dialect: "sse", PublishPath: "/.well-known/mercure", PublishBody: "topic={topic}&data={data}&id=urn:x:{i}",
				Headers: []string{"Authorization: Bearer x.y.z", "Content-Type: application/x-www-form-urlencoded"},
			},
			"POST /prefix/.well-known/mercure HTTP/1.1\r\nHost: host:1\r\nAuthorization: Bearer x.y.z\r\n" +
				"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 31\r\n\r\ntopic=a%2Fb&data=0+1&id=urn:x:7",
		},
		"Centrifugo": {
			Wire{
				Dialect: "sse", PublishPath: "/api/publish", PublishBody: `{"channel":"{topic}","data":"{data}"}`,
				Headers: []string{"X-API-Key: secret", "content-type: application/json"},
			},
			"POST /prefix/api/publish HTTP/1.1\r\nHost: host:1\r\nX-API-Key: secret\r\ncontent-type: application/json\r\n" +
				"Content-Length: 30\r\n\r\n" + `{"channel":"a/b","data":"0 1"}`,
		},
		"data in the path": {
			Wire{PublishMethod: "GET", PublishPath: "/send/{data}", PublishBody: "-"},
			"GET /prefix/send/0%201 HTTP/1.1\r\nHost: host:1\r\nContent-Length: 1\r\n\r\n-",
		},
	} {
		if got := published(t, c.wire); got != c.want {
			t.Errorf("%s:\n%q\n%q", name, got, c.want)
		}
	}
}

func TestDialect_Subscribe(t *testing.T) {
	w := Wire{
		Dialect: "sse", SubscribePath: `/connection/uni_sse?cf_connect={"subs":{"{topic}":{}}}&n={i}`,
		Headers: []string{"Authorization: x", "Content-Type: application/json"},
	}
	d, err := w.dialect()
	if err != nil {
		t.Fatal(err)
	}
	got := string(subscription{ns: "n", topic: "a/b", lastID: "1:0", i: 3}.request(target{wire: d, authority: "h"}))
	want := "GET /connection/uni_sse?cf_connect=%7B%22subs%22:%7B%22a/b%22:%7B%7D%7D%7D&n=3 HTTP/1.1\r\nHost: h\r\n" +
		"Accept: text/event-stream\r\nAuthorization: x\r\nLast-Event-ID: 1:0\r\n\r\n"
	if got != want {
		t.Errorf("\n%q\n%q", got, want)
	}
}

func TestWire_RefusesAndSaysWhy(t *testing.T) {
	for want, w := range map[string]Wire{
		"throng or sse":        {Dialect: "websocket"},
		"begins with /":        {SubscribePath: "events"},
		"no line end":          {PublishPath: "/publish\r\nX: y"},
		"publishes only":       {SubscribePath: "/events?{data}"},
		"has a {data}":         {PublishBody: "{dta}"},
		"capital letters":      {PublishMethod: "post it"},
		`"Name: value"`:        {Headers: []string{"Authorization"}},
		"in one line":          {Headers: []string{"A: b\r\nC: d"}},
		"write Content-Length": {Headers: []string{"Content-Length: 5"}},
	} {
		if _, err := w.dialect(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want it to say %q", w, err, want)
		}
	}
}

func TestRunningTarget_RefusesAndSaysWhy(t *testing.T) {
	for want, o := range map[string]Options{
		"want http://":     {URL: "https://127.0.0.1:1"},
		"paths have":       {URL: "http://127.0.0.1:1/?x=y"},
		"IPv4":             {URL: "http://[::1]:1"},
		"invalid port":     {URL: "http://127.0.0.1:x"},
		"throng or sse":    {URL: "http://127.0.0.1:1", Wire: Wire{Dialect: "x"}},
		"no schedstat":     {URL: "http://127.0.0.1:1", PID: 1 << 30},
		"connection refus": {URL: "http://127.0.0.1:1"},
	} {
		if _, err := runningTarget(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want it to say %q", o, err, want)
		}
	}
}
