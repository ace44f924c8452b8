package house

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestImports_GoDownOnly(t *testing.T)       { eachFile(t, floorFaults) }
func TestImports_NeedTheirKey(t *testing.T)     { eachFile(t, keyFaults) }
func TestImports_LeaveBarredAlone(t *testing.T) { eachFile(t, barredFaults) }

func TestRooms_HaveTellingNames(t *testing.T) { eachFile(t, roomNameFaults) }

// floor gives the row of the plan that a room belongs to, and its height; of several
// rows the closest wins.
func floor(room string) (row string, height int) {
	for name, n := range floors {
		if within(room, name) && len(name) > len(row) {
			row, height = name, n
		}
	}
	return row, height
}

// imports calls visit with each import path and its place.
func (f *file) imports(visit func(path, at string)) {
	for _, s := range f.ast.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err == nil {
			visit(p, f.at(s.Pos()))
		}
	}
}

func floorFaults(f *file) (out []fault) {
	row, own := floor(f.room)
	if row == "" && f.room != "." {
		return []fault{{f.path + ":1", "the room " + f.room + " is on no floor", "give it one in floors, internal/house/plan_test.go"}}
	}
	f.imports(func(p, at string) {
		room, ours := strings.CutPrefix(p, module+"/")
		theirRow, theirs := floor(room)
		if !ours || theirRow == row {
			return
		}
		if slices.ContainsFunc(forTests, func(name string) bool { return within(room, name) }) {
			if !f.test {
				out = append(out, fault{at, f.room + " imports " + room + ", which is for tests", "leave it out of shipped code"})
			}
			return
		}
		if theirs > own || theirs == own && !f.test {
			out = append(out, fault{at, fmt.Sprintf("%s (floor %d) imports %s (floor %d); an arrow only goes down", f.room, own, room, theirs),
				"turn the call around with an interface that " + f.room + " declares, or move the code"})
		}
	})
	return out
}

func keyFaults(f *file) (out []fault) {
	f.imports(func(p, at string) {
		for _, k := range keys {
			if p != k.path && !strings.HasPrefix(p, k.path+"/") {
				continue
			}
			held := slices.ContainsFunc(k.rooms, func(r string) bool { return within(f.room, r) })
			if !held && !(f.test && k.tests) {
				out = append(out, fault{at, f.room + " imports " + p + " without its key (" + k.reason + ")",
					"ask one of these rooms for what is needed: " + strings.Join(k.rooms, ", ")})
			}
			return
		}
		first, _, _ := strings.Cut(p, "/")
		if !f.apart && first != module && strings.Contains(first, ".") {
			out = append(out, fault{at, p + " is a dependency that the house does not know",
				"do without it, or give it a row in keys, internal/house/plan_test.go, with the reason"})
		}
	})
	return out
}

func barredFaults(f *file) (out []fault) {
	if f.test {
		return nil
	}
	f.imports(func(p, at string) {
		for _, b := range barred {
			if within(f.room, b.room) && (p == b.path || strings.HasPrefix(p, b.path+"/")) {
				out = append(out, fault{at, f.room + " imports " + p, "leave it out: " + b.why})
			}
		}
	})
	return out
}

func roomNameFaults(f *file) []fault {
	for part := range strings.SplitSeq(f.room, "/") {
		if slices.Contains([]string{"pkg", "util", "utils", "common", "helpers", "misc"}, part) {
			return []fault{{f.path + ":1", "a room named " + part + " says nothing", "name it after the noun it holds"}}
		}
	}
	return nil
}
