package server

import (
	"bytes"

	"throng/httpparse"
)

// cors answers browsers that ask on behalf of another origin (WHATWG Fetch, section 3.2).
type cors struct {
	any     bool
	origins map[string]bool
}

func newCORS(origins []string) cors {
	c := cors{origins: make(map[string]bool)}
	for _, o := range origins {
		if o == "*" {
			c.any = true
		}
		c.origins[o] = true
	}
	return c
}

// asks says whether the fields depend on who asks.
func (c *cors) asks() bool { return !c.any && len(c.origins) > 0 }

func (c *cors) allows(origin []byte) bool { return c.any || c.origins[string(origin)] }

// appendTo adds the fields for the request's origin, if it is one that may read. Unless
// asks says so, q is not looked at.
func (c *cors) appendTo(dst []byte, q *httpparse.Request) []byte {
	if c.any {
		return append(dst, "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Retry-After\r\n"...)
	}
	if !c.asks() {
		return dst
	}
	if origin, ok := q.Known(httpparse.FieldOrigin); ok && c.allows(origin) {
		dst = append(dst, "Access-Control-Allow-Origin: "...)
		dst = append(dst, origin...)
		dst = append(dst, "\r\nAccess-Control-Expose-Headers: Retry-After\r\n"...)
	}
	return append(dst, "Vary: Origin\r\n"...)
}

// mayPublish refuses what a page of a foreign origin makes a browser send without
// asking first: a plain POST needs no preflight.
func (c *cors) mayPublish(q *httpparse.Request) bool {
	origin, ok := q.Known(httpparse.FieldOrigin)
	if !ok || c.allows(origin) {
		return true
	}
	for _, scheme := range []string{"http://", "https://"} {
		if host, found := bytes.CutPrefix(origin, []byte(scheme)); found && bytes.EqualFold(host, q.Host) {
			return true
		}
	}
	return false
}

// options answers OPTIONS, a preflight or not.
func (s *session) options(r *route) {
	allow := "GET, HEAD, POST, OPTIONS"
	if r != nil {
		allow = r.allow
	}
	extra := append([]byte("Allow: "), allow...)
	extra = append(extra, "\r\n"...)
	q := &s.x.req
	origin, ok := q.Known(httpparse.FieldOrigin)
	if _, asks := q.Known(httpparse.FieldAccessControlRequestMethod); asks && ok && s.srv.cors.allows(origin) {
		extra = append(extra, "Access-Control-Allow-Methods: "...)
		extra = append(extra, allow...)
		extra = append(extra, "\r\nAccess-Control-Allow-Headers: Content-Type, Last-Event-ID, Idempotency-Key, Cache-Control, Authorization\r\n"+
			"Access-Control-Max-Age: 600\r\n"...)
	}
	s.respond(&answer{status: 204, extra: extra})
}
