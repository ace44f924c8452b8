package bench

import (
	"slices"
	"strings"
)

// isOurs says whether a command line is that of a server of ours: it has the word serve.
func isOurs(argv []string) bool { return slices.Contains(argv, "serve") }

// withOption adds an option to the command line of a server of ours, unless it is there
// already. Other servers are left as they are.
func withOption(argv []string, name, value string) []string {
	given := func(a string) bool { return a == name || strings.HasPrefix(a, name+"=") }
	if !isOurs(argv) || slices.ContainsFunc(argv, given) {
		return argv
	}
	return append(slices.Clone(argv), name, value)
}

// serverOption adds an option to the server that the run starts, as withOption does. The
// report shows it.
func (r *run) serverOption(name, value string) {
	r.o.Server = withOption(r.o.Server, name, value)
	r.report.Options.Server = r.o.Server
}
