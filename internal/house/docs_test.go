package house

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestExported_IsDocumented(t *testing.T)        { eachFile(t, exportedFaults) }
func TestReceivers_HaveOneLetter(t *testing.T)      { eachFile(t, receiverFaults) }
func TestTests_AreNamedThingCondition(t *testing.T) { eachFile(t, testNameFaults) }

func TestPackages_HaveTheirCommentInDocGo(t *testing.T) {
	seen := map[string]bool{} // room → has shipped or test files
	for _, f := range files(t) {
		report(t, packageCommentFaults(f))
		seen[f.room] = seen[f.room] || f.commentHome()
	}
	for room, hasDoc := range seen {
		if !hasDoc {
			t.Errorf("%s/doc.go:1: the room %s has no doc.go; write one with the package comment: what it is for, who may touch what", room, room)
		}
	}
}

// commentHome tells whether the file is where its package comment belongs: doc.go, and
// for a small command its main.go may do.
func (f *file) commentHome() bool {
	name := path.Base(f.path)
	return name == "doc.go" || name == "main.go" && f.ast.Name.Name == "main" && f.ast.Doc != nil
}

func packageCommentFaults(f *file) []fault {
	doc := strings.TrimSpace(f.ast.Doc.Text())
	if !f.commentHome() {
		if doc == "" || f.gen {
			return nil
		}
		return []fault{{f.at(f.ast.Package), "a package comment outside doc.go", "move it to doc.go, so that it has one home"}}
	}
	start := "Package " + f.ast.Name.Name + " "
	if f.ast.Name.Name == "main" {
		start = "Command " + path.Base(f.room) + " "
	}
	if !strings.HasPrefix(doc, start) {
		return []fault{{f.at(f.ast.Package), "the package comment is missing or starts otherwise", "start it with \"" + start + "…\" and say what the room is for"}}
	}
	return nil
}

func exportedFaults(f *file) (out []fault) {
	if f.test || f.gen || f.ast.Name.Name == "main" {
		return nil
	}
	need := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		for _, d := range docs {
			if strings.TrimSpace(d.Text()) != "" {
				return
			}
		}
		if name.IsExported() {
			out = append(out, fault{f.at(name.Pos()), name.Name + " is exported and not documented",
				"say its shapes, units, errors and who may call it, or make it private"})
		}
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			known := slices.Contains([]string{"Error", "String", "Unwrap", "Len", "Less", "Swap"}, d.Name.Name)
			if d.Recv == nil || ast.IsExported(receiverType(d)) && !known {
				need(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					need(s.Name, s.Doc, alone(d))
				case *ast.ValueSpec:
					for _, n := range s.Names {
						need(n, s.Doc, s.Comment, d.Doc)
					}
				}
			}
		}
	}
	return out
}

// alone gives the comment above a declaration that holds a single type; the comment
// above a group of types documents none of them.
func alone(d *ast.GenDecl) *ast.CommentGroup {
	if d.Lparen == token.NoPos {
		return d.Doc
	}
	return nil
}

func receiverType(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func receiverFaults(f *file) (out []fault) {
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || f.gen || fn.Recv == nil || len(fn.Recv.List[0].Names) == 0 {
			continue
		}
		if name := fn.Recv.List[0].Names[0].Name; len(name) > 1 {
			out = append(out, fault{f.at(fn.Pos()), "the receiver " + name + " of " + fn.Name.Name + " has more than one letter",
				"use " + strings.ToLower(name[:1])})
		}
	}
	return out
}

var (
	testName  = regexp.MustCompile(`^Test[A-Z][A-Za-z0-9]*_[A-Z0-9][A-Za-z0-9_]*$`)
	benchFile = regexp.MustCompile(`_(timing|bench)_test\.go$`)
)

func testNameFaults(f *file) (out []fault) {
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !f.test || fn.Recv != nil {
			continue
		}
		name := fn.Name.Name
		switch {
		case strings.HasPrefix(name, "Test") && name != "TestMain" && !testName.MatchString(name):
			out = append(out, fault{f.at(fn.Pos()), name + " does not say what holds when", "name it TestThing_Condition"})
		case strings.HasPrefix(name, "Benchmark") && !benchFile.MatchString(f.path):
			out = append(out, fault{f.at(fn.Pos()), name + " is a benchmark among tests", "move it to a file that ends in _bench_test.go or _timing_test.go"})
		}
	}
	return out
}
