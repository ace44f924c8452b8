package httpparse

import (
	"bufio"
	"bytes"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// stricter lists the refusals of heads that net/http.ReadRequest takes, and why we do not. It takes them for the
// sake of old peers or leaves the check to its server or handler; we stand behind proxies and answer at once.
var stricter = map[string]string{
	"bare_lf":              "net/http ends lines with LF alone; a proxy that does not sees other lines",
	"obs_fold":             "net/http joins folded lines; a proxy that does not sees other fields",
	"space_before_colon":   "net/http takes it for a part of the name; others trim it and see another field",
	"bad_target":           "net/http takes raw bytes over 0x7F, and * with every method",
	"fragment_in_target":   "net/http cuts the fragment off the path",
	"version_unsupported":  "net/http parses HTTP/1.2 and the preface of HTTP/2 and lets its server answer",
	"connect_refused":      "net/http can tunnel",
	"doubled_field":        "net/http takes equal lengths, and two of Authorization and the like",
	"missing_host":         "net/http leaves it to its server",
	"bad_host":             "net/http leaves it to its server, which asks less",
	"length_and_coding":    "net/http drops the length, as RFC 9112 §6.3 permits; a proxy may have kept it",
	"coding_in_http10":     "net/http ignores the coding in HTTP/1.0",
	"unknown_expectation":  "net/http leaves it to its server",
	"method_too_long":      "net/http has no such limit",
	"target_too_long":      "net/http has no such limit",
	"field_name_too_long":  "net/http has a limit for the whole head only",
	"field_value_too_long": "net/http has a limit for the whole head only",
	"too_many_fields":      "net/http has a limit for the whole head only",
	"head_too_large":       "net/http leaves it to its server",
}

// laxer lists what we take and net/http does not, by what its error says.
var laxer = map[string]string{
	"invalid URL escape":          "escapes are the decoder's business here",
	"malformed HTTP request \"\"": "one empty line is skipped, RFC 9112 §2.2",
}

// completed makes heads whole that a golden case cuts off behind the point of refusal.
func completed(head []byte) []byte {
	if bytes.Contains(head, []byte("\r\n\r\n")) {
		return head
	}
	head = append(bytes.Clone(head), "\r\n\r\n"...)
	if bytes.HasSuffix(head, []byte("\r\n\r\n\r\n")) {
		head = head[:len(head)-2]
	}
	return head
}

func differentialCorpus(tb testing.TB) (heads [][]byte) {
	for _, s := range seeds(tb, "request") {
		heads = append(heads, completed(s))
	}
	for _, c := range typicalRequests {
		heads = append(heads, []byte(c.head))
	}
	for _, long := range []string{
		strings.Repeat("M", 30) + " / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("N", 200) + ": b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("v", 9000) + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", 101) + "\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: "+strings.Repeat("v", 6000)+"\r\n", 3) + "\r\n",
	} {
		heads = append(heads, []byte(long))
	}
	return heads
}

// TestDifferential_NetHTTP: what both take means the same to both, what only one takes is in the lists above, and
// the lists hold nothing that no request shows.
func TestDifferential_NetHTTP(t *testing.T) {
	shown := map[string]bool{}
	for _, head := range differentialCorpus(t) {
		if reason := differ(t, head); reason != "" {
			shown[reason] = true
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(stricter)) {
		if !shown[reason] {
			t.Errorf("no request shows that we are stricter with %s", reason)
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(laxer)) {
		if !shown[reason] {
			t.Errorf("no request shows that net/http says %q", reason)
		}
	}
}

// FuzzDifferential looks for heads that net/http and we both take and understand differently.
func FuzzDifferential(f *testing.F) {
	for _, head := range differentialCorpus(f) {
		f.Add(head)
	}
	f.Fuzz(func(t *testing.T, head []byte) { differ(t, head) })
}

// differ compares one head and gives the reason why only one of the two takes it, "" when they agree.
func differ(t *testing.T, head []byte) string {
	lim := DefaultLimits()
	var r Request
	n, err := Parse(head, 0, &lim, &r)
	h, errHTTP := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	switch {
	case err == ErrPartial, err != nil && errHTTP != nil:
		return ""
	case err != nil:
		code := err.(*Error).Code
		if stricter[code] == "" {
			t.Errorf("%q: net/http takes it and we say %v", head, err)
		}
		return code
	case errHTTP != nil:
		for said := range laxer {
			if strings.Contains(errHTTP.Error(), said) {
				return said
			}
		}
		t.Errorf("%q: we take it and net/http says %v", head[:n], errHTTP)
		return ""
	}
	compare(t, head[:n], &r, h)
	return ""
}

func compare(t *testing.T, head []byte, r *Request, h *http.Request) {
	bad := func(what string, ours, theirs any) {
		t.Errorf("%q: %s is %q here and %q in net/http", head, what, ours, theirs)
	}
	if string(r.Method) != h.Method {
		bad("the method", r.Method, h.Method)
	}
	if string(r.Host) != h.Host {
		bad("the host", r.Host, h.Host)
	}
	if int(r.Minor) != h.ProtoMinor || h.ProtoMajor != 1 {
		bad("the version", r.Minor, h.Proto)
	}
	if r.Form == FormOrigin {
		target := string(r.Path)
		if r.Query != nil {
			target += "?" + string(r.Query)
		}
		if target != h.RequestURI {
			bad("the target", target, h.RequestURI)
		}
	}
	if r.Chunked != slices.Equal(h.TransferEncoding, []string{"chunked"}) {
		bad("the coding", r.Chunked, h.TransferEncoding)
	}
	if !r.Chunked && max(0, r.ContentLength) != h.ContentLength {
		bad("the length", r.ContentLength, h.ContentLength)
	}
	if r.KeepAlive == h.Close {
		bad("keeping the connection", r.KeepAlive, !h.Close)
	}
	compareFields(bad, r, h)
}

// compareFields leaves out what net/http moves out of the header.
func compareFields(bad func(string, any, any), r *Request, h *http.Request) {
	ours := http.Header{}
	for i := range r.Len() {
		name, value := r.Field(i)
		key := textproto.CanonicalMIMEHeaderKey(string(name))
		if key != "Host" && key != "Transfer-Encoding" {
			ours[key] = append(ours[key], string(value))
		}
	}
	for key, values := range ours {
		if !slices.Equal(values, h.Header[key]) && key != "Trailer" {
			bad("field "+key, values, h.Header[key])
		}
	}
	for key, values := range h.Header {
		if ours[key] == nil && key != "Cache-Control" { // made up for Pragma: no-cache
			bad("field "+key, ours[key], values)
		}
	}
}
