package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"throng/bench"
)

// samples are the values of one benchmark and unit, in the order of its runs.
type samples struct {
	pkg    string
	values []float64
}

// parseBench reads the output of go test -bench, whose format is described in
// golang.org/x/perf/benchfmt: "BenchmarkName-8  1000  123 ns/op  0 B/op". The key is name
// and unit, the name without Benchmark and without the number of processors.
func parseBench(text []byte) (map[[2]string]*samples, error) {
	all := make(map[[2]string]*samples)
	pkg := ""
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		if len(f) == 2 && f[0] == "pkg:" {
			pkg = f[1]
		}
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		if _, err := strconv.ParseUint(f[1], 10, 64); err != nil {
			continue // a log line of the benchmark
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			if _, err := strconv.ParseUint(name[i+1:], 10, 16); err == nil {
				name = name[:i]
			}
		}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: %q is no number", n, f[i])
			}
			key := [2]string{name, f[i+1]}
			if all[key] == nil {
				all[key] = &samples{pkg: pkg}
			}
			all[key].values = append(all[key].values, v)
		}
	}
	return all, lines.Err()
}

// look reads what a claim's record says: every .txt file in it but command.txt.
func (m micro) look(root string) (finding, error) {
	dir := filepath.Join(root, m.record)
	var f finding
	var err error
	if f.env, f.command, err = bench.ReadSetting(dir); err != nil {
		return f, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return f, err
	}
	var text []byte
	for _, file := range files {
		if filepath.Base(file) == "command.txt" {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return f, err
		}
		text = append(append(text, b...), '\n')
	}
	all, err := parseBench(text)
	if err != nil {
		return f, fmt.Errorf("%s: %w", m.record, err)
	}
	own := all[[2]string{m.name, m.unit}]
	if own == nil {
		return f, fmt.Errorf("%s: no benchmark %s in %s", m.record, m.name, m.unit)
	}
	f.scenario, f.spread = strings.TrimPrefix(own.pkg, "throng/"), bench.NewSpread(m.name, m.unit, own.values)
	if m.over != "" {
		if f.spread, err = m.ratio(own, all[[2]string{m.over, m.unit}]); err != nil {
			return f, err
		}
	}
	return f, f.check(m.goal, m.few)
}

// ratio divides run by run: runs of one number stand close in time.
func (m micro) ratio(own, other *samples) (bench.Spread, error) {
	if other == nil {
		return bench.Spread{}, fmt.Errorf("%s: no benchmark %s in %s", m.record, m.over, m.unit)
	}
	if len(own.values) != len(other.values) {
		return bench.Spread{}, fmt.Errorf("%s: %d runs of %s, %d of %s", m.record, len(own.values), m.name, len(other.values), m.over)
	}
	var ratios []float64
	for i, v := range own.values {
		if other.values[i] == 0 {
			return bench.Spread{}, fmt.Errorf("%s: %s is 0 in run %d", m.record, m.over, i+1)
		}
		ratios = append(ratios, v/other.values[i])
	}
	return bench.NewSpread(m.name+" over "+m.over, "ratio", ratios), nil
}

// recordMicro runs a command, shows what it prints on show, and keeps it as bench.txt beside
// env.json and command.txt. A command that fails leaves no record.
func recordMicro(ctx context.Context, dir string, argv []string, show io.Writer) error {
	var text bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(show, &text), os.Stderr
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s is already there; a record is never written over", dir)
	}
	env := bench.ReadEnvironment(ctx, nil)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%q: %w", argv, err)
	}
	all, err := parseBench(text.Bytes())
	if err == nil && len(all) == 0 {
		err = errors.New("no benchmark ran")
	}
	if err != nil {
		return fmt.Errorf("%q: %w", argv, err)
	}
	return bench.WriteSetting(dir, env, argv, "bench.txt", text.Bytes())
}
