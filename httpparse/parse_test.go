package httpparse

import (
	"bytes"
	"errors"
	"testing"
)

func TestParse_PipelinedRequestsReuseOneRequest(t *testing.T) {
	var buf []byte
	for _, c := range typicalRequests {
		buf = append(buf, c.head...)
	}
	lim := DefaultLimits()
	var r Request
	for _, c := range typicalRequests {
		n, err := Parse(buf, 0, &lim, &r)
		if err != nil || n != len(c.head) {
			t.Fatalf("%s: %d, %v", c.name, n, err)
		}
		got := dumpRequest(n, buf[:n], &r)
		if want, err := feedRequest([]byte(c.head), &lim, n); got != want || err != nil {
			t.Errorf("%s: reused:\n%sfresh:\n%s%v", c.name, got, want, err)
		}
		buf = buf[n:]
	}
}

// TestParse_WrongSeenStartsOver: a caller that lost count gets the right answer all the same.
func TestParse_WrongSeenStartsOver(t *testing.T) {
	head := []byte(typicalRequests[1].head)
	lim := DefaultLimits()
	var r Request
	for _, seen := range []int{1, 20, len(head), len(head) + 1, -1, 1 << 40} {
		if _, err := Parse(head[:30], 0, &lim, &r); err != ErrPartial {
			t.Fatal(err)
		}
		if n, err := Parse(head, seen, &lim, &r); n != len(head) || err != nil {
			t.Errorf("seen %d: %d, %v", seen, n, err)
		}
	}
}

// TestParse_RefusalIsRepeated: asked again with the bytes it refused, or fewer, the parser does not change its mind.
func TestParse_RefusalIsRepeated(t *testing.T) {
	buf := []byte("GET / HTTP/1.1\r\nHost: a\r\nA : b")
	lim := DefaultLimits()
	var r Request
	for _, seen := range []int{0, 10, len(buf)} {
		_, err := Parse(buf, seen, &lim, &r)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != "space_before_colon" || e.Offset != 26 || e.Status != 400 {
			t.Errorf("seen %d: %v", seen, err)
		}
	}
	if r.Method != nil || r.Len() != 0 {
		t.Error("a refused request has parts")
	}
}

func TestRequest_LookUps(t *testing.T) {
	buf := []byte(typicalRequests[2].head)
	lim := DefaultLimits()
	var r Request
	if _, ok := r.Header("host"); ok {
		t.Error("a request that was not parsed has a field")
	}
	if _, err := Parse(buf, 0, &lim, &r); err != nil {
		t.Fatal(err)
	}
	for id := FieldOther + 1; id < fieldIDs; id++ {
		known, ok := r.Known(id)
		value, okName := r.Header(id.String())
		if ok != okName || !bytes.Equal(known, value) {
			t.Errorf("%s: %q, %v by number and %q, %v by name", id, known, ok, value, okName)
		}
	}
	if v, ok := r.Header("SEC-CH-UA-MOBILE"); !ok || string(v) != "?0" {
		t.Errorf("%q, %v", v, ok)
	}
	if v, ok := r.Header("sec-ch-ua-mobilf"); ok {
		t.Errorf("%q", v)
	}
	for _, i := range []int{-1, r.Len(), 127, 128} {
		if name, value := r.Field(i); name != nil || value != nil {
			t.Errorf("field %d is %q: %q", i, name, value)
		}
	}
	if _, ok := r.Known(FieldID(250)); ok {
		t.Error("field 250 is known")
	}
}

// TestRequest_ViewsDoNotGrow: appending to a view must not write into the next bytes of the buffer.
func TestRequest_ViewsDoNotGrow(t *testing.T) {
	buf := []byte(typicalRequests[2].head)
	lim := DefaultLimits()
	var r Request
	if _, err := Parse(buf, 0, &lim, &r); err != nil {
		t.Fatal(err)
	}
	views := [][]byte{r.Method, r.Path, r.Query, r.Host}
	for i := range r.Len() {
		name, value := r.Field(i)
		views = append(views, name, value)
	}
	for _, v := range views {
		_ = append(v, "!!!!"...)
	}
	if string(buf) != typicalRequests[2].head {
		t.Errorf("the buffer is now %q", buf)
	}
}

func TestParse_AllocatesNothing(t *testing.T) {
	lim := DefaultLimits()
	var r Request
	heads := [][]byte{[]byte("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), {0x16}, []byte("GET / HT")}
	for _, c := range typicalRequests {
		heads = append(heads, []byte(c.head))
	}
	allocs := testing.AllocsPerRun(100, func() {
		for _, h := range heads {
			_, _ = Parse(h, 0, &lim, &r)
			_, _ = r.Header("x-none")
			_, _ = r.Known(FieldOrigin)
			for i := range h {
				_, _ = Parse(h[:i+1], i, &lim, &r)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestChunked_AllocatesNothing(t *testing.T) {
	lim := DefaultLimits()
	var c Chunked
	bodies := [][]byte{chunkedBody(bytes.Repeat([]byte{'x'}, 1000), 99), []byte("0\r\nA: b\r\n\r\n"), []byte("1;a\n")}
	allocs := testing.AllocsPerRun(100, func() {
		for _, b := range bodies {
			c = Chunked{}
			for len(b) > 0 {
				_, n, done, err := c.Decode(b, &lim)
				if done || err != nil {
					break
				}
				b = b[n:]
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestQuery_AllocatesNothing(t *testing.T) {
	query := []byte("topic=user/42&topic=caf%C3%A9&ns=default&&since=7-1")
	dst := make([]byte, 0, len(query))
	allocs := testing.AllocsPerRun(100, func() {
		for q := query; len(q) > 0; {
			var value []byte
			_, value, q = NextParam(q)
			dst, _ = AppendUnescaped(dst[:0], value)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestChunked_AnswersRepeat(t *testing.T) {
	lim := DefaultLimits()
	var c Chunked
	if _, n, done, err := c.Decode([]byte("0\r\n\r\nGET"), &lim); n != 5 || !done || err != nil {
		t.Fatal(n, done, err)
	}
	if _, n, done, err := c.Decode([]byte("GET"), &lim); n != 0 || !done || err != nil {
		t.Error(n, done, err)
	}
	c = Chunked{}
	_, _, _, first := c.Decode([]byte("x"), &lim)
	if _, n, done, err := c.Decode([]byte("0\r\n\r\n"), &lim); n != 0 || done || err == nil || err != first {
		t.Error(n, done, err)
	}
}

func TestChunked_PendingTellsTheRestOfAChunk(t *testing.T) {
	lim := DefaultLimits()
	var c Chunked
	data, n, _, err := c.Decode([]byte("10\r\nabc"), &lim)
	if string(data) != "abc" || n != 7 || err != nil || c.Pending() != 13 {
		t.Errorf("%q, %d, %v, pending %d", data, n, err, c.Pending())
	}
}

func TestAppendUnescaped_KeepsDst(t *testing.T) {
	dst, err := AppendUnescaped([]byte("kept"), []byte("ab%zz"))
	e, ok := errors.AsType[*Error](err)
	if string(dst) != "kept" || !ok || e.Offset != 2 || e.Status != 400 {
		t.Errorf("%q, %v", dst, err)
	}
	src := []byte("%41%42c%2B+")
	if got, err := AppendUnescaped(src[:0], src); string(got) != "ABc++" || err != nil {
		t.Errorf("in place: %q, %v", got, err)
	}
}

func TestParse_MethodsHaveNumbers(t *testing.T) {
	lim := DefaultLimits()
	var r Request
	for want, name := range []string{"QUERY", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "GeT"} {
		_, err := Parse([]byte(name+" / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, &lim, &r)
		if err != nil || int(r.MethodID) != want%9 || string(r.Method) != name {
			t.Errorf("%s is number %d, %q, %v", name, r.MethodID, r.Method, err)
		}
	}
}
