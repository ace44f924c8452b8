package httpparse

import (
	"syscall"
	"testing"
)

// TestGuardPage_NothingIsReadPastTheEnd lays every prefix of real input against a page that cannot be read; a
// look one byte too far ends the process.
func TestGuardPage_NothingIsReadPastTheEnd(t *testing.T) {
	page := syscall.Getpagesize()
	mem, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(mem) }()
	if err := syscall.Mprotect(mem[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	lay := func(b []byte) []byte {
		at := mem[page-len(b) : page : page]
		copy(at, b)
		return at
	}
	lim := DefaultLimits()
	var r Request
	for _, c := range typicalRequests {
		for end := range len(c.head) + 1 {
			n, err := Parse(lay([]byte(c.head[:end])), 0, &lim, &r)
			if whole := end == len(c.head); whole != (n == end && err == nil) || !whole && err != ErrPartial {
				t.Fatalf("%s up to %d: %d, %v", c.name, end, n, err)
			}
		}
	}
	body := append(chunkedBody(make([]byte, 40), 17), "never read"...)
	for end := range body {
		var c Chunked
		for src := lay(body[:end]); len(src) > 0; {
			_, n, done, err := c.Decode(src, &lim)
			if err != nil {
				t.Fatal(end, err)
			}
			if done {
				break
			}
			src = src[n:]
		}
	}
	for _, query := range []string{"a=%41", "a=%4", "a=%", "a=", "a", "&", "a&b=%41%42"} {
		for q := lay([]byte(query)); len(q) > 0; {
			var value []byte
			_, value, q = NextParam(q)
			_, _ = AppendUnescaped(nil, value)
		}
	}
}
