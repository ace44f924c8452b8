package httpparse_test

import (
	"errors"
	"fmt"

	"throng/httpparse"
)

// A head that comes in two reads: the second call goes on where the first one stopped.
func ExampleParse() {
	lim := httpparse.DefaultLimits()
	var r httpparse.Request
	buf := []byte("GET /events?topic=user/42 HTTP/1.1\r\nHost: push.exam")
	_, err := httpparse.Parse(buf, 0, &lim, &r)
	fmt.Println(errors.Is(err, httpparse.ErrPartial))

	seen := len(buf)
	buf = append(buf, "ple.org\r\nLast-Event-ID: 7-1842\r\n\r\n"...)
	n, err := httpparse.Parse(buf, seen, &lim, &r)
	id, _ := r.Known(httpparse.FieldLastEventID)
	fmt.Println(n == len(buf), err, r.MethodID == httpparse.MethodGet)
	fmt.Printf("%s %s %s %s\n", r.Path, r.Query, r.Host, id)
	// Output:
	// true
	// true <nil> true
	// /events topic=user/42 push.example.org 7-1842
}

// A refusal says where, what, and what would be right.
func ExampleError() {
	lim := httpparse.DefaultLimits()
	var r httpparse.Request
	_, err := httpparse.Parse([]byte("GET / HTTP/1.1\nHost: a\n\n"), 0, &lim, &r)
	if e, ok := errors.AsType[*httpparse.Error](err); ok {
		fmt.Println(e.Status, e)
	}
	// Output: 400 bare_lf at byte 14 (found 0x0a): LF without CR; end lines with CRLF
}

// A server appends payload to a body buffer with a bound of its own, and stops before a chunk that would not fit.
func ExampleChunked() {
	const bodyBytesMax = 1 << 20
	lim := httpparse.DefaultLimits()
	var c httpparse.Chunked
	var body []byte
	src := []byte("5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\nGET /next")
	for done := false; !done && len(src) > 0; {
		data, n, fin, err := c.Decode(src, &lim)
		if err != nil || int64(len(body)+len(data))+c.Pending() > bodyBytesMax {
			fmt.Println("refused", err)
			return
		}
		body, src, done = append(body, data...), src[n:], fin
	}
	fmt.Printf("%s | %s\n", body, src)
	// Output: hello, world | GET /next
}

func ExampleNextParam() {
	query := []byte("topic=user/%2B&topic=a+b&ns=x")
	var key, value []byte
	for len(query) > 0 {
		key, value, query = httpparse.NextParam(query)
		plain, err := httpparse.AppendUnescaped(nil, value)
		fmt.Printf("%s = %s, %v\n", key, plain, err)
	}
	// Output:
	// topic = user/+, <nil>
	// topic = a+b, <nil>
	// ns = x, <nil>
}

func ExampleLimits_Check() {
	lim := httpparse.DefaultLimits()
	lim.HeadersMax = 1000
	fmt.Println(lim.Check())
	// Output: httpparse: HeadersMax is 1000; 1 to 128 is accepted
}
