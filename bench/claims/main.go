// Command claims keeps BENCHMARKS.md true: it writes the marked blocks of that page from
// the records in bench/record and from the tables in table.go, and from nothing else.
//
//	go run ./bench/claims                      write the page anew
//	go run ./bench/claims -record DIR CMD…     run a go test -bench command and record what it prints
//	go run ./bench/claims -plot DIR RECORD…    draw the charts of records of scenarios, into DIR/RECORD
//
// Both are run in the root of the module. Exit status: 0 done, 1 failed, 2 usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"throng/bench"
)

func main() {
	dir := flag.String("record", "", "new directory for what CMD prints, with env.json and command.txt")
	charts := flag.String("plot", "", "directory for the charts of each RECORD")
	flag.Parse()
	var err error
	switch {
	case *dir != "" && *charts == "" && flag.NArg() > 0:
		err = recordMicro(context.Background(), *dir, flag.Args(), os.Stdout)
	case *charts != "" && flag.NArg() > 0:
		err = plotRecords(*charts, flag.Args())
	case *dir == "" && *charts == "" && flag.NArg() == 0:
		err = rewrite(pagePath, recordRoot)
	default:
		flag.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "claims:", err)
		os.Exit(1)
	}
}

// plotRecords draws what records hold, as throng bench --plot would have.
func plotRecords(dir string, records []string) error {
	for _, record := range records {
		r, err := bench.ReadRecord(record)
		if err != nil {
			return err
		}
		for i, rep := range r.Reports {
			into := filepath.Join(dir, filepath.Base(record))
			if len(r.Reports) > 1 {
				into = filepath.Join(into, fmt.Sprint("run-", i+1))
			}
			if _, err := rep.Plot(into); err != nil {
				return err
			}
		}
	}
	return nil
}
