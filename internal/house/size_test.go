package house

import (
	"fmt"
	"go/ast"
	"testing"
)

func TestFiles_StayShort(t *testing.T)     { eachFile(t, fileLengthFaults) }
func TestFunctions_StayShort(t *testing.T) { eachFile(t, funcLengthFaults) }

func fileLengthFaults(f *file) []fault {
	limit := fileLinesMax
	if f.test {
		limit = testFileLinesMax
	}
	if f.gen || f.lines <= limit {
		return nil
	}
	return []fault{{fmt.Sprintf("%s:%d", f.path, limit+1), fmt.Sprintf("the file has %d lines, at most %d are good", f.lines, limit),
		"split it by the nouns it holds"}}
}

func funcLengthFaults(f *file) (out []fault) {
	limit := funcLinesMax
	if f.test {
		limit = testFuncLinesMax
	}
	if f.gen {
		return nil
	}
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		lines := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1
		if lines > limit {
			out = append(out, fault{f.at(fn.Pos()), fmt.Sprintf("%s has %d lines, at most %d are good", fn.Name.Name, lines, limit),
				"split it where a comment starts a new step"})
		}
	}
	return out
}
