package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

const envPrefix = "THRONG_"

// refuseUnknownVariables finds THRONG_ variables that no option reads: a limit that an
// operator believes to be set, and is not, is worse than a server that does not start.
func refuseUnknownVariables(app *kong.Application, environ []string) error {
	var known []string
	var collect func(*kong.Node)
	collect = func(n *kong.Node) {
		for _, f := range n.Flags {
			known = append(known, f.Envs...)
		}
		for _, child := range n.Children {
			collect(child)
		}
	}
	collect(app.Node)
	var all []error
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, envPrefix) && !slices.Contains(known, name) {
			all = append(all, fmt.Errorf("the variable %s is unknown; the nearest is %s", name, nearest(name, known)))
		}
	}
	return errors.Join(all...)
}

// nearest gives the name that takes the fewest edits from a mistyped one.
func nearest(typo string, names []string) string {
	best, fewest := "", int(^uint(0)>>1)
	for _, name := range names {
		if n := edits(typo, name); n < fewest {
			best, fewest = name, n
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
