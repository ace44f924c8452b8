package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// root is the top of the tree, as seen from this folder: tests run in it.
const root = "../.."

// hangMax is far beyond what any wait takes: whatever hangs is killed, and its test fails.
const hangMax = time.Minute

// throng and hostfeed are the binaries under test, built once.
var throng, hostfeed string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "throng-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		throng, hostfeed = filepath.Join(dir, "throng"), filepath.Join(dir, "hostfeed")
		build := exec.Command("go", "build", "-C", root, "-o", dir+"/", "./cmd/throng", "./examples/hostfeed")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// installing lets one test at a time install something.
var installing sync.Mutex

// need fails the test unless the tools are there or can be installed. It comes first in a
// test: what is started before would be killed while a large package is fetched.
func need(t *testing.T, tools ...string) {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	out, err := exec.Command(filepath.Join(root, "scripts/need"), tools...).CombinedOutput()
	if err != nil {
		t.Fatalf("this test needs %q, and not all of it can be had here:\n%s", tools, out)
	}
}
