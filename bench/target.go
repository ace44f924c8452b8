package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"throng/internal/redisproc"
)

// target is a server under test as the clients see it.
type target struct {
	name      string
	addr      netip.AddrPort
	authority string   // the Host field; empty: addr
	prefix    string   // of every path
	admin     string   // host:port; empty: it has none
	wire      *dialect // nil: throngDialect
	*family            // nil: what it costs is not known
	*process           // nil: it was running already
}

// speaks is the target's dialect.
func (t target) speaks() *dialect {
	if t.wire == nil {
		return throngDialect
	}
	return t.wire
}

// host is the value of the Host field.
func (t target) host() string {
	if t.authority == "" {
		return t.addr.String()
	}
	return t.authority
}

// Words of a command line that stand for addresses chosen at start.
const (
	listenWord = "{listen}"
	adminWord  = "{admin}"
)

// startLimit is how long a server may take until it accepts.
const startLimit = 10 * time.Second

// startTarget runs argv with its addresses filled in and waits until it accepts.
// Its standard output and error go to log.
func startTarget(ctx context.Context, name string, argv []string, wire Wire, log io.Writer) (target, error) {
	t := target{name: name}
	var err error
	if t.wire, err = wire.dialect(); err != nil {
		return t, err
	}
	if len(argv) == 0 {
		return t, fmt.Errorf("bench: no command for %s", name)
	}
	addr, err := freeAddr()
	if err != nil {
		return t, err
	}
	admin, err := freeAddr()
	if err != nil {
		return t, err
	}
	t.addr, t.authority = addr, addr.String()
	args := make([]string, len(argv))
	for i, a := range argv {
		if strings.Contains(a, adminWord) {
			t.admin = admin.String()
		}
		a = strings.ReplaceAll(a, listenWord, addr.String())
		args[i] = strings.ReplaceAll(a, adminWord, admin.String())
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if t.process, err = spawn(name, cmd); err != nil {
		return t, err
	}
	for _, a := range []string{t.addr.String(), t.admin} {
		if err := t.awaitAccept(ctx, a); err != nil {
			return t, errors.Join(err, t.stop())
		}
	}
	if t.family, err = newFamily(t.process.pid); err != nil {
		return t, errors.Join(err, t.stop())
	}
	return t, nil
}

// freeAddr is a loopback address nobody listens on at the moment.
func freeAddr() (netip.AddrPort, error) {
	port, err := redisproc.FreePort()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("bench: %w", err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)), nil
}

func (t target) awaitAccept(ctx context.Context, addr string) error {
	for end := time.Now().Add(startLimit); addr != "" && time.Now().Before(end); {
		if c, err := net.Dial("tcp4", addr); err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.ended:
			return fmt.Errorf("bench: %s ended at start: %v", t.name, t.cmd.ProcessState)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if addr == "" {
		return nil
	}
	return fmt.Errorf("bench: %s does not accept on %s after %v", t.name, addr, startLimit)
}

// runningTarget is a server that is there already.
func runningTarget(ctx context.Context, o Options) (target, error) {
	t := target{name: "server", admin: o.Admin}
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return t, fmt.Errorf("bench: %w", err)
	case u.Scheme != "http":
		return t, fmt.Errorf("bench: %s: want http://HOST:PORT; for https, name the port behind the end of TLS", o.URL)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return t, fmt.Errorf("bench: %s: want no more than http://HOST:PORT/PREFIX; paths have options of their own", o.URL)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return t, fmt.Errorf("bench: %s: port %q: %w", o.URL, port, err)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", u.Hostname())
	if err != nil {
		return t, fmt.Errorf("bench: %s: an IPv4 address of %q: %w", o.URL, u.Hostname(), err)
	}
	t.addr = netip.AddrPortFrom(ips[0].Unmap(), uint16(number))
	t.authority, t.prefix = u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	if t.wire, err = o.Wire.dialect(); err != nil {
		return t, err
	}
	if o.PID != 0 {
		if t.family, err = newFamily(proc(o.PID)); err != nil {
			return t, err
		}
		if _, err := t.cpu(); err != nil {
			return t, err
		}
	}
	c, err := net.Dial("tcp4", t.addr.String())
	if err != nil {
		return t, fmt.Errorf("bench: %s: %w", o.URL, err)
	}
	return t, c.Close()
}
