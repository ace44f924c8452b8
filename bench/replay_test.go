package bench

import (
	"slices"
	"strings"
	"testing"
)

func smallReplay(server []string) Options {
	o := small(server)
	o.Streams, o.Topics, o.Depth = 20, 3, 40
	return o
}

func TestReplay_Small(t *testing.T) {
	t.Parallel()
	r := runs(t, replay, smallReplay(peerWithHistory()))
	if got := checked(t, r, "events delivered again, each once"); got != "800" {
		t.Errorf("%s events again", got)
	}
	if got := checked(t, r, "events delivered again and then live"); got != "860" {
		t.Errorf("%s events in all", got)
	}
}

// A log that is too short, an event that is left out and one that comes twice.
func TestReplay_ForgetfulAreFound(t *testing.T) {
	t.Parallel()
	found(t, replay, smallReplay([]string{built.peer[0], "--history", "39", listenWord}))
	runs(t, replay, smallReplay(fibberServer("never")))
	for _, how := range []string{"forget", "again"} {
		found(t, replay, smallReplay(fibberServer(how)))
	}
}

func TestKeepInLog_OnlyWhatIsNeeded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		events int
		argv   string
		added  int
	}{
		{1000, "throng serve", 0},
		{100000, "throng serve", 6},
		{100000, "throng serve --retain-events=5", 4},
		{100000, "other", 0},
	} {
		argv := strings.Fields(c.argv)
		r := &run{o: Options{Server: argv}}
		r.keepInLog(c.events, 100)
		if got := len(r.o.Server) - len(argv); got != c.added || !slices.Equal(r.o.Server, r.report.Options.Server) && c.added > 0 {
			t.Errorf("%q for %d events: %q", c.argv, c.events, r.o.Server)
		}
	}
}
