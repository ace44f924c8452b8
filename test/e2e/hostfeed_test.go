package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

const screenshotVariable = "E2E_SCREENSHOT" // the folder that keeps the pictures

// feed runs "hostfeed | throng publish --ndjson".
func feed(t *testing.T, s *server, page string) (source, publisher *program) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	publisher = start(t, func(c *exec.Cmd) { c.Stdin = r }, throng, "publish", "--ndjson", s.url)
	source = start(t, func(c *exec.Cmd) { c.Stdout = w }, hostfeed, "-interval=200ms", "-page="+page)
	source.wantOn(source.err, "http://"+page+"/")
	return source, publisher
}

// cpus are the CPUs of this machine that are on.
func cpus(t *testing.T) []string {
	t.Helper()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^cpu([0-9]+) `).FindAllStringSubmatch(string(stat), -1) {
		out = append(out, m[1])
	}
	return out
}

// awaitReadings waits until the page shows this machine, and shows it anew.
func awaitReadings(t *testing.T, b *browser) {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	b.await(`document.body.dataset.state === "connected"`)
	b.await(fmt.Sprintf(`document.querySelector(".host .name")?.textContent === %q`, host))
	for _, n := range cpus(t) {
		b.await(fmt.Sprintf(`/^\d+ %%$/.test(document.querySelector('[data-topic="host/%s/cpu/%s"] .value')?.textContent)`, host, n))
	}
	b.await(`/^\d+\.\d\d$/.test(document.querySelector("[data-field=load1]").textContent)`)
	b.await(`/^[\d.]+ .?B.s$/.test(document.querySelector("[data-field=received]")?.textContent)`)
	b.await(`Number(document.getElementById("rate").textContent) > 0`)
	last := b.text(`document.getElementById("last").textContent`)
	b.await(fmt.Sprintf(`document.getElementById("last").textContent !== %q`, last))
	b.await(`document.querySelectorAll(".host.stale").length === 0`)
}

// The page shows this machine in a real browser, through a server's restart and through
// a gateway that answers 503, after which an EventSource does not come back by itself.
func TestHostfeed_ShowsThisMachineInBrowser(t *testing.T) {
	need(t, "chromium")
	page := freeAddress(t)
	s := startServer(t, "--cors-origins=http://"+page)
	p := startProxy(t, s)
	source, publisher := feed(t, s, page)
	b := startBrowser(t)
	b.open("http://" + page + "/?url=" + p.url)
	awaitReadings(t, b)
	if got := b.headers("/events")["access-control-allow-origin"]; got != "http://"+page {
		t.Errorf("Access-Control-Allow-Origin is %q", got)
	}

	s.restart()
	// The publisher ends if one of its requests got no answer; here it ends in any case.
	source.signal(syscall.SIGTERM)
	<-publisher.done
	b.await(`document.querySelector("#notes .gap") !== null`)
	feed(t, s, page)
	awaitReadings(t, b)

	p.cut(busy)
	b.await(`document.body.dataset.state === "reconnecting"`)
	eventually(t, func() string {
		if p.tried(busy) < 2 {
			return "the page gave up"
		}
		return ""
	})
	p.cut(pass)
	awaitReadings(t, b)
	if gaps := b.text(`document.querySelectorAll("#notes .gap").length`); gaps != "1" {
		t.Errorf("the page tells of %s gaps, want 1", gaps)
	}
	pictures(t, b)
	for _, f := range b.faults() {
		t.Error(f)
	}
}

func pictures(t *testing.T, b *browser) {
	t.Helper()
	dir := os.Getenv(screenshotVariable)
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{1180, 380} {
			b.screenshot(dir, scheme, width)
		}
	}
}

// Without the origin's leave the browser keeps the stream from the page, and the page
// says what may be wrong.
func TestHostfeed_SaysWhatMayBeWrong(t *testing.T) {
	need(t, "chromium")
	page := freeAddress(t)
	s := startServer(t)
	feed(t, s, page)
	b := startBrowser(t)
	b.open("http://" + page + "/?url=" + s.url)
	b.await(`!document.getElementById("hint").hidden`)
	if hint := b.text(`document.getElementById("hint").textContent`); !strings.Contains(hint, "--cors-origins http://"+page) {
		t.Errorf("the hint is %q", hint)
	}
}
