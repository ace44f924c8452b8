package obs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write docs/metrics.md anew")

// labelWords says what the values of a label of the server's own families are.
var labelWords = map[string]string{
	"kind":     "`request` or `sse`; `poll` and `ws` are there and stay 0",
	"reason":   "of a closed connection: [errors.md](errors.md#why-connections-are-closed). Of a shed one: `connections` and `requests` are the options of that name with `-max`, `descriptors` is the process's limit; the others are in [overload.md](overload.md)",
	"code":     "of an answer: the HTTP status, or gRPC's. Of a refused publish: the code, see [errors.md](errors.md)",
	"ns":       fmt.Sprintf("the namespace; the first %d have a series of their own, the rest is `other`", publishedMax),
	"loop":     "the loop's number, from 0",
	"layer":    "`connection`, `gateway`, `queue` or `source`, see [overload.md](overload.md)",
	"layer to": "the layer, and the state that a breaker of it went to",
	"signal":   "what is measured, see [overload.md](overload.md)",
}

const metricsPageTop = `# Metrics

Made from the tables in internal/obs; do not edit. After a change of a table:
` + "`go test ./internal/obs -run MetricsPage -rewrite`" + `.

` + "`GET /metrics`" + ` on the admin port answers in the Prometheus text format 0.0.4. Every series is there from the start, so a
dashboard sees a zero before the first event; only namespaces come as they are published to. A topic, a user or a device
is never a label. Counters end in ` + "`_total`" + `, units are seconds and bytes, histograms have ` + "`le`" + ` buckets.

`

// metricsPage is docs/metrics.md, and the labels that have no words.
func metricsPage() (page string, faults []string) {
	var b strings.Builder
	b.WriteString(metricsPageTop)
	used := make(map[string]bool)
	var labels []string
	table := func(title string, rows []Family) {
		fmt.Fprintf(&b, "## %s\n\n| metric | type | label | what it is |\n|---|---|---|---|\n", title)
		for _, f := range rows {
			label := ""
			if f.Label != "" {
				label = "`" + f.Label + "`"
				if !used[f.Label] {
					labels = append(labels, f.Label)
				}
				used[f.Label] = true
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, label, f.Help)
		}
	}
	all := Families()
	own := len(families)
	table("The server", all[:own])
	b.WriteString("\n| label | values |\n|---|---|\n")
	for _, l := range labels {
		if labelWords[l] == "" {
			faults = append(faults, "no words for the label "+l)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", l, labelWords[l])
	}
	if len(labelWords) != len(labels) {
		faults = append(faults, "there are words for a label that is none")
	}
	b.WriteString("\n")
	table("Go runtime and process", all[own:])
	return b.String(), faults
}

func TestMetricsPage_IsCurrent(t *testing.T) {
	want, faults := metricsPage()
	for _, f := range faults {
		t.Error(f)
	}
	name := filepath.Join("..", "..", "docs", "metrics.md")
	if *rewrite {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil || string(have) != want {
		t.Errorf("docs/metrics.md is not made from the tables of today (%v); run: go test ./internal/obs -run MetricsPage -rewrite", err)
	}
}
