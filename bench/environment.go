package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Environment is what a number depends on and a reader cannot see: env.json of a record.
type Environment struct {
	Time         time.Time         `json:"time"`
	Kernel       string            `json:"kernel"`
	CPU          string            `json:"cpu"`
	Cores        int               `json:"cores"`
	MemoryBytes  int64             `json:"memoryBytes"`
	OpenFiles    string            `json:"openFiles"` // soft and hard limit
	Sysctls      map[string]string `json:"sysctls"`
	Go           string            `json:"go"`
	Commit       string            `json:"commit"` // empty outside a repository
	Dirty        bool              `json:"dirty"`  // the tree had changes
	ServerSHA256 string            `json:"serverSHA256"`
	Variables    []string          `json:"variables,omitempty"` // names that are set and mean something to throng
}

// recordedSysctls are the kernel settings that move these numbers.
var recordedSysctls = []string{
	"net.core.somaxconn", "net.core.rmem_max", "net.core.wmem_max", "net.core.netdev_max_backlog",
	"net.ipv4.ip_local_port_range", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_mem",
	"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_congestion_control",
	"net.ipv4.tcp_notsent_lowat", "fs.nr_open", "fs.file-max", "vm.overcommit_memory",
}

// ReadEnvironment describes this machine and the server binary. What cannot be read
// stays empty.
func ReadEnvironment(ctx context.Context, server []string) Environment {
	e := Environment{
		Time: time.Now(), Cores: runtime.NumCPU(), Go: runtime.Version(),
		Kernel:  sysctl("kernel.osrelease") + " " + sysctl("kernel.version"),
		CPU:     lineOf("/proc/cpuinfo", "model name"),
		Sysctls: make(map[string]string),
	}
	if kB, err := field("/proc/meminfo", "MemTotal:"); err == nil {
		e.MemoryBytes = kB << 10
	}
	e.OpenFiles = strings.Join(strings.Fields(lineOf("/proc/self/limits", "Max open files")), " ")
	for _, name := range recordedSysctls {
		e.Sysctls[name] = sysctl(name)
	}
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "THRONG_") || strings.HasPrefix(name, "GO") {
			e.Variables = append(e.Variables, name)
		}
	}
	e.Commit, e.Dirty = revision(ctx)
	if len(server) > 0 {
		e.ServerSHA256 = fileHash(server[0])
	}
	return e
}

// revision is the commit that was measured: the one stamped into this binary, or that
// of the working directory's tree. Records do not make a tree dirty.
func revision(ctx context.Context) (commit string, dirty bool) {
	commit = output(ctx, "git", "rev-parse", "HEAD")
	dirty = output(ctx, "git", "status", "--porcelain", "--", ":/", ":(top,exclude)bench/record") != ""
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return commit, dirty
	}
	stamp := make(map[string]string)
	for _, s := range info.Settings {
		stamp[s.Key] = s.Value
	}
	if built := stamp["vcs.revision"]; built != "" && built != commit {
		return built, stamp["vcs.modified"] == "true"
	}
	return commit, dirty
}

func sysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

// lineOf is the rest of the first line that starts with a word, without the colon.
func lineOf(file, word string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, word); ok {
			return strings.TrimLeft(strings.TrimSpace(rest), ": \t")
		}
	}
	return ""
}

func output(ctx context.Context, argv ...string) string {
	b, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func fileHash(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
