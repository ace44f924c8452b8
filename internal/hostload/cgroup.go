package hostload

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// level is one cgroup that this process is in, or one above it.
type level struct {
	dir string
	v2  bool
}

// hierarchy is the levels whose limits hold, the process's own first.
type hierarchy struct {
	cpu    []level
	memory []level
}

// mount is a line of mountinfo that shows a cgroup hierarchy (proc(5)).
type mount struct {
	root        string // of the hierarchy, what is shown at dir
	dir         string
	v2          bool
	controllers []string
}

// find reads where the process is. A file that can't be read leaves out what it would say.
func find(cgroups, mountinfo string) hierarchy {
	mounts := mountsOf(mountinfo)
	var h hierarchy
	for line := range strings.Lines(cgroups) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, at, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		names := strings.Split(controllers, ",")
		for _, m := range mounts {
			all := m.v2 && controllers == ""
			if all || !m.v2 && slices.Contains(names, "cpu") && slices.Contains(m.controllers, "cpu") {
				h.cpu = append(h.cpu, m.levels(at)...)
			}
			if all || !m.v2 && slices.Contains(names, "memory") && slices.Contains(m.controllers, "memory") {
				h.memory = append(h.memory, m.levels(at)...)
			}
		}
	}
	return h
}

func mountsOf(mountinfo string) (all []mount) {
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		fields, super := strings.Fields(left), strings.Fields(right)
		if !ok || len(fields) < 5 || len(super) < 1 {
			continue
		}
		m := mount{root: plain(fields[3]), dir: plain(fields[4]), v2: super[0] == "cgroup2"}
		if super[0] == "cgroup" && len(super) >= 3 {
			m.controllers = strings.Split(super[2], ",")
		}
		if m.v2 || m.controllers != nil {
			all = append(all, m)
		}
	}
	return all
}

// plain undoes mountinfo's escapes: \040 is a space.
func plain(s string) string {
	for i := 0; i+3 < len(s); i++ {
		if code, err := strconv.ParseUint(s[i+1:i+4], 8, 8); s[i] == '\\' && err == nil {
			s = s[:i] + string([]byte{byte(code)}) + s[i+4:]
		}
	}
	return s
}

// levels are the directories of a cgroup and of those above it, as far as the mount shows them.
func (m *mount) levels(cgroup string) (all []level) {
	below, ok := strings.CutPrefix(path.Clean("/"+cgroup), strings.TrimSuffix(path.Clean(m.root), "/"))
	if !ok || below != "" && below[0] != '/' { // the mount shows another part: all there is to see is its top
		below = ""
	}
	for at := path.Clean("/" + below); ; at = path.Dir(at) {
		all = append(all, level{path.Join(m.dir, at), m.v2})
		if at == "/" {
			return all
		}
	}
}

// processors is what a level allows; ok is false without a limit.
func (h *Host) processors(l level) (n float64, ok bool) {
	quota, period := int64(0), int64(0)
	if l.v2 {
		text, _ := h.read(l.dir, "cpu.max")
		fields := strings.Fields(text)
		if len(fields) != 2 {
			return 0, false
		}
		quota, period = number(fields[0]), number(fields[1])
	} else {
		quota, period = h.number(l.dir, "cpu.cfs_quota_us"), h.number(l.dir, "cpu.cfs_period_us")
	}
	return float64(quota) / float64(period), quota > 0 && period > 0
}

// memoryMax is what a level allows, in bytes; 0: no limit. memory.high is one as well: a group
// that is over it is slowed down until it is not.
func (h *Host) memoryMax(l level) int64 {
	if !l.v2 {
		return h.number(l.dir, "memory.limit_in_bytes")
	}
	most, high := h.number(l.dir, "memory.max"), h.number(l.dir, "memory.high")
	if most == 0 || high > 0 && high < most {
		return high
	}
	return most
}

// memoryUsed is what of a level's usage is not the cache of files.
func (h *Host) memoryUsed(l level) int64 {
	usage, prefix := "memory.current", ""
	if !l.v2 {
		usage, prefix = "memory.usage_in_bytes", "total_"
	}
	used := h.number(l.dir, usage)
	stat, _ := h.read(l.dir, "memory.stat")
	for line := range strings.Lines(stat) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == prefix+"inactive_file" || name == prefix+"active_file" {
			used -= number(value)
		}
	}
	return max(used, 0)
}
