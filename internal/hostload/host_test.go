package hostload

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// files are a fixture, by path.
type files map[string]string

func (f files) with(more files) files {
	all := files{}
	for name, text := range f {
		all[name] = text
	}
	for name, text := range more {
		all[name] = text
	}
	return all
}

func open(t *testing.T, f files) *Host {
	t.Helper()
	root := t.TempDir()
	for name, text := range f {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Open(root)
}

// none is a host of 8 GiB without cgroups; the process has 1000 pages.
var none = files{
	"proc/meminfo":    "MemTotal:        8388608 kB\nMemFree:         1000 kB\nMemAvailable:    4194304 kB\n",
	"proc/self/statm": "9999 1000 300 20 0 50 0\n",
	"proc/stat":       "cpu  100 20 30 400 50 6 7 8 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n",
}

var resident = 1000 * int64(os.Getpagesize())

const gib = int64(1) << 30

// v2 is a service in a slice.
var v2 = none.with(files{
	"proc/self/cgroup":    "0::/system.slice/throng.service\n",
	"proc/self/mountinfo": "29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
	"sys/fs/cgroup/system.slice/throng.service/cpu.max":        "150000 100000\n",
	"sys/fs/cgroup/system.slice/throng.service/memory.max":     "2147483648\n",
	"sys/fs/cgroup/system.slice/throng.service/memory.high":    "max\n",
	"sys/fs/cgroup/system.slice/throng.service/memory.current": "1610612736\n",
	"sys/fs/cgroup/system.slice/throng.service/memory.stat":    "anon 5\nfile 900000000\ninactive_file 268435456\nactive_file 268435456\n",
	"sys/fs/cgroup/system.slice/cpu.max":                       "max 100000\n",
	"sys/fs/cgroup/system.slice/memory.max":                    "max\n",
})

// v1 is a container whose mounts show its own group as the top.
var v1 = none.with(files{
	"proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n",
	"proc/self/mountinfo": "31 30 0:28 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n" +
		"34 30 0:31 /docker/abc /sys/fs/cgroup/memory ro master:9 - cgroup cgroup rw,memory\n" +
		"40 30 0:37 / /proc rw - proc proc rw\n",
	"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":    "50000\n",
	"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us":   "100000\n",
	"sys/fs/cgroup/memory/memory.limit_in_bytes":    "1073741824\n",
	"sys/fs/cgroup/memory/memory.usage_in_bytes":    "536870912\n",
	"sys/fs/cgroup/memory/memory.stat":              "inactive_file 1\ntotal_inactive_file 100000000\ntotal_active_file 36870912\n",
	"sys/fs/cgroup/memory/docker/abc/memory.ignore": "",
})

func TestHost_LimitsByKindOfHierarchy(t *testing.T) {
	hybrid := v1.with(files{
		"proc/self/cgroup": v1["proc/self/cgroup"] + "0::/\n",
		"proc/self/mountinfo": v1["proc/self/mountinfo"] +
			"41 30 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
	})
	cases := map[string]struct {
		files      files
		processors float64
		memory     Memory
	}{
		"none":   {none, 4, Memory{resident, 8 * gib}},
		"v1":     {v1, 0.5, Memory{400000000, gib}},
		"v2":     {v2, 1.5, Memory{gib, 2 * gib}},
		"hybrid": {hybrid, 0.5, Memory{400000000, gib}},
		"v1 without limits": {v1.with(files{
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}), 4, Memory{resident, 8 * gib}},
		"v2, the slice is tighter": {v2.with(files{
			"sys/fs/cgroup/system.slice/cpu.max":        "80000 100000\n",
			"sys/fs/cgroup/system.slice/memory.max":     "3221225472\n",
			"sys/fs/cgroup/system.slice/memory.current": "3113851290\n",
		}), 0.8, Memory{3113851290, 3 * gib}},
		"v2, memory.high": {v2.with(files{
			"sys/fs/cgroup/system.slice/throng.service/memory.high": "1288490188\n",
		}), 1.5, Memory{gib, 1288490188}},
		"v2, a resident set above the usage": {v2.with(files{
			"sys/fs/cgroup/system.slice/throng.service/memory.current": "4096\n",
		}), 1.5, Memory{resident, 2 * gib}},
		"v2, seen from a namespace": {v2.with(files{
			"proc/self/cgroup":             "0::/../../elsewhere\n",
			"sys/fs/cgroup/cpu.max":        "200000 100000\n",
			"sys/fs/cgroup/memory.max":     "1073741824\n",
			"sys/fs/cgroup/memory.current": "1000000000\n",
		}), 2, Memory{1000000000, gib}},
		"hardly any left": {none.with(files{
			"proc/meminfo": "MemTotal:        8388608 kB\nMemAvailable:    83886 kB\n",
		}), 4, Memory{8*gib - 83886<<10, 8 * gib}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := open(t, c.files)
			if n := h.Processors(4); math.Abs(n-c.processors) > 1e-9 {
				t.Errorf("%v processors, want %v", n, c.processors)
			}
			if m, err := h.Memory(); err != nil || m != c.memory {
				t.Errorf("memory %+v, %v; want %+v", m, err, c.memory)
			}
		})
	}
}

func TestHost_Busy(t *testing.T) {
	busy, total, err := open(t, none).Busy()
	if err != nil || busy != 171 || total != 621 {
		t.Errorf("%d of %d ticks, %v; want 171 of 621", busy, total, err)
	}
	for _, text := range []string{"", "cpu 1 2", "intr 1 2 3 4 5 6"} {
		if _, _, err := open(t, files{"proc/stat": text}).Busy(); err == nil {
			t.Errorf("/proc/stat %q: no error", text)
		}
	}
}

// Nothing of what a host may show is taken for more than it is, and nothing panics.
func TestHost_FilesThatSayNothing(t *testing.T) {
	odd := []string{"", "\n", "max", "-5", "max max\n", "1 0\n", "99999999999999999999 1\n", strings.Repeat("x ", 1000)}
	for _, text := range odd {
		h := open(t, v2.with(files{
			"sys/fs/cgroup/system.slice/throng.service/cpu.max":        text,
			"sys/fs/cgroup/system.slice/throng.service/memory.max":     text,
			"sys/fs/cgroup/system.slice/throng.service/memory.current": text,
			"sys/fs/cgroup/system.slice/throng.service/memory.stat":    text,
		}))
		if n := h.Processors(4); n != 4 {
			t.Errorf("cpu.max %q: %v processors", text, n)
		}
		if m, err := h.Memory(); err != nil || m.Max != 8*gib {
			t.Errorf("memory.max %q: %+v, %v", text, m, err)
		}
		open(t, v2.with(files{"proc/self/cgroup": text, "proc/self/mountinfo": text}))
	}
	h := open(t, files{})
	if _, err := h.Memory(); err == nil {
		t.Error("memory without /proc: no error")
	}
	if n := h.Descriptors(); n != 0 {
		t.Errorf("%d descriptors without /proc", n)
	}
}

func TestPlain_UndoesEscapes(t *testing.T) {
	for in, want := range map[string]string{`/a\040b`: "/a b", `/a\134\040`: `/a\ `, `\04`: `\04`, `/x`: "/x", `\999`: `\999`} {
		if got := plain(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestHost_ThisOne(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the files of Linux are read")
	}
	h := Open("/")
	if n := h.Processors(runtime.GOMAXPROCS(0)); n <= 0 || n > float64(runtime.GOMAXPROCS(0)) {
		t.Errorf("%v processors", n)
	}
	if m, err := h.Memory(); err != nil || m.Used <= 0 || m.Share() <= 0 || m.Share() > 1 {
		t.Errorf("memory %+v, %v", m, err)
	}
	before := h.Descriptors()
	if before == 0 {
		return // the kernel does not say
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if after := h.Descriptors(); after != before+1 {
		t.Errorf("%d descriptors, then %d with one more", before, after)
	}
}
