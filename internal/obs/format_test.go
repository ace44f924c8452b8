package obs

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// A sample is one line of a scrape.
type sample struct {
	name   string
	labels string // as written, without the braces
	value  float64
}

// scrape is a parsed exposition.
type scrape struct {
	types   map[string]string
	helps   map[string]string
	order   []string // families as their samples began
	samples []sample
	values  map[string]float64 // by name and labels as written
}

var (
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:, ?|$)`)
	valueText  = regexp.MustCompile(`^(?:[+-]?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)$`)
)

// parse reads the text format 0.0.4, stricter than a scraper: HELP, then TYPE, then all
// samples of the family in one run, no sample twice.
func parse(text string) (*scrape, error) {
	s := &scrape{types: map[string]string{}, helps: map[string]string{}, values: map[string]float64{}}
	if !utf8.ValidString(text) || !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("not UTF-8, or the last line does not end")
	}
	lastHelp := ""
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		var err error
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			lastHelp, err = s.help(rest)
		} else if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			err = s.typ(rest, lastHelp)
		} else {
			err = s.sample(line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: %s", n+1, err, line)
		}
	}
	return s, nil
}

func (s *scrape) help(rest string) (string, error) {
	name, help, ok := strings.Cut(rest, " ")
	if _, twice := s.helps[name]; twice || !ok || help == "" || strings.Contains(help, `\`) {
		return "", fmt.Errorf("bad or second HELP")
	}
	s.helps[name] = help
	return name, nil
}

func (s *scrape) typ(rest, lastHelp string) error {
	name, typ, _ := strings.Cut(rest, " ")
	if _, twice := s.types[name]; twice || name != lastHelp {
		return fmt.Errorf("second TYPE, or not after its HELP")
	}
	switch typ {
	case "counter", "gauge", "histogram", "summary":
		s.types[name] = typ
		return nil
	}
	return fmt.Errorf("no such type")
}

func (s *scrape) sample(line string) error {
	m := sampleLine.FindStringSubmatch(line)
	if m == nil || !valueText.MatchString(m[3]) {
		return fmt.Errorf("not a sample")
	}
	for rest := m[2]; rest != ""; {
		pair := labelPair.FindString(rest)
		if pair == "" {
			return fmt.Errorf("bad labels")
		}
		rest = rest[len(pair):]
	}
	value, err := strconv.ParseFloat(m[3], 64)
	if err != nil {
		return err
	}
	family := m[1]
	if s.types[family] == "" {
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			base := strings.TrimSuffix(m[1], part)
			if t := s.types[base]; base != m[1] && (t == "histogram" || t == "summary" && part != "_bucket") {
				family = base
			}
		}
	}
	if s.types[family] == "" {
		return fmt.Errorf("no TYPE before it")
	}
	if len(s.order) == 0 || s.order[len(s.order)-1] != family {
		for _, f := range s.order {
			if f == family {
				return fmt.Errorf("the family began before")
			}
		}
		s.order = append(s.order, family)
	}
	key := line[:len(line)-len(m[3])-1]
	if _, twice := s.values[key]; twice {
		return fmt.Errorf("a second time")
	}
	s.values[key] = value
	s.samples = append(s.samples, sample{name: m[1], labels: m[2], value: value})
	return nil
}

// histogram checks the buckets of one histogram without other labels.
func (s *scrape) histogram(name string) error {
	below, last := math.Inf(-1), 0.0
	for _, p := range s.samples {
		if p.name != name+"_bucket" {
			continue
		}
		le, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimPrefix(p.labels, `le="`), `"`), 64)
		if err != nil || le <= below || p.value < last {
			return fmt.Errorf("%s: bucket %s = %v after %v = %v (%v)", name, p.labels, p.value, below, last, err)
		}
		below, last = le, p.value
	}
	count, ok := s.values[name+"_count"]
	if _, sum := s.values[name+"_sum"]; !math.IsInf(below, 1) || !ok || !sum || count != last {
		return fmt.Errorf("%s: no +Inf, no _sum, or _count %v is not its +Inf %v", name, count, last)
	}
	return nil
}

// TestParse_Refuses keeps the checker strict: each of these is not what we may write.
func TestParse_Refuses(t *testing.T) {
	good := "# HELP a_total Help.\n# TYPE a_total counter\na_total{x=\"1\"} 1\na_total{x=\"\\\"\\\\\"} 2e-05\n"
	if _, err := parse(good); err != nil {
		t.Fatalf("refused: %v", err)
	}
	for name, bad := range map[string]string{
		"no type":           "a_total 1\n",
		"type without help": "# TYPE a_total counter\na_total 1\n",
		"unknown type":      "# HELP a h\n# TYPE a number\na 1\n",
		"no value":          good + "a_total\n",
		"bad value":         good + "a_total 0x1\n",
		"twice":             good + "a_total{x=\"1\"} 1\n",
		"open label":        good + "a_total{x=\"1} 1\n",
		"bad escape":        good + "a_total{x=\"\\t\"} 1\n",
		"empty line":        good + "\n",
		"timestamp":         good + "a_total 1 1\n",
		"no end":            strings.TrimSuffix(good, "\n"),
		"torn family":       good + "# HELP b h\n# TYPE b gauge\nb 1\na_total 1\n",
	} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
