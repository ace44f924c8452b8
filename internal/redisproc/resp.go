package redisproc

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// doMax is how long one command may take when the caller's context says nothing shorter.
const doMax = 5 * time.Second

// An ErrorReply is what the server refused with, as it said it.
type ErrorReply string

// Error gives the server's words.
func (e ErrorReply) Error() string { return string(e) }

// Do sends one command on a connection of its own, as the default user, and gives the
// reply as text: an array is one line for each of its elements. It is meant for setting up
// and looking inside, not for load. Any goroutine may call it.
func (s *Server) Do(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, doMax)
	defer cancel()
	c, err := s.dial(ctx)
	if err != nil {
		return "", fmt.Errorf("redisproc: %w", err)
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return "", fmt.Errorf("redisproc: %w", err)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		return "", fmt.Errorf("redisproc: %w", err)
	}
	return readReply(bufio.NewReader(c))
}

// dial connects, with TLS where the server has it.
func (s *Server) dial(ctx context.Context) (net.Conn, error) {
	if !s.opts.TLS {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", s.Addr)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CA)
	d := tls.Dialer{Config: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return d.DialContext(ctx, "tcp", s.Addr)
}

// errReply says that a reply is not RESP2 as we know it.
var errReply = errors.New("redisproc: the reply is not RESP")

// readReply reads one reply of RESP2.
func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("redisproc: %w", err)
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", errReply
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", ErrorReply(rest)
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return "", errReply
	}
	switch {
	case n < 0:
		return "", nil
	case kind == '$':
		b := make([]byte, n+len("\r\n"))
		if _, err := io.ReadFull(r, b); err != nil {
			return "", fmt.Errorf("redisproc: %w", err)
		}
		return string(b[:n]), nil
	case kind == '*':
		parts := make([]string, n)
		for i := range parts {
			if parts[i], err = readReply(r); err != nil {
				return "", err
			}
		}
		return strings.Join(parts, "\n"), nil
	}
	return "", errReply
}
