package httpparse

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the parser says into testdata/*.md; read the diff before you keep it")

// A golden file is Markdown. A case is a heading "## name", prose, a fenced block whose first line names its kind
// and the limits that differ from the defaults, and a fenced block "expect":
//
//	request, chunked: fed whole and byte by byte, with the same answer; query: walked and unescaped
//
// Line breaks of the block are layout; bytes are written as they are or as \r \n \t \\ \xHH.
type goldenCase struct {
	name, kind string
	input      []byte
	lim        Limits
	expect     *string // into goldenFile.parts
}

// goldenParts cuts a file so that joining the parts gives the file; the texts of expect blocks are own parts.
func goldenParts(t testing.TB, text string) (parts []*string, cases []goldenCase) {
	var c goldenCase
	var b strings.Builder
	part := func() *string {
		s := b.String()
		parts = append(parts, &s)
		b.Reset()
		return &s
	}
	block := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case block == "" && strings.HasPrefix(line, "## "):
			c = goldenCase{name: strings.TrimSpace(line[3:]), lim: DefaultLimits()}
		case block == "" && strings.HasPrefix(line, "```"):
			block = strings.TrimPrefix(words[0], "```")
			b.WriteString(line)
			if block == "expect" {
				part()
			} else {
				c.kind, c.input = block, nil
				goldenLimits(t, words[1:], &c.lim)
			}
			continue
		case strings.HasPrefix(line, "```"):
			if block == "expect" {
				c.expect = part()
				cases = append(cases, c)
			}
			block = ""
		case block != "" && block != "expect":
			c.input = append(c.input, goldenBytes(t, strings.TrimSuffix(line, "\n"))...)
		}
		b.WriteString(line)
	}
	part()
	return parts, cases
}

func goldenLimits(t testing.TB, words []string, lim *Limits) {
	named := map[string]*int{
		"HeadBytesMax": &lim.HeadBytesMax, "TargetBytesMax": &lim.TargetBytesMax, "MethodBytesMax": &lim.MethodBytesMax,
		"HeadersMax": &lim.HeadersMax, "FieldNameBytesMax": &lim.FieldNameBytesMax,
		"FieldValueBytesMax": &lim.FieldValueBytesMax, "ChunkSizeDigitsMax": &lim.ChunkSizeDigitsMax,
		"ChunkExtBytesMax": &lim.ChunkExtBytesMax, "TrailerBytesMax": &lim.TrailerBytesMax,
	}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		n, err := strconv.Atoi(value)
		if err != nil || named[name] == nil {
			t.Fatalf("limit %q", w)
		}
		*named[name] = n
	}
}

func goldenBytes(t testing.TB, line string) []byte {
	out, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	return []byte(out)
}

func TestGolden_CasesSayTheSame(t *testing.T) {
	files, err := filepath.Glob("testdata/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	codes := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parts, cases := goldenParts(t, string(text))
		for _, c := range cases {
			t.Run(filepath.Base(file)+"/"+c.name, func(t *testing.T) {
				got, code := c.run(t)
				codes[code] = true
				if *rewrite {
					*c.expect = got
				} else if got != *c.expect {
					t.Errorf("now:\n%s\nexpected:\n%s", got, *c.expect)
				}
			})
		}
		if *rewrite {
			var b strings.Builder
			for _, p := range parts {
				b.WriteString(*p)
			}
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, r := range rules[pass+1:] {
		if !codes[r.code] {
			t.Errorf("no golden case is refused with %s", r.code)
		}
	}
}

// run gives the text of the answer and the code of a refusal.
func (c *goldenCase) run(t *testing.T) (text, code string) {
	var whole, bytewise func() (string, error)
	switch c.kind {
	case "request":
		whole = func() (string, error) { return feedRequest(c.input, &c.lim, len(c.input)) }
		bytewise = func() (string, error) { return feedRequest(c.input, &c.lim, 1) }
	case "chunked":
		whole = func() (string, error) { return feedChunked(c.input, &c.lim, len(c.input)) }
		bytewise = func() (string, error) { return feedChunked(c.input, &c.lim, 1) }
	case "query":
		whole = func() (string, error) { return dumpQuery(c.input) }
		bytewise = whole
	default:
		t.Fatalf("a block of kind %q", c.kind)
	}
	text, err := whole()
	again, errAgain := bytewise()
	if text != again || fmt.Sprint(err) != fmt.Sprint(errAgain) {
		t.Errorf("whole:\n%s%v\nbyte by byte:\n%s%v", text, err, again, errAgain)
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return fmt.Sprintf("%d %v\n", e.Status, e), e.Code
	}
	if err != nil {
		return text + err.Error() + "\n", ""
	}
	return text, ""
}
