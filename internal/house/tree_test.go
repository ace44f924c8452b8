package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "throng"

// file is one Go file of the tree.
type file struct {
	path  string // relative to the module's root, with slashes
	room  string // its folder
	test  bool   // name ends in _test.go
	lines int
	fset  *token.FileSet
	ast   *ast.File
	gen   bool // carries the mark of generated code
	apart bool // belongs to a module of its own: its dependencies are not ours
}

// fault is a broken rule, worded as advice.
type fault struct {
	at   string // path:line
	rule string
	todo string // what to do
}

func (f fault) String() string { return fmt.Sprintf("%s: %s; %s", f.at, f.rule, f.todo) }

func (f *file) at(p token.Pos) string {
	return fmt.Sprintf("%s:%d", f.path, f.fset.Position(p).Line)
}

// parse reads one Go file. The path is as in the tree; src is its text.
func parse(name, src string) (*file, error) {
	f := &file{path: name, room: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet()}
	tree, err := parser.ParseFile(f.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f.ast, f.gen = tree, ast.IsGenerated(tree)
	f.lines = strings.Count(strings.TrimSuffix(src, "\n"), "\n") + 1
	return f, nil
}

// text is one text file of the tree.
type text struct{ path, body string }

// skipped are folders that hold no source of ours.
var skipped = map[string]bool{".git": true, "bin": true, "node_modules": true, "dist": true}

// tree reads the whole module once: every text file, and every Go file parsed. Build
// tags are not looked at, so a rule holds on every system.
var tree = sync.OnceValues(func() ([]text, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	var texts []text
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped[d.Name()]:
			return filepath.SkipDir
		case d.IsDir() || !d.Type().IsRegular():
			return nil
		}
		raw, err := os.ReadFile(p)
		if err != nil || strings.ContainsRune(string(raw[:min(len(raw), 512)]), 0) {
			return err
		}
		rel, err := filepath.Rel(root, p)
		texts = append(texts, text{filepath.ToSlash(rel), string(raw)})
		return err
	})
	return texts, err
})

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", fmt.Errorf("no go.mod above the test's folder: %w", err)
}

func texts(t *testing.T) []text {
	t.Helper()
	all, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("the tree is empty: the rules were not looked at")
	}
	return all
}

// files are the tree's Go files, without testdata.
func files(t *testing.T) []*file {
	t.Helper()
	var out []*file
	var modules []string // other than the root's
	for _, x := range texts(t) {
		if dir, name := path.Split(x.path); name == "go.mod" && dir != "" {
			modules = append(modules, path.Clean(dir))
		}
	}
	for _, x := range texts(t) {
		if path.Ext(x.path) != ".go" || strings.Contains("/"+x.path, "/testdata/") {
			continue
		}
		f, err := parse(x.path, x.body)
		if err != nil {
			t.Fatal(err)
		}
		f.apart = slices.ContainsFunc(modules, func(m string) bool { return within(f.room, m) })
		out = append(out, f)
	}
	return out
}

func report(t *testing.T, faults []fault) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}

// eachFile reports the faults that rule finds in each file of the tree.
func eachFile(t *testing.T, rule func(*file) []fault) {
	t.Helper()
	for _, f := range files(t) {
		report(t, rule(f))
	}
}

// within tells whether a room is the named one or a part of it.
func within(room, name string) bool {
	return room == name || strings.HasPrefix(room, name+"/")
}
