package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"throng/bench"
)

const (
	pagePath   = "BENCHMARKS.md"
	recordRoot = "bench/record"
)

// Marks of the block that rewrite fills.
const (
	blockBegin = "<!-- made by go run ./bench/claims from the records; do not edit -->"
	blockEnd   = "<!-- end of what is made -->"
)

// rewrite fills the block of the page at path from the records in root.
func rewrite(path, root string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	filled, err := fill(string(page), root)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(filled), 0o644)
}

// fill gives the page with its block as the records have it.
func fill(page, root string) (string, error) {
	before, rest, found := strings.Cut(page, blockBegin)
	_, after, ended := strings.Cut(rest, blockEnd)
	if !found || !ended {
		return "", fmt.Errorf("%s has no block from %q to %q", pagePath, blockBegin, blockEnd)
	}
	body, err := tables(root, claims, micros)
	return before + blockBegin + "\n\n" + body + "\n" + blockEnd + after, err
}

// row is a claim with what its record says.
type row struct {
	title, record, limits string
	goal                  goal
	finding
}

// tables writes the table of scenarios, that of benchmarks, and what both refer to. The
// error names every claim that its record does not bear out in form.
func tables(root string, claims []claim, micros []micro) (string, error) {
	var errs []error
	var rows, small []row
	var pending []string
	for _, c := range claims {
		if c.record == "" {
			c.record = newest(root, c.scenario)
		}
		if c.record == "" {
			pending = append(pending, fmt.Sprintf("%s: %s (`throng bench %s`: %s)", c.title, c.goal, c.scenario, c.figure))
			continue
		}
		f, err := c.look(root)
		errs = append(errs, named(c.title, err))
		rows = append(rows, row{c.title, c.record, c.limits, c.goal, f})
	}
	for _, m := range micros {
		if m.record == "" {
			m.record = newest(root, "micro")
		}
		if m.record == "" {
			pending = append(pending, fmt.Sprintf("%s: %s (%s)", m.title, m.goal, m.name))
			continue
		}
		f, err := m.look(root)
		errs = append(errs, named(m.title, err))
		small = append(small, row{m.title, m.record, m.limits, m.goal, f})
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	var b strings.Builder
	var machines machines
	writeRows(&b, "### Scenarios", "scenario", rows, &machines)
	writeRows(&b, "### Benchmarks of the parts", "package", small, &machines)
	machines.write(&b)
	writeLimits(&b, slices.Concat(rows, small))
	if len(pending) > 0 {
		b.WriteString("### Goals without a record\n\nNobody has recorded these yet; nothing is claimed.\n\n")
		for _, p := range pending {
			fmt.Fprintf(&b, "- %s\n", p)
		}
	}
	return strings.TrimSuffix(b.String(), "\n") + "\n", nil
}

func named(title string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", title, err)
}

func writeRows(b *strings.Builder, heading, what string, rows []row, machines *machines) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "%s\n\n| claim | goal | median | spread, min to max | runs | verdict | %s | command | record | commit | machine |\n"+
		"|---|---|---:|---:|---:|---|---|---|---|---|---|\n", heading, what)
	for _, r := range rows {
		s := r.spread
		runs := fmt.Sprint(len(s.Values))
		if r.why != "" {
			runs += ", few: " + r.why
		}
		link := fmt.Sprintf("[%s](%s)", r.record, path.Join(recordRoot, r.record))
		fmt.Fprintf(b, "| %s | %s | %s | %s to %s | %s | %s | %s | `%s` | %s | %s | %s |\n", cell(r.title), r.goal,
			bench.Quantity(s.Median, s.Unit), bench.Quantity(s.Min, s.Unit), bench.Quantity(s.Max, s.Unit), runs, r.verdict(r.goal),
			r.scenario, cell(withoutRecord(r.command)), link, commitName(r.env), machines.letter(r.env))
	}
	b.WriteString("\n")
}

// cell keeps text from ending a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// withoutRecord is a command without where it keeps its record.
func withoutRecord(command string) string {
	words := strings.Fields(command)
	for i, w := range words {
		if w == "--record" && i+1 < len(words) {
			return strings.Join(slices.Delete(words, i, i+2), " ")
		}
		if strings.HasPrefix(w, "--record=") {
			return strings.Join(slices.Delete(words, i, i+1), " ")
		}
	}
	return command
}

// commitName is a short hash, with a + if the tree had changes of its own.
func commitName(e bench.Environment) string {
	const short = 8
	name := "`" + e.Commit[:min(short, len(e.Commit))]
	if e.Dirty {
		name += "+"
	}
	return name + "`"
}

// machines are described once, by letter.
type machines []string

func (m *machines) letter(e bench.Environment) string {
	const gib = 1 << 30
	kernel, _, _ := strings.Cut(e.Kernel, " ")
	text := fmt.Sprintf("%s, %d processors, %.0f GiB, Linux %s, %s", e.CPU, e.Cores, float64(e.MemoryBytes)/gib, kernel, e.Go)
	i := slices.Index(*m, text)
	if i < 0 {
		i = len(*m)
		*m = append(*m, text)
	}
	return string(rune('A' + i%26))
}

func (m machines) write(b *strings.Builder) {
	for i, text := range m {
		fmt.Fprintf(b, "Machine %c: %s.\n", 'A'+i%26, text)
	}
	if len(m) > 0 {
		b.WriteString("A + behind a commit: the tree had changes that were not committed.\n\n")
	}
}

func writeLimits(b *strings.Builder, rows []row) {
	rows = slices.DeleteFunc(rows, func(r row) bool { return r.limits == "" })
	if len(rows) == 0 {
		return
	}
	b.WriteString("### Limits of single claims\n\n")
	for _, r := range rows {
		fmt.Fprintf(b, "- %s: %s\n", r.title, r.limits)
	}
	b.WriteString("\n")
}
