// Package peers measures throng/httpparse beside fasthttp and net/http, on the
// heads of httpparse/testdata/heads.txt. It is a module of its own, so that they
// are no dependency of throng.
//
//	go test -bench .
//
// BenchmarkParse is one request of a server: read the head, then ask for what a
// push server needs to know of it (sum). All three give the same answers,
// which is checked each time. BenchmarkRead is the reading alone.
//
// fasthttp and net/http read from a bufio.Reader that is used again and again and
// holds many heads, so that filling it costs next to nothing, as httpparse is not
// charged for reading from a socket either. fasthttp's Header is used again too, and
// its path is split by hand, since its URI does more than that.
//
// BenchmarkRatio alternates between them in steps of a few microseconds, so that
// a busy machine slows all alike, and reports the geometric mean of the ratios.
//
// The folder pico compares with picohttpparser.
package peers
