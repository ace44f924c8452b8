// Command nchan is a server to compare with: Debian's nginx with the nchan module, which
// is a publish-subscribe server in C inside nginx's event loop. It writes nginx a
// configuration and becomes nginx, so that its process number is the one to measure.
//
//	nchan [--history N] [--nginx PROGRAM] [--module FILE] 127.0.0.1:PORT
//
// GET /events?ns=N&topic=T, POST /publish?ns=N&topic=T. What these take and answer is in
// README.md beside this file. SIGTERM ends it.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
)

//go:embed nginx.conf.tmpl
var confSource string

var confTemplate = template.Must(template.New("nginx.conf").Parse(confSource))

// settings fill in the configuration.
type settings struct {
	Listen      netip.AddrPort
	Module      string // path of the module
	PID         string // path of the file that nginx writes its number to, and removes
	Root        bool   // started by root
	Connections uint64 // that nginx may hold
	History     int    // events kept a topic
}

const (
	moduleDefault  = "/usr/lib/nginx/modules/ngx_nchan_module.so"
	historyDefault = 10 // nchan's own
	// filesOwn are descriptors that are no connections: log, epoll, listener, channels.
	filesOwn = 32
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("nchan: ")
	history := flag.Int("history", historyDefault, "events kept a topic; nchan keeps one at least")
	program := flag.String("nginx", "nginx", "nginx's program")
	module := flag.String("module", moduleDefault, "the module's file")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: nchan [--history N] [--nginx PROGRAM] [--module FILE] 127.0.0.1:PORT")
	}
	log.Fatal(become(*program, *module, *history, flag.Arg(0)))
}

// become turns this process into nginx; it returns only if it could not.
func become(program, module string, history int, listen string) error {
	addr, err := netip.ParseAddrPort(listen)
	if err != nil {
		return fmt.Errorf("%q is no address to listen on: %w", listen, err)
	}
	if history < 1 {
		return fmt.Errorf("--history %d: nchan keeps one event a topic at least", history)
	}
	path, err := findNginx(program)
	if err != nil {
		return fmt.Errorf("%w; scripts/need nchan installs it", err)
	}
	if _, err := os.Stat(module); err != nil {
		return fmt.Errorf("nchan's module: %w; scripts/need nchan installs it", err)
	}
	files, err := raiseFiles()
	if err != nil {
		return err
	}
	pid := filepath.Join(os.TempDir(), fmt.Sprintf("nchan-%d.pid", os.Getpid()))
	conf, err := configuration(settings{addr, module, pid, os.Geteuid() == 0, files - filesOwn, history})
	if err != nil {
		return err
	}
	fd, err := inherited(conf)
	if err != nil {
		return fmt.Errorf("hand the configuration over: %w", err)
	}
	argv := []string{path, "-e", "stderr", "-p", "/", "-c", "/proc/self/fd/" + strconv.Itoa(fd)}
	return fmt.Errorf("start %s: %w", path, syscall.Exec(path, argv, os.Environ()))
}

// findNginx looks in /usr/sbin too, which is in root's path only.
func findNginx(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil && !strings.Contains(program, "/") {
		if path, sbinErr := exec.LookPath("/usr/sbin/" + program); sbinErr == nil {
			return path, nil
		}
	}
	return path, err
}

// raiseFiles lets nginx, which here does not do so itself, open as many files as this
// process may, and keeps it from writing a core file: its end is an abort (README.md).
func raiseFiles() (uint64, error) {
	var files syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)
	if err == nil {
		files.Cur = min(files.Max, filesMax)
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files)
	}
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	}
	if err != nil {
		return 0, fmt.Errorf("limits of the process: %w", err)
	}
	if files.Cur < 2*filesOwn {
		return 0, fmt.Errorf("%d open files are allowed; %d are needed at least (ulimit -n)", files.Cur, 2*filesOwn)
	}
	return files.Cur, nil
}

// filesMax bounds the files, since nginx makes a table for all its connections at start.
const filesMax = 1 << 17

// configuration is nginx's, filled in.
func configuration(s settings) ([]byte, error) {
	for _, path := range []string{s.Module, s.PID} {
		if strings.ContainsAny(path, "\"\\\n$") {
			return nil, fmt.Errorf("the path %q can't be written into a configuration of nginx", path)
		}
	}
	var b bytes.Buffer
	err := confTemplate.Execute(&b, s)
	return b.Bytes(), err
}

// inherited is a descriptor that survives exec, of a file without a name that holds p.
func inherited(p []byte) (int, error) {
	f, err := os.CreateTemp("", "nchan-*.conf")
	if err != nil {
		return -1, err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return -1, err
	}
	if _, err := f.Write(p); err != nil {
		return -1, err
	}
	return syscall.Dup(int(f.Fd())) // unlike Go's own, a duplicate is not closed on exec
}
