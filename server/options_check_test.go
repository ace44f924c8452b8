package server

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestSettings_CoverEveryOption(t *testing.T) {
	rows := map[string]int{}
	for _, s := range Settings() {
		rows[s.Field]++
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(s.Name) {
			t.Errorf("%s: the name %q is not in kebab-case", s.Field, s.Name)
		}
		if s.Help == "" || s.Accepts == "" || s.Group == "" {
			t.Errorf("%s: a row without help, group or accepted values", s.Field)
		}
	}
	for f := range reflect.TypeFor[Options]().Fields() {
		if rows[f.Name] != 1 {
			t.Errorf("options_check.go: settings has %d rows for Options.%s; give it one", rows[f.Name], f.Name)
		}
		delete(rows, f.Name)
	}
	for field := range rows {
		t.Errorf("options_check.go: settings has a row for %s, which Options has not", field)
	}
}

func TestCheck_AcceptsDefaults(t *testing.T) {
	if err := Defaults().Check(); err != nil {
		t.Error(err)
	}
}

func TestCheck_RefusesWithNameValueAndRange(t *testing.T) {
	for _, c := range []struct {
		set  func(*Options)
		want string
	}{
		{func(o *Options) { o.Heartbeat = 0 }, "--heartbeat=0s is refused; accepted: 1ms to 24h"},
		{func(o *Options) { o.Heartbeat = 25 * time.Hour }, "--heartbeat=25h0m0s is refused; accepted: 1ms to 24h"},
		{func(o *Options) { o.RingEvents = 100 }, "--ring-events=100 is refused; accepted: a power of two, 2 to 16777216"},
		{func(o *Options) { o.RingEvents = 1 }, "--ring-events=1 is refused; accepted: a power of two, 2 to 16777216"},
		{func(o *Options) { o.RetainBytes = -1 }, "--retain-bytes=-1 is refused; accepted: 1 to 1099511627776"},
		{func(o *Options) { o.Store = "paper" }, "--store=paper is refused; accepted: memory, disk:DIR, or the URL of a Redis: redis://HOST:PORT, rediss://, redis-sentinel://"},
		{func(o *Options) { o.Store = "disk:" }, "--store=disk: is refused; accepted: memory, disk:DIR, or the URL of a Redis: redis://HOST:PORT, rediss://, redis-sentinel://"},
		{func(o *Options) { o.Spool = "spool" }, "--spool=spool is refused; accepted: only with a Redis as --store"},
		{func(o *Options) { o.Wait = "" }, "--wait= is refused; accepted: block, yield, sleep, spin"},
		{func(o *Options) { o.Listen = "8080" }, "--listen=8080 is refused; accepted: host:port, the port from 0 (any that is free) to 65535"},
		{func(o *Options) { o.Listen = ":99999" }, "--listen=:99999 is refused; accepted: host:port, the port from 0 (any that is free) to 65535"},
		{func(o *Options) { o.Listen = "" }, "--listen= is refused; accepted: host:port, the port from 0 (any that is free) to 65535"},
		{func(o *Options) { o.Admin = "http://[::1]:80" }, "--admin=http://[::1]:80 is refused; accepted: host:port, the port from 0 (any that is free) to 65535, or nothing"},
		{func(o *Options) { o.Admin = o.Listen }, "--admin=127.0.0.1:8080 is refused; accepted: another address than --listen"},
		{func(o *Options) { o.CORSOrigins = []string{"https://a.example/"} }, "--cors-origins=[https://a.example/] is refused; accepted: * or origins as browsers write them: https://example.org, http://localhost:3000"},
		{func(o *Options) { o.ConnectionsMax, o.RequestsMax = 10, 11 }, "--requests-max=11 is refused; accepted: at most 10, the value of --connections-max"},
		{func(o *Options) { o.NamespaceRingShare = 5000 }, "--namespace-ring-share=5000 is refused; accepted: at most 4096, the value of --ring-events"},
		{func(o *Options) { o.Store, o.ProbeTimeout = "redis://h:1", 150*time.Millisecond }, "--redis-slow=200ms is refused; accepted: at most 150ms, the value of --probe-timeout"},
		{func(o *Options) { o.Upstreams, o.ProbeTimeout = []string{"grpc://h:1/a"}, 150*time.Millisecond }, "--upstream-slow=500ms is refused; accepted: at most 150ms, the value of --probe-timeout"},
		{func(o *Options) { o.QueuePolicies = []string{"a=shed", "b=block", "a=shed"} }, "--queue-policies=[a=shed b=block a=shed] is refused; accepted: NAMESPACE=POLICY, each namespace once, with block, shed, shed-oldest, conflate, refuse"},
	} {
		o := Defaults()
		c.set(&o)
		if err := o.Check(); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func TestCheck_AcceptsWhatItSays(t *testing.T) {
	o := Defaults()
	o.Listen, o.Admin = "[::1]:0", ""
	o.CORSOrigins = []string{"*", "https://example.org", "http://localhost:3000"}
	o.RequestsMax, o.ConnectionsMax = 5, 0
	o.DrainPeriod = 0
	o.RingEvents, o.NamespaceRingShare = 2, 2
	if err := o.Check(); err != nil {
		t.Error(err)
	}
}

// Every fault is told at once: nobody starts a server five times to learn five names.
func TestCheck_TellsEveryFault(t *testing.T) {
	err := Options{}.Check()
	if err == nil {
		t.Fatal("the zero value was accepted")
	}
	for _, name := range []string{"--listen=", "--store=", "--heartbeat=0s", "--ring-events=0", "--lag-policy="} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q is not in the error:\n%v", name, err)
		}
	}
}

func TestDurationText_DropsZeros(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Hour: "1h", 75 * time.Second: "1m15s", 5 * time.Minute: "5m", 10 * time.Second: "10s",
		0: "0s", time.Millisecond: "1ms", 90 * time.Minute: "1h30m", 100 * time.Millisecond: "100ms",
	} {
		if got := DurationText(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
}
