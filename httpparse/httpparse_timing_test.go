package httpparse

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// typicalRequests are heads as clients send them: hand-written tools, browsers, load generators, proxies.
var typicalRequests = []struct{ name, head string }{
	{"wrk", "GET /poll?topic=a HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"},
	{"curl", "GET /events?topic=news/eu HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"},
	{"eventsource", "GET /events?topic=user/42&topic=room/7&ns=default HTTP/1.1\r\nHost: push.example.org\r\n" +
		"Connection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n" +
		"sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
		"Accept: text/event-stream\r\nCache-Control: no-cache\r\nLast-Event-ID: 7-1842\r\nOrigin: https://app.example.org\r\n" +
		"Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nReferer: https://app.example.org/\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n\r\n"},
	{"publish", "POST /publish?topic=user/42&event=message HTTP/1.1\r\nHost: push.internal:8080\r\nUser-Agent: Go-http-client/1.1\r\n" +
		"Content-Length: 64\r\nAuthorization: Bearer 0f5c1a9e5b0c4b2f9f1d2a7c\r\nContent-Type: application/json\r\n" +
		"Idempotency-Key: 6f1c2d3e-0001\r\nAccept-Encoding: gzip\r\n\r\n"},
	{"chunked", "POST /publish HTTP/1.1\r\nHost: push.internal\r\nContent-Type: application/x-ndjson\r\n" +
		"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"},
	{"proxied", "GET /events?topic=room/7 HTTP/1.1\r\nHost: push.example.org\r\nX-Real-IP: 203.0.113.7\r\n" +
		"X-Forwarded-For: 203.0.113.7, 198.51.100.2\r\nX-Forwarded-Proto: https\r\n" +
		"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nAccept: text/event-stream\r\n" +
		"Cookie: session=9d1f4e2bb0c7450e8a3b; theme=dark; consent=2026-01-01\r\nUser-Agent: Mozilla/5.0\r\n\r\n"},
	{"websocket", "GET /ws?topic=room/7 HTTP/1.1\r\nHost: push.example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin: https://app.example.org\r\n\r\n"},
	{"preflight", "OPTIONS /publish HTTP/1.1\r\nHost: push.example.org\r\nAccept: */*\r\nOrigin: https://app.example.org\r\n" +
		"Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type,idempotency-key\r\n" +
		"Connection: keep-alive\r\nUser-Agent: Mozilla/5.0\r\n\r\n"},
}

func BenchmarkParse(b *testing.B) {
	lim := DefaultLimits()
	for _, c := range typicalRequests {
		b.Run(c.name, func(b *testing.B) {
			buf := []byte(c.head)
			var r Request
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := Parse(buf, 0, &lim, &r); n != len(buf) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkNetHTTP reads the same heads with the standard library, which also allocates and fills a header map.
func BenchmarkNetHTTP(b *testing.B) {
	for _, c := range typicalRequests {
		b.Run(c.name, func(b *testing.B) {
			src := strings.NewReader(c.head)
			br := bufio.NewReaderSize(src, 16<<10)
			b.SetBytes(int64(len(c.head)))
			b.ReportAllocs()
			for b.Loop() {
				src.Reset(c.head)
				br.Reset(src)
				if _, err := http.ReadRequest(br); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParseByteByByte is the cost of a head that dribbles in: one call per byte.
func BenchmarkParseByteByByte(b *testing.B) {
	lim := DefaultLimits()
	buf := []byte(typicalRequests[2].head)
	var r Request
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		for i := range buf {
			n, err := Parse(buf[:i+1], i, &lim, &r)
			if i < len(buf)-1 && err != ErrPartial || i == len(buf)-1 && n != len(buf) {
				b.Fatal(i, n, err)
			}
		}
	}
}

func BenchmarkChunked(b *testing.B) {
	lim := DefaultLimits()
	for _, c := range []struct {
		name        string
		size, count int
	}{{"16x4096", 4096, 16}, {"512x16", 16, 512}} {
		b.Run(c.name, func(b *testing.B) {
			src := chunkedBody(bytes.Repeat([]byte{'x'}, c.size*c.count), c.size)
			body := make([]byte, 0, c.size*c.count)
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			var d Chunked
			for b.Loop() {
				d = Chunked{}
				body = body[:0]
				for at, done := 0, false; !done; {
					data, n, fin, err := d.Decode(src[at:], &lim)
					if err != nil {
						b.Fatal(err)
					}
					body, at, done = append(body, data...), at+n, fin
				}
				if len(body) != c.size*c.count {
					b.Fatal(len(body))
				}
			}
		})
	}
}

func BenchmarkQuery(b *testing.B) {
	query := []byte("topic=user/42&topic=room/7%2Fa&ns=default&since=7-1842&topic=caf%C3%A9")
	dst := make([]byte, 0, 64)
	b.SetBytes(int64(len(query)))
	b.ReportAllocs()
	for b.Loop() {
		total := 0
		for q := query; len(q) > 0; {
			var value []byte
			var err error
			_, value, q = NextParam(q)
			if dst, err = AppendUnescaped(dst[:0], value); err != nil {
				b.Fatal(err)
			}
			total += len(dst)
		}
		if total != 7+8+7+6+5 {
			b.Fatal(total)
		}
	}
}

func BenchmarkHeader(b *testing.B) {
	lim := DefaultLimits()
	buf := []byte(typicalRequests[2].head)
	var r Request
	if _, err := Parse(buf, 0, &lim, &r); err != nil {
		b.Fatal(err)
	}
	b.Run("Known", func(b *testing.B) {
		for b.Loop() {
			if _, ok := r.Known(FieldOrigin); !ok {
				b.Fatal("no Origin")
			}
		}
	})
	b.Run("ByName", func(b *testing.B) {
		for b.Loop() {
			if _, ok := r.Header("Accept-Language"); !ok {
				b.Fatal("no Accept-Language")
			}
		}
	})
}
