package httpparse

import (
	"errors"
	"regexp"
	"testing"
)

// A row that is not filled in, or a code that comes twice, would make a hole in the page.
func TestCodes_AreWholeAndDifferent(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	seen := make(map[string]bool)
	for _, r := range Codes() {
		if !form.MatchString(r.Code) || seen[r.Code] {
			t.Errorf("code %q is malformed or comes twice", r.Code)
		}
		seen[r.Code] = true
		if r.Status < 400 || r.Status > 599 || r.Wrong == "" || r.Right == "" {
			t.Errorf("%+v is not whole", r)
		}
	}
	if len(seen) != int(verdicts-tlsHello) {
		t.Errorf("%d codes, the table has %d rows", len(seen), verdicts-tlsHello)
	}
}

// What is listed is what a refused request is answered with.
func TestCodes_AreThoseOfErrors(t *testing.T) {
	listed := make(map[string]int)
	for _, r := range Codes() {
		listed[r.Code] = r.Status
	}
	lim := DefaultLimits()
	for input, code := range map[string]string{
		"\x16\x03\x01":                      "tls_hello",
		"CONNECT a:1 HTTP/1.1\r\n":          "connect_refused",
		"GET / HTTP/2.0\r\n":                "version_unsupported",
		"GET / HTTP/1.1\r\n\r\n":            "missing_host",
		"GET / HTTP/1.1\r\nExpect: x\r\n\r": "unknown_expectation",
	} {
		var q Request
		_, err := Parse([]byte(input), 0, &lim, &q)
		var e *Error
		if !errors.As(err, &e) || e.Code != code || listed[code] != e.Status {
			t.Errorf("%q: %v; the list has %s with status %d", input, err, code, listed[code])
		}
	}
}

func TestCodes_SliceIsTheCallers(t *testing.T) {
	Codes()[0].Code = "changed"
	if Codes()[0].Code == "changed" {
		t.Error("a caller has changed the list of the next one")
	}
}
