package bench

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// Fields of Options that are no settings: commands, and what only programs set.
var noSettings = map[string]bool{"Server": true, "Peers": true, "Floor": true, "Progress": true, "Log": true, "Wire": true}

func TestSettings_CoverEveryOption(t *testing.T) {
	rows := make(map[string]bool)
	names := make(map[string]bool)
	for _, s := range Settings() {
		if rows[s.of] || names[s.Name] || s.Help == "" || s.Accepts == "" || s.Group == "" {
			t.Errorf("%+v", s)
		}
		rows[s.of], names[s.Name] = true, true
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Options]()) {
		if f.IsExported() && !rows[f.Name] && !noSettings[f.Name] {
			t.Errorf("Options.%s has no row in settings", f.Name)
		}
		delete(rows, f.Name)
	}
	for name := range rows {
		t.Errorf("settings has a row for %s, which Options has not", name)
	}
}

// What help shows as a default must be what Set reads, and a scenario must accept it.
func TestSettings_DefaultsAreAccepted(t *testing.T) {
	for _, c := range Scenarios() {
		var o Options
		for _, s := range Settings() {
			text := s.Default(c)
			if text == "" {
				continue
			}
			if err := s.Set(&o, text); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			if got := s.text(o); got != text {
				t.Errorf("%s: --%s %s was read as %s", c.Name, s.Name, text, got)
			}
		}
		if err := o.Check(c); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if err := (Options{}).Check(c); err != nil {
			t.Errorf("%s without settings: %v", c.Name, err)
		}
		if len(c.Asks()) == 0 {
			t.Errorf("%s asks for nothing", c.Name)
		}
	}
}

func TestSettings_ReadUnits(t *testing.T) {
	var o Options
	for _, given := range [][2]string{{"payload", "4KiB"}, {"interval", "1m30s"}, {"rate", "30/m"}, {"header", "A: b"}, {"header", "C: d"}, {"pid", " 12 "}} {
		for _, s := range Settings() {
			if s.Name == given[0] {
				if err := s.Set(&o, given[1]); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if o.PayloadBytes != 4096 || o.Interval != 90*time.Second || o.Rate != 0.5 || len(o.Headers) != 2 || o.PID != 12 {
		t.Errorf("%+v", o)
	}
}

func TestSettings_RefusalsSayWhatIsAccepted(t *testing.T) {
	rows := make(map[string]Setting)
	for _, s := range Settings() {
		rows[s.Name] = s
	}
	for name, texts := range map[string][]string{
		"streams":  {"", "0", "-1", "1.5", "2000001", "many"},
		"payload":  {"1", "2MiB", "99999999999999999999KiB", "4kb", "KiB"},
		"interval": {"", "5", "-1s", "0s", "25h"},
		"rate":     {"", "0", "-1/s", "NaN", "+Inf", "1e9", "5/w"},
		"pacing":   {"", "gallop"},
		"seed":     {"0", "-1"},
		"url":      {""},
		"header":   {" "},
	} {
		for _, text := range texts {
			var o Options
			err := rows[name].Set(&o, text)
			if err == nil || !strings.Contains(err.Error(), "--"+name) || !strings.Contains(err.Error(), rows[name].Accepts) {
				t.Errorf("--%s %q: %v", name, text, err)
			}
			if !reflect.DeepEqual(o, Options{}) {
				t.Errorf("--%s %q left %+v", name, text, o)
			}
		}
	}
}

func TestOptions_CheckNamesWhatIsImpossible(t *testing.T) {
	for want, o := range map[string]Options{
		"--stalled is not for density":    {Stalled: 1},
		"--streams-low 500":               {Streams: 400, StreamsLow: 500},
		"one of them is measured":         {URL: "http://a", Server: []string{"b"}},
		"--pid is for the server at":      {PID: 1},
		"--admin is for the server at":    {Admin: "127.0.0.1:1"},
		"header \"nonsense\"":             {Wire: Wire{Headers: []string{"nonsense"}}},
		"subscribe path \"events\"":       {Wire: Wire{SubscribePath: "events"}},
		"--depth is not for density, whi": {Depth: 3, Lines: 4},
	} {
		if err := o.Check(density); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestScenario_DeviationsAreNamed(t *testing.T) {
	for _, c := range Scenarios() {
		if d := c.Deviations(Options{}.or(c.Defaults)); len(d) > 0 {
			t.Errorf("%s by itself deviates: %q", c.Name, d)
		}
	}
	o := Options{Streams: 20, Seed: 7}.or(storm.Defaults)
	if d := storm.Deviations(o); !reflect.DeepEqual(d, []string{"--streams 20"}) {
		t.Errorf("%q", d)
	}
}

// told is a Progress that remembers.
type told struct {
	phases []string
	steps  []int64
}

func (p *told) Phase(name string, _ int64) { p.phases = append(p.phases, name) }
func (p *told) Step(done int64)            { p.steps = append(p.steps, done) }

func TestProgress_IsToldInOrderAndSeldom(t *testing.T) {
	w, err := newSwarm(time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	var p told
	r := &run{ctx: t.Context(), w: w, o: Options{Progress: &p}}
	r.phase("counted", 100_000)
	for i := range int64(100_000) {
		r.step(i + 1)
	}
	if err := r.rest("rest", 2*stepInterval); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p.phases, []string{"counted", "rest"}) {
		t.Errorf("%q", p.phases)
	}
	if n := len(p.steps); n < 2 || n > 1000 {
		t.Errorf("%d steps were told", n)
	}
	end := false
	for _, s := range p.steps {
		end = end || s == 100_000
	}
	if !end {
		t.Error("the end of the phase was not told")
	}
	r.o.Progress = nil
	r.phase("nobody", 1)
	r.step(1)
}
