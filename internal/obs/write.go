package obs

import (
	"bytes"
	"io"
	"strings"

	"github.com/VictoriaMetrics/metrics"
)

// ContentType is what WritePrometheus writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// WritePrometheus writes all series of the table, the Go runtime and the process, each
// family under its # HELP and # TYPE lines. Any goroutine may call it. It calls all the
// callbacks and writes to w once, after the last of them.
func (t *Table) WritePrometheus(w io.Writer) error {
	var plain, described bytes.Buffer
	t.set.WritePrometheus(&plain)
	metrics.WriteProcessMetrics(&plain)
	metrics.WriteFDMetrics(&plain)
	describe(&described, plain.String())
	_, err := w.Write(described.Bytes())
	return err
}

// describe copies series and puts the two lines before each family. The lines of a family
// follow each other in the text.
func describe(dst *bytes.Buffer, text string) {
	var current *Family
	for line := range strings.Lines(text) {
		f := familyOf[familyName(line)]
		if f != nil && f != current {
			dst.WriteString("# HELP " + f.Name + " " + f.Help + "\n# TYPE " + f.Name + " " + f.Type + "\n")
		}
		current = f
		dst.WriteString(line)
	}
}

// familyName is the name of the family that a line belongs to: that of the series, but
// for the parts of histograms and summaries, which have names of their own.
func familyName(line string) string {
	name := line
	if end := strings.IndexAny(line, "{ "); end >= 0 {
		name = line[:end]
	}
	for _, part := range [...]string{"_bucket", "_sum", "_count"} {
		base, ok := strings.CutSuffix(name, part)
		if f := familyOf[base]; ok && f != nil && (f.Type == typeHistogram || f.Type == typeSummary) {
			return base
		}
	}
	return name
}
