package bench

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// built is what the tests run: commands as Options take them.
var built struct {
	peer, floor []string // floor is nil without a C compiler
}

// liarWord makes the test binary a server that breaks a promise: liar HOW ADDRESS.
const liarWord = "liar"

func TestMain(m *testing.M) {
	if status, worker := WorkerMain(os.Args[1:]); worker {
		os.Exit(status)
	}
	if len(os.Args) == 4 && os.Args[1] == foreignWord {
		fmt.Fprintln(os.Stderr, serveForeign(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	if len(os.Args) == 4 && os.Args[1] == liarWord {
		fmt.Fprintln(os.Stderr, lie(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	flag.Parse()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "throng-bench-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if built.peer, err = Peers()[0].Build(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if _, lookErr := exec.LookPath("cc"); lookErr == nil {
		if built.floor, err = BuildFloor(ctx, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// peerWithHistory keeps events for resuming streams.
func peerWithHistory() []string { return []string{built.peer[0], "--history", "1000", listenWord} }

// liar is the command of a server that lies in one way.
func liar(how string) []string { return []string{os.Args[0], liarWord, how, listenWord} }

// lieAt is the event that a liar does not deliver as it should.
const lieAt = 3

// lie serves one stream honestly but for one event.
func lie(how, addr string) error {
	frames := make(chan string, 100)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Transfer-Encoding", "identity")
		fmt.Fprint(w, "retry: 1\nid: 1-0\n\n")
		c := http.NewResponseController(w)
		for c.Flush() == nil {
			select {
			case <-r.Context().Done():
				return
			case f := <-frames:
				fmt.Fprint(w, f)
			}
		}
	})
	id := 0
	mux.HandleFunc("POST /publish", func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		id++
		frame := fmt.Sprintf("id: 1-%d\ndata: %s\n\n", id, data)
		if id == lieAt {
			switch how {
			case "drop":
				frame = ""
			case "twice":
				frame += strings.Replace(frame, "id: 1-3", "id: 1-4", 1)
				id++
			case "foreign":
				frame = strings.Replace(frame, "data: 0", "data: f", 1)
			case "torn":
				frame = frame[:len(frame)/2] + frame
			}
		}
		frames <- frame
		fmt.Fprintf(w, `{"id":"1-%d"}`, id)
	})
	return http.ListenAndServe(addr, mux)
}
