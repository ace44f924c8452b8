package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestQuota_PlacesOfBothVersions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mounts, own string
		want        []quotaPlace
	}{
		"version 1": {"30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			"5:memory:/m\n4:cpu,cpuacct:/a/b\n", []quotaPlace{{"/sys/fs/cgroup/cpu,cpuacct/a/b", false}, {"/sys/fs/cgroup/cpu,cpuacct/a", false}, {"/sys/fs/cgroup/cpu,cpuacct", false}}},
		"version 2": {"30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/user.slice\n", []quotaPlace{{"/sys/fs/cgroup/user.slice", true}, {"/sys/fs/cgroup", true}}},
		"none":      {"30 25 0:26 / / rw - ext4 /dev/vda rw\nnonsense\n", "", nil},
		"unknown":   {"30 25 0:26 / /c rw - cgroup2 c rw\n", "nonsense\n", []quotaPlace{{"/c", true}}},
	} {
		if got := quotaPlaces(c.mounts, c.own); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// What is half made is taken away, and the nil quota is none.
func TestQuota_NotMade(t *testing.T) {
	t.Parallel()
	q := &quota{dir: filepath.Join(t.TempDir(), "missing", "group"), cpu: 0.5}
	if err := q.make(); err == nil {
		t.Error("a group was made in a directory that is not there")
	}
	if err := q.close(); err != nil {
		t.Errorf("a group that is gone: %v", err)
	}
	var none *quota
	if argv := none.wrap([]string{"a", "b"}); !reflect.DeepEqual(argv, []string{"a", "b"}) || none.close() != nil {
		t.Errorf("%q", argv)
	}
}

// A busy process in the group gets its share and not more, however idle the machine is.
func TestQuota_HoldsAProcessBack(t *testing.T) {
	t.Parallel()
	const share = 0.2
	q, err := newQuota(share)
	if err != nil {
		t.Skip(err)
	}
	argv := q.wrap([]string{"/bin/sh", "-c", "while :; do :; done"})
	p, err := spawn("a busy process", exec.Command(argv[0], argv[1:]...))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(q.dir, "cgroup.procs"))
		if err == nil && len(text) > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the process is not in its group: %v", err)
		}
	}
	before, err := p.pid.cpu()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	time.Sleep(500 * time.Millisecond)
	after, err := p.pid.cpu()
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	if used := after - before; used > time.Duration(share*float64(took))+4*quotaPeriod {
		t.Errorf("%v of %v, want a share of %v at most", used, took, share)
	}
	if times, periods, err := q.throttled(); err != nil || periods == 0 || times > periods {
		t.Errorf("%d of %d periods, %v", times, periods, err)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if err := q.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(q.dir); !os.IsNotExist(err) {
		t.Errorf("the group is still there: %v", err)
	}
}
