package peers

import (
	"bufio"
	"bytes"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"throng/httpparse"
)

type head struct{ name, text string }

// heads are those of httpparse's own benchmarks.
var heads = func() (all []head) {
	text, err := os.ReadFile("../testdata/heads.txt")
	if err != nil {
		panic(err)
	}
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		name, lines, _ := strings.Cut(strings.TrimPrefix(block, "= "), "\n")
		all = append(all, head{name, strings.ReplaceAll(lines, "\n", "\r\n") + "\r\n\r\n"})
	}
	return all
}()

// contender reads the same head again and again. ask tells what a push server asks of the head read last, in one number:
// see sum.
type contender struct {
	name string
	read func() error
	ask  func() int
}

// sum puts the answers into one number that is wrong when any of them is: the lengths of the method, path, query and
// host, and of three fields, 0 for what is not there; the length of the body, -1 for a chunked one; and whether the
// connection is kept.
func sum(method, path, query, host, lastEventID, origin, contentType, body int, keepAlive bool) int {
	n := method + path<<4 + query<<12 + host<<20 + lastEventID<<28 + origin<<34 + contentType<<42 + (body+1)<<50
	if keepAlive {
		return n
	}
	return -n
}

// repeat is an endless stream of one head, which fills a reader's buffer with whole heads.
type repeat struct {
	many []byte
	one  int
}

const readerBytes = 16 << 10

func newRepeat(text string) *bufio.Reader {
	return bufio.NewReaderSize(&repeat{bytes.Repeat([]byte(text), readerBytes/len(text)), len(text)}, readerBytes)
}

func (r *repeat) Read(b []byte) (int, error) { return copy(b[:len(b)/r.one*r.one], r.many), nil }

func throng(text string) contender {
	buf, lim, r := []byte(text), httpparse.DefaultLimits(), new(httpparse.Request)
	return contender{"throng",
		func() error { _, err := httpparse.Parse(buf, 0, &lim, r); return err },
		func() int {
			lastEventID, _ := r.Known(httpparse.FieldLastEventID)
			origin, _ := r.Known(httpparse.FieldOrigin)
			contentType, _ := r.Known(httpparse.FieldContentType)
			body := max(0, int(r.ContentLength))
			if r.Chunked {
				body = -1
			}
			return sum(len(r.Method), len(r.Path), len(r.Query), len(r.Host), len(lastEventID), len(origin),
				len(contentType), body, r.KeepAlive)
		}}
}

func fast(text string) contender {
	br, h := newRepeat(text), new(fasthttp.RequestHeader)
	return contender{"fasthttp",
		func() error { return h.Read(br) },
		func() int {
			uri := h.RequestURI()
			path, query := uri, []byte(nil)
			if q := bytes.IndexByte(uri, '?'); q >= 0 {
				path, query = uri[:q], uri[q+1:]
			}
			body := h.ContentLength()
			if body < -1 { // none
				body = 0
			}
			return sum(len(h.Method()), len(path), len(query), len(h.Host()), len(h.Peek("Last-Event-ID")),
				len(h.Peek("Origin")), len(h.ContentType()), body, !h.ConnectionClose())
		}}
}

func nethttp(text string) contender {
	br := newRepeat(text)
	var req *http.Request
	return contender{"nethttp",
		func() (err error) { req, err = http.ReadRequest(br); return err },
		func() int {
			return sum(len(req.Method), len(req.URL.Path), len(req.URL.RawQuery), len(req.Host),
				len(req.Header.Get("Last-Event-ID")), len(req.Header.Get("Origin")), len(req.Header.Get("Content-Type")),
				int(req.ContentLength), !req.Close)
		}}
}

func contenders(text string) []contender { return []contender{throng(text), fast(text), nethttp(text)} }

func TestContenders_GiveTheSameAnswers(t *testing.T) {
	for _, h := range heads {
		want := 0
		for i, c := range contenders(h.text) {
			for range 3 {
				if err := c.read(); err != nil {
					t.Fatal(h.name, c.name, err)
				}
				if got := c.ask(); i == 0 {
					want = got
				} else if got != want {
					t.Errorf("%s: %s says %#x, throng %#x", h.name, c.name, got, want)
				}
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, h := range heads {
		for _, c := range contenders(h.text) {
			b.Run(h.name+"/"+c.name, func(b *testing.B) {
				want := first(b, c)
				b.SetBytes(int64(len(h.text)))
				b.ReportAllocs()
				for b.Loop() {
					if err := c.read(); err != nil || c.ask() != want {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, h := range heads {
		for _, c := range contenders(h.text) {
			b.Run(h.name+"/"+c.name, func(b *testing.B) {
				b.SetBytes(int64(len(h.text)))
				b.ReportAllocs()
				for b.Loop() {
					if err := c.read(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// first reads a head and gives what must be in all.
func first(b *testing.B, c contender) int {
	if err := c.read(); err != nil {
		b.Fatal(err)
	}
	return c.ask()
}

// BenchmarkRatio reports how many times the time of httpparse fasthttp takes: the geometric mean over the heads of the
// ratios of medians. An operation is a round of turnReads reads by both of each head. net/http leaves garbage, which
// would disturb them.
func BenchmarkRatio(b *testing.B) {
	b.Run("parse", func(b *testing.B) { ratio(b, true) })
	b.Run("read", func(b *testing.B) { ratio(b, false) })
}

const turnReads = 100

func ratio(b *testing.B, ask bool) {
	type pair struct {
		sides [2]contender
		want  int
		times [2][]float64
	}
	pairs := make([]pair, len(heads))
	for i, h := range heads {
		pairs[i].sides = [2]contender{throng(h.text), fast(h.text)}
		pairs[i].want = first(b, pairs[i].sides[0])
	}
	for b.Loop() {
		for i := range pairs {
			p := &pairs[i]
			for s, side := range p.sides {
				begun := time.Now()
				for range turnReads {
					if err := side.read(); err != nil || ask && side.ask() != p.want {
						b.Fatal(heads[i].name, side.name, err)
					}
				}
				p.times[s] = append(p.times[s], float64(time.Since(begun)))
			}
		}
	}
	logs := 0.0
	for i := range pairs {
		logs += math.Log(median(pairs[i].times[1]) / median(pairs[i].times[0]))
	}
	b.ReportMetric(math.Exp(logs/float64(len(pairs))), "fasthttp/throng")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
