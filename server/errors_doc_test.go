package server

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"throng/httpparse"
	"throng/server/loops"
)

var rewrite = flag.Bool("rewrite", false, "write docs/errors.md anew")

// advice is what a page says of a code beside its row in the table.
type advice struct{ when, do string }

// problemAdvice has a row for each of problems. Options stand for limits, so that no
// number is written twice.
var problemAdvice = map[string]advice{
	"bad_request":            {"a parameter has a broken `%` escape, or more than 1,024 bytes", "correct the query; `detail` names the parameter"},
	"bad_topic":              {"a topic or pattern breaks [the rules](protocol.md#topics); a publish names a wildcard", "correct it; `detail` names the rule"},
	"missing_topic":          {"neither the query nor the line names a topic", "add `topic`"},
	"too_many_topics":        {"more than `--stream-topics-max` for a stream, or `--event-topics-max` for an event", "use a pattern, or several streams or events"},
	"bad_namespace":          {"`ns` is not 1 to 64 of a-z, 0-9, `_` and `-`", "correct it"},
	"bad_event_name":         {"the name is over `--event-name-bytes-max`, is not UTF-8, holds a control character, or begins with `throng.`", "choose another name"},
	"bad_data":               {"the data is not UTF-8, or holds NUL", "encode binary data, in base64 for example"},
	"bad_since":              {"`since` is neither an ID nor `earliest`", "send an ID as a stream gave it"},
	"bad_format":             {"`format` is neither `text` nor `json`", "correct it"},
	"bad_idempotency_key":    {"the key is over 255 bytes, or not printable ASCII", "send a UUID or a hash as text"},
	"bad_line":               {"a line of a batch is not one JSON object with the known members", "correct the line; the others were taken"},
	"origin_forbidden":       {"a page of an origin that is not in `--cors-origins` publishes", "add the origin, or publish from your own server"},
	"not_found":              {"the path is none of the resources", "see [protocol.md](protocol.md)"},
	"method_not_allowed":     {"the resource is there, the method is not", "use one of those in `Allow`"},
	"request_timeout":        {"the rest of a head did not come within `--head-timeout`, or of a body within `--body-timeout`", "send it again, faster"},
	"length_required":        {"a publish says neither `Content-Length` nor `Transfer-Encoding: chunked`", "say how long the body is"},
	"body_too_large":         {"data over `--event-bytes-max`, a batch over `--batch-bytes-max` or `--batch-lines-max`, a body over 4 KiB where none is expected, or too much pipelined", "send less at once"},
	"unsupported_media_type": {"`Content-Encoding` is something other than `identity`", "send the body uncompressed"},
	"conflated":              {"`--queue-policy` is `conflate`, and a newer event of the same topic came while this one waited", "nothing: the newer event stands for it"},
	"queue_full":             {"`--queue-policy` is `refuse`, and the ring has no room, or the queue layer is open", "try again after `Retry-After`; nothing was stored"},
	"address_limit":          {"`--address-connections-max` is reached", "close others, or raise the limit"},
	"namespace_limit":        {"`--namespace-streams-max` is reached", "close others, or raise the limit"},
	"shed":                   {"`--queue-policy` is `shed` or `shed-oldest`, and this event had the least priority or the worst place", "try again after `Retry-After`; nothing was stored"},
	"breaker_open":           {"writes to the namespace's streams fail, or establishing connections does, see [overload.md](overload.md)", "come back after `Retry-After`"},
	"idempotency_key_reused": {"the key came before with other topics, another name or other data", "use a new key for a new event"},
	"too_many_namespaces":    {"`--namespaces-max` are open, and none has been idle for long", "try again later, or raise the limit"},
	"store_failed":           {"the log gave an error; the node's own log says which", "try again, with the same `Idempotency-Key` to be safe"},
	"store_full":             {"the disk, the spool or Redis' memory is full; `detail` says which", "try again; nothing was stored"},
	"store_unavailable":      {"the disk can't be written, Redis can't be reached, or too few replicas answer; a stream of a namespace that this node does not follow yet can't begin either", "try again; nothing was stored"},
	"store_unanswered":       {"Redis did not answer within `--redis-timeout`, the connection broke on the way, or fewer than `--redis-wait` replicas had the event in time", "the event may have been stored: try again with the same `Idempotency-Key`"},
	"overloaded":             {"too many publishes wait, a publish waited for `--publish-timeout`, unfinished requests fill `--buffered-bytes-max`, a loop's tables are full, or the load lets no more in (see [overload.md](overload.md))", "try again after `Retry-After`; nothing was stored"},
	"draining":               {"the node is about to stop", "go to another node, or try again"},
	"connection_limit":       {"`--connections-max` or `--requests-max` is reached, or descriptors have run out", "try again, or go to another node"},
}

// closeAdvice has a row for each reason why a connection is closed, of requestReasons
// and the loops.
var closeAdvice = map[string]string{
	"peer":         "the client closed or reset",
	"write":        "writing to a stream failed for another reason; the log has it",
	"stalled":      "the client took, or acknowledged, no byte for `--stall-timeout`: it does not read, or is out of reach",
	"lapped":       "a stream was lapped by the ring, and `--lag-policy` is `close`",
	"pins":         "`--pinned-max` half-sent frames are kept already",
	"client_bytes": "a client sent more than `--client-bytes-max` on its stream",
	"drain":        "the node drained",
	"stop":         "the node stopped",
	"answered":     "a refused request: the client took the answer",
	"linger":       "a refused request: the client went on sending for too long",
	"table":        "no room in the table of rows",
	"log":          "the log failed while a stream caught up",
	"idle":         "no request came within `--idle-timeout`, or none at all within `--head-timeout`",
	"timeout":      "the rest of a request did not come in time",
	"done":         "the last answer was sent",
}

const errorsPageTop = `# Errors

Made from the tables in server/problem.go, httpparse/errors.go and server/loops/reasons.go; do not edit. After a change:
` + "`go test ./server -run ErrorsPage -rewrite`" + `.

A refusal is ` + "`application/problem+json`" + ` (RFC 9457):

` + "```json" + `
%s` + "```" + `

` + "`code`" + ` is stable and meant for programs, ` + "`detail`" + ` is for people and may change. ` + "`Retry-After`" + ` is in seconds and drawn
anew for each answer, so that clients do not come back together.

A request that was understood is refused on a connection that lives on. A malformed one, and one whose body will not be
read, is answered and the connection closed: where such a request ends is not known. The rest of what the client sends
is read and thrown away for ` + "`--linger-timeout`" + `, so that the answer arrives.

## Refusals by the server

| code | status | when | what to do | Retry-After |
|---|---|---|---|---|
`

// errorsPage is docs/errors.md, and what the advice above lacks or has in excess.
func errorsPage() (page string, faults []string) {
	var b strings.Builder
	fmt.Fprintf(&b, errorsPageTop, badFormat.because("format is text (the default) or json").document(0))
	for _, p := range problems {
		a, ok := problemAdvice[p.code]
		if !ok {
			faults = append(faults, "no advice for the code "+p.code)
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s |\n", p.code, p.status, a.when, a.do, retryText(p))
	}
	if len(problemAdvice) != len(problems) {
		faults = append(faults, "there is advice for a code that is none")
	}
	b.WriteString("\n## Refusals by the parser\n\nAll of them close the connection. `detail` names the byte.\n\n" +
		"| code | status | when | what to do |\n|---|---|---|---|\n")
	for _, r := range httpparse.Codes() {
		if r.Code != "bad_escape" { // of a parameter: it arrives in the detail of bad_request
			fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", r.Code, r.Status, cell(r.Wrong), cell(r.Right))
		}
	}
	b.WriteString("\n## Why connections are closed\n\nThe label `reason` of `throng_connections_closed_total`.\n\n| reason | when |\n|---|---|\n")
	reasons := slices.Concat(loops.Reasons(), requestReasons)
	for _, reason := range reasons {
		if closeAdvice[reason] == "" {
			faults = append(faults, "no words for the reason "+reason)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", reason, closeAdvice[reason])
	}
	if len(closeAdvice) != len(reasons) {
		faults = append(faults, "there are words for a reason that is none")
	}
	return b.String(), faults
}

// cell makes plain text the cell of a table.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;").Replace(s) }

// retryGrows says when to come back where that depends on how many are refused, or on a breaker.
var retryGrows = map[string]string{
	overloaded.code:      "1 to 31, the later the more are refused",
	connectionLimit.code: "5 to 31, the later the more are refused",
	breakerOpen.code:     "until it is half-open (30 s at most, by the defaults), and up to half as much again",
}

// retryText is the range from which Retry-After is drawn.
func retryText(p *problem) string {
	if text := retryGrows[p.code]; text != "" {
		return text
	}
	if p.retry == 0 {
		return ""
	}
	return fmt.Sprintf("%d to %d", p.because("").retryAfter(0), p.because("").retryAfter(math.MaxUint32))
}

func TestErrorsPage_IsCurrent(t *testing.T) {
	want, faults := errorsPage()
	for _, f := range faults {
		t.Error(f)
	}
	name := filepath.Join("..", "docs", "errors.md")
	if *rewrite {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil || string(have) != want {
		t.Errorf("docs/errors.md is not made from the tables of today (%v); run: go test ./server -run ErrorsPage -rewrite", err)
	}
}
