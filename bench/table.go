package bench

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// lineWidth is what a report keeps to, in columns, where its words allow.
const lineWidth = 96

// table lines up cells. The first column and those of left are flush left, the others
// flush right.
type table struct {
	left map[int]bool
	rows [][]string
}

func newTable(left ...int) *table {
	t := &table{left: map[int]bool{0: true}}
	for _, column := range left {
		t.left[column] = true
	}
	return t
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// nameWidthMin is what the first column may take however wide the others are. A name for
// which there is no room gets a line of its own.
const nameWidthMin = 24

// String draws the table. Two spaces part its columns.
func (t *table) String() string {
	widths := t.widths()
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			n := utf8.RuneCountInString(cell)
			if i == 0 && n > widths[0] && len(row) > 1 {
				fmt.Fprintf(&b, "%s\n", cell)
				cell, n = "", 0
			}
			pad := strings.Repeat(" ", max(0, widths[i]-n))
			if t.left[i] {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// widths are those of the columns, the first one's chosen so that the rest fits a line.
func (t *table) widths() []int {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i > 0 {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			}
		}
	}
	room := lineWidth
	for _, w := range widths[min(1, len(widths)):] {
		room -= w + 2
	}
	for _, row := range t.rows {
		if n := utf8.RuneCountInString(row[0]); n <= max(room, nameWidthMin) {
			widths[0] = max(widths[0], n)
		}
	}
	return widths
}

// wrap breaks text between words so that its lines keep to lineWidth; lines after the
// first begin with indent.
func wrap(text, indent string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > lineWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}
