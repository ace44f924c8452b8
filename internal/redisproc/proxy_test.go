package redisproc

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestProxy_DelaysAnswers passes bytes both ways, late by what was asked, and ends both ends
// with either.
func TestProxy_DelaysAnswers(t *testing.T) {
	need(t)
	s, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	p, err := NewProxy(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ping := func() time.Duration {
		t.Helper()
		begun := time.Now()
		var answer [7]byte
		if _, err := io.WriteString(c, "PING\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer[:]); err != nil || string(answer[:]) != "+PONG\r\n" {
			t.Fatalf("%q, %v", answer, err)
		}
		return time.Since(begun)
	}
	ping()
	p.Delay(50 * time.Millisecond)
	if took := ping(); took < 50*time.Millisecond {
		t.Errorf("the answer took %v", took)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}

// TestServer_FillsAndEmpties refuses writes and takes them again.
func TestServer_FillsAndEmpties(t *testing.T) {
	need(t)
	s, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	if err := s.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Do(t.Context(), "SET", "k", "v"); err == nil {
		t.Error("a full server takes writes")
	}
	if err := s.Empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustDo(t, s, "SET", "k", "v")
}
