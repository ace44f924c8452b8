package loops

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what happened into testdata/script instead of comparing")

// TestLoops_Stories runs every story of testdata/script. A line that starts with > is a
// command (play.do), one that starts with # is the teller's, and the others are what the
// command above them answered. With -rewrite the answers are replaced: then read the diff.
// At the end of a story everything closes, and nothing may be left over.
func TestLoops_Stories(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := tell(t, string(want))
			switch {
			case *rewrite:
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			case !bytes.Equal(got, want):
				t.Errorf("the story went otherwise:\n%s", got)
			}
		})
	}
}

// tell plays a story and writes it down again with the answers that came.
func tell(t *testing.T, story string) []byte {
	var out bytes.Buffer
	p := &play{t: t, clients: make(map[string]*client)}
	for line := range strings.Lines(story) {
		line = strings.TrimRight(line, "\n")
		switch command, ok := strings.CutPrefix(line, "> "); {
		case ok:
			fmt.Fprintln(&out, line)
			if answer := strings.TrimRight(p.do(strings.Fields(command)), "\n"); answer != "" {
				fmt.Fprintln(&out, answer)
			}
		case line == "" || line[0] == '#':
			fmt.Fprintln(&out, line)
		}
	}
	if p.rig != nil {
		p.stop()
	}
	return out.Bytes()
}
