package house

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

func TestGoroutines_AreBornInListedFiles(t *testing.T) {
	born := map[string]bool{}
	for _, f := range files(t) {
		if f.test || slices.ContainsFunc(forTests, func(name string) bool { return within(f.room, name) }) {
			continue
		}
		found := birthFaults(f)
		born[f.path] = len(found) > 0
		if births[f.path] == "" {
			report(t, found)
		}
	}
	for path := range births {
		if !born[path] {
			t.Errorf("internal/house/plan_test.go: births lists %s, which starts no goroutine; take the row out", path)
		}
	}
}

// birthFaults finds the places that start a goroutine.
func birthFaults(f *file) (out []fault) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		var what string
		switch n := n.(type) {
		case *ast.GoStmt:
			what = "a go statement"
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "Go" || s.Sel.Name == "AfterFunc") {
				what = "a call of " + s.Sel.Name
			}
		}
		if what != "" {
			out = append(out, fault{f.at(n.Pos()), what + " starts a goroutine that the house does not know",
				"let a loop do it; if it must live, give " + f.path + " a row in births, internal/house/plan_test.go: why it lives, who ends it"})
		}
		return true
	})
	return out
}

func TestBirths_SayWhyAndWhoEnds(t *testing.T) {
	for path, line := range births {
		if len(strings.Fields(line)) < 5 {
			t.Errorf("internal/house/plan_test.go: births of %s: %q does not say why it lives and who ends it", path, line)
		}
	}
}
