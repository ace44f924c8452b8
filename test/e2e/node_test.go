package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// installed puts the npm packages of node/package-lock.json in place, once.
var installed = sync.OnceValue(func() error {
	want, err := os.ReadFile("node/package-lock.json")
	if err != nil {
		return err
	}
	const mark = "node/node_modules/.lock" // a copy of the lock that was installed
	if have, err := os.ReadFile(mark); err == nil && bytes.Equal(have, want) {
		return nil
	}
	out, err := exec.Command("npm", "--prefix", "node", "ci", "--ignore-scripts", "--no-audit", "--no-fund").CombinedOutput()
	if err != nil {
		return fmt.Errorf("npm ci in test/e2e/node: %w\n%s", err, out)
	}
	return os.WriteFile(mark, want, 0o600)
})

// told is one line of node/client.mjs.
type told struct {
	Type, ID, Data string
	Closed         bool
}

// needPackages fails the test unless the foreign client can run.
func needPackages(t *testing.T) {
	t.Helper()
	need(t, "node", "npm")
	if err := installed(); err != nil {
		t.Fatal(err)
	}
}

// node starts the foreign client.
func node(t *testing.T, url string, names ...string) *program {
	t.Helper()
	return start(t, nil, "node", append([]string{"node/client.mjs", url}, names...)...)
}

// nodeTold reads what the client has printed by now.
func nodeTold(t *testing.T, p *program) (all []told) {
	t.Helper()
	for _, line := range p.out.all() {
		var v told
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, v)
	}
	return all
}

// ofType gives the IDs and the data of the events of one type.
func ofType(all []told, kind string) (ids, data []string) {
	for _, v := range all {
		if v.Type == kind {
			ids, data = append(ids, v.ID), append(data, v.Data)
		}
	}
	return ids, data
}

func numbers(from, to int) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

func TestNode_ReceivesNamedAndPlainEvents(t *testing.T) {
	t.Parallel()
	needPackages(t)
	s := startServer(t)
	c := node(t, s.url+"/events?topic=news/%23", "headline")
	c.wantLine(`"open"`)
	s.awaitStreams(1)
	plain := s.publish("news/today", "two\nlines, and ünïcode ✓")
	named := s.publish("news/today&event=headline", "named")
	c.wantLine(named)
	want := []told{
		{Type: "open"},
		{Type: "message", ID: plain, Data: "two\nlines, and ünïcode ✓"},
		{Type: "headline", ID: named, Data: "named"},
	}
	if got := nodeTold(t, c); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The connection is cut again and again, in the middle of a flow and for a while: the
// client resumes with its last ID, and the server sees to the rest.
func TestNode_LosesNothingWhenCut(t *testing.T) {
	t.Parallel()
	needPackages(t)
	s := startServer(t)
	p := startProxy(t, s)
	c := node(t, p.url+"/events?topic=n", "throng.gap")
	c.wantLine(`"open"`)
	s.awaitStreams(1)
	var ids []string
	for round := range 5 {
		at := round * 200
		ids = append(ids, s.publishNumbers("n", at, at+100)...)
		if round == 0 {
			c.wantLine(ids[0]) // the package forgets the position of a stream without an event
		}
		p.cut(drop)
		ids = append(ids, s.publishNumbers("n", at+100, at+150)...) // nobody hears them
		tried := p.tried(drop)
		eventually(t, func() string {
			if p.tried(drop) == tried {
				return "the client does not try to come back"
			}
			return ""
		})
		p.cut(pass)
		ids = append(ids, s.publishNumbers("n", at+150, at+200)...)
	}
	c.wantLine(ids[len(ids)-1])
	gotIDs, gotData := ofType(nodeTold(t, c), "message")
	if !slices.Equal(gotIDs, ids) || !slices.Equal(gotData, numbers(0, 1000)) {
		t.Errorf("%d events came, want 1000, each once and in order: %q", len(gotData), gotData)
	}
	if gaps, _ := ofType(nodeTold(t, c), "throng.gap"); gaps != nil {
		t.Errorf("a gap was told where nothing is lost: %q", gaps)
	}
}

// A restart empties a log in memory: the client is told so once, and then gets what
// follows, over further cuts too.
func TestNode_IsToldGapOnceAfterRestart(t *testing.T) {
	t.Parallel()
	needPackages(t)
	s := startServer(t)
	p := startProxy(t, s)
	c := node(t, p.url+"/events?topic=n", "throng.gap")
	c.wantLine(`"open"`)
	s.awaitStreams(1)
	old := s.publishNumbers("n", 0, 10)
	c.wantLine(old[9])
	p.cut(drop)
	s.restart()
	s.publishNumbers("n", 10, 20)
	p.cut(pass)
	gap := c.wantLine("throng.gap")
	if !strings.Contains(gap, old[9]) {
		t.Errorf("the gap does not name the ID %s that was asked for: %s", old[9], gap)
	}
	s.awaitStreams(1)
	p.cut(pass)
	last := s.publishNumbers("n", 20, 30)
	c.wantLine(last[9])
	all := nodeTold(t, c)
	if gaps, _ := ofType(all, "throng.gap"); len(gaps) != 1 {
		t.Errorf("%d gaps were told, want 1", len(gaps))
	}
	if _, data := ofType(all, "message"); !slices.Equal(data, numbers(0, 30)) {
		t.Errorf("the events are %q", data)
	}
}
