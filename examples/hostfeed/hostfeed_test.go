package main

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// recorded are two samples of one machine's /proc, two seconds apart.
func recorded(t *testing.T) (readings []reading) {
	t.Helper()
	s := newSampler(os.DirFS("testdata/before"), "web1")
	at := time.UnixMilli(1_000_000)
	first, err := s.sample(at)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 1 || first[0].Topic != "host/web1/load" {
		t.Errorf("the first sample has no rates yet, but it gave %v", first)
	}
	s.proc = os.DirFS("testdata/after")
	if readings, err = s.sample(at.Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return readings
}

func TestSampler_GivesRatesOfRecordedSamples(t *testing.T) {
	const ms = 1_002_000
	want := []reading{
		// Of cpu0's 217 ticks 110 were user's, 101 the kernel's, 6 soft interrupts.
		{"host/web1/cpu/0", cpuShares{UnixMs: ms, Busy: 1, User: 0.5069, System: 0.4931}},
		// Of cpu1's 215 ticks 129 were user's, 74 the kernel's, 8 soft interrupts, 4 idle.
		{"host/web1/cpu/1", cpuShares{UnixMs: ms, Busy: 0.9814, User: 0.6, System: 0.3814}},
		{"host/web1/load", load{UnixMs: ms, Load1: 5.67, Load5: 5.80, Load15: 6.13, Runnable: 5, Tasks: 179}},
		{"host/web1/net/lo", linkRates{ms, 68_376_331, 68_376_331}},
		{"host/web1/net/eth0", linkRates{ms, 0, 0}}, // ifb0 and ifb1 never carried anything
	}
	if got := recorded(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestWrite_GivesOneObjectPerLine(t *testing.T) {
	var b bytes.Buffer
	if err := write(&b, recorded(t)[1:3]); err != nil {
		t.Fatal(err)
	}
	const want = `{"topic":"host/web1/cpu/1","data":{"unixMs":1002000,"busy":0.9814,"user":0.6,"system":0.3814,"iowait":0,"steal":0}}
{"topic":"host/web1/load","data":{"unixMs":1002000,"load1":5.67,"load5":5.8,"load15":6.13,"runnable":5,"tasks":179}}
`
	if b.String() != want {
		t.Errorf("got  %s\nwant %s", b.String(), want)
	}
}

func TestSampler_ReadsThisMachine(t *testing.T) {
	s := newSampler(os.DirFS("/proc"), "here")
	for range 2 {
		readings, err := s.sample(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if len(readings) == 0 {
			t.Error("no reading")
		}
	}
}

// A CPU that is switched on, or an interface that is made, has no past: it is told from
// its second sample on.
func TestSampler_WaitsForSecondSampleOfNewCPU(t *testing.T) {
	proc := fstest.MapFS{
		"stat":    {Data: []byte("cpu0 1 0 1 1 0 0 0 0\n")},
		"loadavg": {Data: []byte("0.00 0.01 0.05 1/80 99\n")},
		"net/dev": {Data: []byte("Inter-| Receive\n")},
	}
	s := newSampler(proc, "h")
	sample := func() (topics []string) {
		t.Helper()
		readings, err := s.sample(s.at.Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range readings {
			topics = append(topics, strings.TrimPrefix(r.Topic, "host/h/"))
		}
		return topics
	}
	sample()
	proc["stat"].Data = []byte("cpu0 2 0 1 1 0 0 0 0\ncpu3 9 9 9 9 0 0 0 0\n")
	proc["net/dev"].Data = []byte("wg0:1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\n")
	if got, want := sample(), []string{"cpu/0", "load"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := sample(), []string{"cpu/0", "cpu/3", "load", "net/wg0"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCPUTimes_CountBackwardRunAsStandstill(t *testing.T) {
	before := cpuTimes{user: 100, idle: 100, iowait: 50}
	now := cpuTimes{user: 125, idle: 175, iowait: 40}
	if got, want := now.since(before, 0), (cpuShares{Busy: 0.25, User: 0.25}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := before.since(before, 0); got != (cpuShares{}) {
		t.Errorf("no tick has passed, and the shares are %+v", got)
	}
}

func TestLinkBytes_GiveNoRateAfterRestartOfCounters(t *testing.T) {
	if got, want := (linkBytes{10, 300}).since(linkBytes{5000, 100}, 2, 0), (linkRates{Sent: 100}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := (linkBytes{10, 300}).since(linkBytes{}, 0, 0); got != (linkRates{}) {
		t.Errorf("no time has passed, and the rates are %+v", got)
	}
}

func TestParsers_RefuseWhatIsNotTheirs(t *testing.T) {
	stat := func(s string) error { _, err := parseStat(s); return err }
	links := func(s string) error { _, err := parseLinks(s); return err }
	loads := func(s string) error { _, err := parseLoad(s); return err }
	for text, parse := range map[string]func(string) error{
		"":                                 stat,
		"cpu  1 2 3 4 5 6 7 8\n":           stat, // the sum alone
		"cpu0 1 2 3 4\n":                   stat,
		"cpuX 1 2 3 4 5 6 7 8\n":           stat,
		"cpu0 1 2 3 4 5 6 7 -8\n":          stat,
		"eth0 1 2 3\n":                     links,
		"eth0: 1 2 3\n":                    links,
		"eth0:" + strings.Repeat(" x", 16): links,
		"eth0: 1 2 3 4 5 6 7 8 x 2 3 4 5 6 7 8\n": links,
		"one two three":       loads,
		"1.0 2.0 3.0":         loads,
		"1.0 2.0 3.0 4 of 80": loads,
	} {
		if parse(text) == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestTopicLevel_HoldsOneLevelWithoutWildcards(t *testing.T) {
	for name, want := range map[string]string{
		"web1.example.org": "web1.example.org", "a/b": "a-b", "c+#": "c--", "né": "né", "a b\tc": "a-b-c", "\xff": "-", "": "-",
	} {
		if got := topicLevel(name); got != want {
			t.Errorf("topicLevel(%q) = %q, want %q", name, got, want)
		}
	}
}
