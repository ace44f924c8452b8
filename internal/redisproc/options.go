package redisproc

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Options say how a server is to run. The zero value is a server in memory on a free port.
type Options struct {
	Program string   // what to run; "": redis-server. Valkey's is valkey-server
	Dir     string   // where it keeps its files; "": a new folder, which Stop removes
	Port    int      // TCP port on 127.0.0.1; 0: a free one
	Fsync   string   // appendfsync of its AOF (always, everysec, no); "": no AOF at all
	TLS     bool     // TLS only, with a certificate made for it: Server.CA tells whom to trust
	Users   []string // ACL lines without the leading "user", such as "default off"
	Config  []string // further lines of its configuration file
}

// program is what runs.
func (o *Options) program() string {
	if o.Program == "" {
		return "redis-server"
	}
	return o.Program
}

// find says whether there is a server to run, and what to do about it when there is none.
func (o *Options) find() (string, error) {
	p, err := exec.LookPath(o.program())
	if err != nil {
		return "", fmt.Errorf("redisproc: %w; scripts/need redis-server installs it", err)
	}
	return p, nil
}

// config is the text of the configuration file.
func (o *Options) config(dir string, port int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("bind 127.0.0.1")
	line("dir %s", dir)
	line("logfile %s", filepath.Join(dir, logName))
	if o.TLS {
		line("port 0")
		line("tls-port %d", port)
		line("tls-cert-file %s", filepath.Join(dir, certName))
		line("tls-key-file %s", filepath.Join(dir, keyName))
		line("tls-ca-cert-file %s", filepath.Join(dir, certName))
		line("tls-auth-clients no")
	} else {
		line("port %d", port)
	}
	for _, u := range o.Users {
		line("user %s", u)
	}
	for _, c := range o.Config {
		line("%s", c)
	}
	return b.String()
}

// dataLines are what a server has in its configuration and a Sentinel has not.
func (o *Options) dataLines() []string {
	lines := []string{`save ""`, "repl-diskless-sync-delay 0", "daemonize no"}
	if o.Fsync != "" {
		lines = append(lines, "appendonly yes", "appendfsync "+o.Fsync)
	}
	return lines
}

// Files of a server's folder.
const (
	configName = "redis.conf"
	logName    = "redis.log"
	certName   = "cert.pem"
	keyName    = "key.pem"
)

// A server's port is taken from these, drawn by lot: the kernel gives out those above to whoever
// connects, and may between our look and the server's start.
const (
	portFirst = 10_000
	portLast  = 32_000
	portTries = 100
)

// FreePort is a port of loopback that nobody listens on at the moment, for a server under test.
func FreePort() (port int, err error) {
	for range portTries {
		port = portFirst + rand.IntN(portLast-portFirst)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("redisproc: %d ports of loopback, %d to %d, were not free: %w", portTries, portFirst, portLast, err)
}

// logTail is the end of what the server wrote about itself.
func logTail(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		return "it left no log"
	}
	const tailBytesMax = 600
	return "its log ends: " + strings.TrimSpace(string(b[max(0, len(b)-tailBytesMax):]))
}

// hostPort is a port of loopback.
func hostPort(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
