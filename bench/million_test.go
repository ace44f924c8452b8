package bench

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
)

func TestMillion_Small(t *testing.T) {
	t.Parallel()
	server, err := BuildServer(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := small(server)
	o.Streams, o.Events, o.Duration = 200, 2, 500*time.Millisecond
	r := runs(t, million, o)
	for name, want := range map[string]string{
		"broadcasts delivered, each once to each stream": "400",
		"streams with every broadcast":                   "200",
		"events on own topics, each delivered once":      "200",
		"streams with a heartbeat in the hold":           "200",
		"streams the server counts":                      "200",
	} {
		if got := checked(t, r, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// A server whose streams are silent has not shown that they are there.
func TestMillion_NoHeartbeat(t *testing.T) {
	t.Parallel()
	o := small(liar("never"))
	o.Streams, o.Events = 1, 2
	r, err := million.Run(context.Background(), o)
	if err != nil || r.OK() {
		t.Fatalf("%v, %+v", err, r.Checks)
	}
	for _, c := range r.Checks {
		if wrong := c.Name == "streams with a heartbeat in the hold"; c.OK == wrong {
			t.Errorf("%+v", c)
		}
	}
}

func TestMillion_OtherDialect(t *testing.T) {
	t.Parallel()
	o := small(built.peer)
	o.Dialect = dialectSSE
	if _, err := million.Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "dialect") {
		t.Error(err)
	}
}

func TestMillion_LiarIsFound(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"twice", "foreign", "torn"} {
		o := small(liar(how))
		o.Streams, o.Events = 1, 3
		if r, err := million.Run(context.Background(), o); err == nil && r.OK() {
			t.Errorf("%s: %+v", how, r.Checks)
		}
	}
}

// data is a block with an event for a member.
func data(id string, token, seq uint64) string {
	return "id: " + id + "\ndata: " + string(appendPayload(nil, payload{token, seq, 0}, 0)) + "\n\n"
}

func TestMember_Verifies(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1\nid: 1-0\n\n"
	for name, c := range map[string]struct {
		after string
		want  error
	}{
		"a broadcast":                  {data("1-1", crowdToken, 1), nil},
		"its own event, then one":      {data("1-1", 7, 1) + data("1-2", crowdToken, 1), nil},
		"a heartbeat, then one":        {"id: 1-0\n\n:\n\n" + data("1-1", crowdToken, 1), nil},
		"a broadcast twice":            {data("1-1", crowdToken, 1) + data("1-2", crowdToken, 1), errDuplicate},
		"a broadcast is missing":       {data("1-1", crowdToken, 2), errMissing},
		"an event of a neighbour":      {data("1-1", 8, 1), errToken},
		"its own event twice":          {data("1-1", 7, 1) + data("1-2", 7, 1), errDuplicate},
		"an ID that does not rise":     {data("1-1", crowdToken, 1) + data("1-1", crowdToken, 2), errOrder},
		"a heartbeat of an earlier ID": {data("1-1", crowdToken, 1) + "id: 1-0\n\n", errOrder},
		"an event without an ID":       {"data: x\n\n", errNoID},
		"a gap":                        {"id: 1-9\nevent: throng.gap\ndata: {}\n\n", errGap},
		"no payload":                   {"id: 1-1\ndata: x\n\n", errPayload},
	} {
		crowd := newCrowd(nil, target{}, 1)
		m := &member{crowd: crowd, number: 7}
		err := m.received(nil, []byte(head+c.after))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want == nil && (crowd.attached != 1 || crowd.all != 1 || m.all != 1) {
			t.Errorf("%s: %+v", name, crowd)
		}
	}
	if size := unsafe.Sizeof(member{}); size >= 100 {
		t.Errorf("a member is %d bytes; a million of them share the machine with the server", size)
	}
}

func TestParseSlabs_PagesOfSlabs(t *testing.T) {
	t.Parallel()
	page := int64(os.Getpagesize())
	const text = "slabinfo - version: 2.1\n# name <active_objs> …\n" +
		"TCP                  31     39   2304   13    8 : tunables    0    0    0 : slabdata      3      3      0\n" +
		"filp                120    160    256   16    1 : tunables    0    0    0 : slabdata     10     10      0\n"
	slabs, err := parseSlabs(text)
	if err != nil || len(slabs) != 2 || slabs["TCP"] != 24*page || slabs["filp"] != 10*page {
		t.Errorf("%v, %v", slabs, err)
	}
	for _, bad := range []string{"TCP 1 2\n", strings.Replace(text, "slabdata      3      3", "slabdata      3      x", 1)} {
		if _, err := parseSlabs(bad); !errors.Is(err, errSlabinfo) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// What this machine shows, where it shows it.
func TestReadKernelMemory_WhereItMayBeRead(t *testing.T) {
	t.Parallel()
	now, err := readKernelMemory()
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(connectionSlabs, func(name string) bool { return now.slabs[name] > 0 }) {
		t.Errorf("none of %q has memory", connectionSlabs)
	}
}
