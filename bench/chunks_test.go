package bench

import (
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"testing"
)

// dechunked feeds input in pieces of n bytes.
func dechunked(input string, n int) (string, error) {
	c := chunks{state: chunkFirst}
	var out []byte
	for len(input) > 0 {
		n := min(n, len(input))
		data, err := c.decode([]byte(input[:n]))
		out = append(out, data...)
		if err != nil {
			return string(out), err
		}
		input = input[n:]
	}
	return string(out), nil
}

func TestChunks_WholeAndInPieces(t *testing.T) {
	const input = "5\r\nhello\r\n0B;name=\"x\"\r\n, world\r\nOK\r\n1 \r\n!\r\n"
	for n := 1; n <= len(input); n++ {
		if got, err := dechunked(input, n); got != "hello, world\r\nOK!" || err != nil {
			t.Fatalf("in pieces of %d: %q, %v", n, got, err)
		}
		if got, err := dechunked(input+"00\r\nTrailer: x\r\n\r\n", n); got != "hello, world\r\nOK!" || err != errEnded {
			t.Fatalf("with an end, in pieces of %d: %q, %v", n, got, err)
		}
	}
}

func TestChunks_Refuses(t *testing.T) {
	for _, input := range []string{
		"x", "\r\n", "5\r\nhello!", "5\r\nhello\r!", "ffffffffff\r\n", "-1\r\n", "0\r\n\r\nmore", "id: 1\n",
	} {
		if _, err := dechunked(input, len(input)); !errors.Is(err, errChunks) {
			t.Errorf("%q: %v", input, err)
		}
	}
}

// The standard library's writer and this reader agree, however the bytes come.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("hello"), uint8(2), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, size, piece uint8) {
		var wire bytes.Buffer
		w := httputil.NewChunkedWriter(&wire)
		for rest := data; len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(&wire, "\r\n"); err != nil {
			t.Fatal(err)
		}
		got, err := dechunked(wire.String(), int(piece)+1)
		if got != string(data) || err != errEnded {
			t.Fatalf("%q, %v", got, err)
		}
	})
}
