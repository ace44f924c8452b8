package breaker

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

var rewrite = flag.Bool("rewrite", false, "write what happened into testdata/*.golden instead of comparing")

// TestBreaker_Stories plays testdata/*.golden in virtual time. A line that starts with > is a
// command (play.do), one that starts with # is the teller's, and the others are what came of
// the command above them: answers, and what the board logged. With -rewrite they are written
// anew: then read the diff.
func TestBreaker_Stories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".golden"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			synctest.Test(t, func(t *testing.T) { got = tellStory(t, string(want)) })
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

// tellStory plays a story, and writes it down again with what came of it.
func tellStory(t *testing.T, story string) []byte {
	p := newPlay(t)
	for line := range strings.Lines(story) {
		line = strings.TrimRight(line, "\n")
		switch command, is := strings.CutPrefix(line, "> "); {
		case is:
			fmt.Fprintln(p, line)
			p.do(strings.Fields(command))
		case line == "" || line[0] == '#':
			fmt.Fprintln(p, line)
		}
	}
	return p.out.Bytes()
}
