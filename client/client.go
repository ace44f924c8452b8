package client

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"throng/sse"
)

// Defaults of Options.
const (
	SilenceMaxDefault = 60 * time.Second       // more than two heartbeats of a default server
	BackoffMinDefault = 500 * time.Millisecond // a restarted process is back by then
	BackoffMaxDefault = 30 * time.Second       // nobody waits longer than that after an outage
)

// durationMax is the longest duration of Options: a longer one is a slip of the unit.
const durationMax = 24 * time.Hour

// idleConnectionsMax is how many idle connections a Client keeps: that many goroutines may publish
// without connecting anew each time.
const idleConnectionsMax = 64

// Options are the settings of a Client. The zero value is ready to use.
type Options struct {
	// HTTP does the requests; nil means a client of its own with a pool of its own. Its Timeout
	// should be 0: it would cut every stream.
	HTTP *http.Client
	// Header is added to every request, for instance Authorization.
	Header http.Header
	// SilenceMax is how long a server may say nothing, not even a heartbeat, before its
	// connection is given up. 0: SilenceMaxDefault.
	SilenceMax time.Duration
	// BackoffMin and BackoffMax bound the window out of which the wait before a new connection
	// is drawn: it starts at BackoffMin and doubles with every failure. 0: the defaults.
	BackoffMin, BackoffMax time.Duration
	// Limits bound what one event may take. Zero: the defaults of package sse.
	Limits sse.Limits
}

// Client talks to one server. It may be used by many goroutines.
type Client struct {
	base    *url.URL
	options Options
}

// New is a Client of the server at baseURL, such as "https://push.example.org" or
// "http://127.0.0.1:8080/behind/a/prefix". It does not connect. The error tells what is wrong
// with baseURL or the options.
func New(baseURL string, o Options) (*Client, error) {
	base, err := url.Parse(baseURL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("client: %w", err)
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, fmt.Errorf("client: URL %q must start with http:// or https://", baseURL)
	case base.Host == "":
		return nil, fmt.Errorf("client: URL %q names no host", baseURL)
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("client: URL %q must not have a query or a fragment", baseURL)
	}
	for _, d := range []time.Duration{o.SilenceMax, o.BackoffMin, o.BackoffMax} {
		if d < 0 || d > durationMax {
			return nil, fmt.Errorf("client: the duration %v of the options is not between 0 and %v", d, durationMax)
		}
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: ownTransport()}
	}
	o.Header = o.Header.Clone()
	o.SilenceMax = durationOr(o.SilenceMax, SilenceMaxDefault)
	o.BackoffMin = durationOr(o.BackoffMin, BackoffMinDefault)
	o.BackoffMax = max(durationOr(o.BackoffMax, BackoffMaxDefault), o.BackoffMin)
	return &Client{base: base.JoinPath("/"), options: o}, nil
}

// ownTransport is the standard library's transport with a pool of its own, and with room for
// the idle connections of publishers.
func ownTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // the application has put its own there
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = idleConnectionsMax
	return t
}

func durationOr(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// url is the address of a call with its query.
func (c *Client) url(call string, q query) *url.URL {
	u := c.base.JoinPath(call)
	u.RawQuery = strings.Join(q, "&")
	return u
}

// header is a new header with what every request has.
func (c *Client) header() http.Header {
	h := http.Header{}
	maps.Copy(h, c.options.Header)
	return h
}

// query is a list of key=value. A server takes a plus sign in it as a plus sign (it is a wildcard),
// so a space must be sent as %20.
type query []string

// add adds key=value for every value.
func (q *query) add(key string, values ...string) {
	for _, v := range values {
		*q = append(*q, key+"="+strings.ReplaceAll(url.QueryEscape(v), "+", "%20"))
	}
}

// optional adds key=value unless value is empty.
func (q *query) optional(key, value string) {
	if value != "" {
		q.add(key, value)
	}
}
