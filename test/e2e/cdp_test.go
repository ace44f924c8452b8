package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// browser is a headless Chromium with one page, driven over two pipes (the DevTools
// protocol, one JSON object ended by a zero byte each way). The test's goroutine uses it.
type browser struct {
	*program
	in      *os.File
	out     *bufio.Reader
	calls   int
	session string  // of the page
	events  []event // what the browser told while answers were awaited
}

type event struct {
	Method string
	Params json.RawMessage
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	// Chromium reads from descriptor 3 and writes to descriptor 4.
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile := t.TempDir()
	b := &browser{in: in, out: bufio.NewReaderSize(out, 1<<20)}
	b.program = start(t, func(c *exec.Cmd) {
		c.ExtraFiles = []*os.File{theirIn, theirOut}
	}, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	theirIn.Close()
	theirOut.Close()
	t.Cleanup(func() {
		in.Close() // the browser ends when nobody drives it, and leaves its profile alone
		<-b.done
		out.Close()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// call gives a command and waits for its answer, which it decodes into result.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.calls++
	message := map[string]any{"id": b.calls, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v; chromium says:\n%s", method, err, b.complaints())
	}
	for {
		text, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: %v; chromium says:\n%s", method, err, b.complaints())
		}
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  json.RawMessage
			event
		}
		if err := json.Unmarshal(text[:len(text)-1], &answer); err != nil {
			b.t.Fatal(err)
		}
		switch {
		case answer.ID == 0:
			b.events = append(b.events, answer.event)
			continue
		case answer.ID != b.calls || answer.Error != nil:
			b.t.Fatalf("%s: %s", method, text)
		case result == nil:
			return
		}
		if err := json.Unmarshal(answer.Result, result); err != nil {
			b.t.Fatal(err)
		}
		return
	}
}

// open shows the page at url and waits until it is loaded.
func (b *browser) open(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.await(fmt.Sprintf(`location.href === %q && document.readyState === "complete"`, url))
}

// text evaluates an expression that gives a string.
func (b *browser) text(expression string) string {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, answer.ExceptionDetails)
	}
	return fmt.Sprint(answer.Result.Value)
}

// await waits until the expression is true.
func (b *browser) await(expression string) {
	b.t.Helper()
	eventually(b.t, func() string {
		if b.text(expression) == "true" {
			return ""
		}
		return expression + " is not true; the page shows:\n" + b.text("document.body.innerText")
	})
}

// faults are errors of scripts and offences against the page's policy.
func (b *browser) faults() (out []string) {
	for _, e := range b.events {
		text := string(e.Params)
		network := strings.Contains(text, `"source":"network"`) // a server that is away
		if e.Method == "Runtime.exceptionThrown" || e.Method == "Log.entryAdded" && !network && strings.Contains(text, `"level":"error"`) {
			out = append(out, e.Method+" "+text)
		}
	}
	return out
}

// headers are those of the first answer to a request whose URL holds part.
func (b *browser) headers(part string) map[string]string {
	b.t.Helper()
	for _, e := range b.events {
		var p struct {
			Response struct {
				URL     string
				Headers map[string]string
			}
		}
		if e.Method == "Network.responseReceived" && json.Unmarshal(e.Params, &p) == nil && strings.Contains(p.Response.URL, part) {
			lower := map[string]string{}
			for name, value := range p.Response.Headers {
				lower[strings.ToLower(name)] = value
			}
			return lower
		}
	}
	b.t.Fatalf("the browser got no answer from %s", part)
	return nil
}

// screenshot keeps a picture of the page in dir.
func (b *browser) screenshot(dir, scheme string, width int) {
	b.t.Helper()
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]string{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 720, "deviceScaleFactor": 1, "mobile": false}, nil)
	if overflow := b.text("document.documentElement.scrollWidth - document.documentElement.clientWidth"); overflow != "0" {
		b.t.Errorf("%d pixels wide, the page is %s pixels too wide", width, overflow)
	}
	var picture struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &picture)
	png, err := base64.StdEncoding.DecodeString(picture.Data)
	if err != nil || !strings.HasPrefix(string(png), "\x89PNG") {
		b.t.Fatalf("the screenshot is no picture (%v)", err)
	}
	name := filepath.Join(dir, fmt.Sprintf("hostfeed-%s-%d.png", scheme, width))
	if err := os.WriteFile(name, png, 0o600); err != nil {
		b.t.Fatal(err)
	}
	if os.Getenv(screenshotVariable) != "" {
		b.t.Log(name)
	}
}
