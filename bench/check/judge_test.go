package check

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"throng/sse"
)

// story is a history of one namespace and one publisher, told in short: IDs are 1-N.
type story struct {
	promise Promise
	acked   []uint64    // minor numbers by event, 0: not acknowledged
	logs    [][]uint64  // of lineages of all topics: what each was given, in order
	gaps    map[int]gap // of the first lineage, by index in its log, which has the ID to go on at
	audit   []uint64    // what is held in the end
	want    []Kind
}

func id(n uint64) sse.ID { return sse.ID{Major: 1, Minor: n} }

func (s *story) history() *history {
	h := &history{load: load{seed: 1, publishers: 1, namespaces: 1}, promise: s.promise, rounds: []round{{at: 0}}}
	r := &record{}
	named := map[uint64]uint32{} // events by ID
	for i, n := range s.acked {
		a := ack{sent: uint32(10 * i), acked: uint32(10*i + 1)}
		if n > 0 {
			a.id = id(n)
			named[n] = uint32(i + 1)
		}
		r.acks, r.flags = append(r.acks, a), append(r.flags, flagFirst)
	}
	h.records = []*record{r, {}}
	for i, log := range append(s.logs, s.audit) {
		l := &lineage{number: i, patterns: []string{"#"}, topics: allTopics, attached: true, start: id(0), startAt: 1000}
		l.audit = i == len(s.logs)
		l.earliest = l.audit
		for at, n := range log {
			g, isGap := s.gaps[at]
			if isGap && i == 0 {
				l.log = append(l.log, entry{id: id(n), number: uint32(len(l.gaps)), gap: true})
				l.gaps = append(l.gaps, g)
				continue
			}
			l.log = append(l.log, entry{id: id(n), number: named[n]})
		}
		if l.ended = l.audit && s.audit == nil; !l.ended || len(log) > 0 {
			h.lineages = append(h.lineages, l)
		}
	}
	return h
}

func TestJudge_Stories(t *testing.T) {
	keeps, loses := Promise{Survives: true}, Promise{Survives: true, MayLose: true, Doubts: true}
	for name, s := range map[string]story{
		"all is well":                         {keeps, []uint64{1, 2, 3}, [][]uint64{{1, 2, 3}}, nil, nil, nil},
		"the last one is missing":             {keeps, []uint64{1, 2, 3}, [][]uint64{{1, 2}}, nil, nil, []Kind{Lost}},
		"one in the middle is missing":        {keeps, []uint64{1, 2, 3}, [][]uint64{{1, 3}}, nil, nil, []Kind{Lost}},
		"one that only others saw is missing": {keeps, []uint64{1, 2}, [][]uint64{{1}, {1, 2}}, nil, nil, []Kind{Lost}},
		"not acknowledged and nowhere":        {keeps, []uint64{1, 0, 3}, [][]uint64{{1, 3}}, nil, nil, nil},
		"late, not lost":                      {keeps, []uint64{1, 2, 3}, [][]uint64{{1, 3, 2}}, nil, nil, []Kind{Order}},
		"twice at once":                       {keeps, []uint64{1, 2}, [][]uint64{{1, 1, 2}}, nil, nil, []Kind{Twice}},
		"twice later":                         {keeps, []uint64{1, 2, 3}, [][]uint64{{1, 2, 1, 3}}, nil, nil, []Kind{Twice}},
		"the publisher's order":               {keeps, []uint64{2, 1}, [][]uint64{{1, 2}}, nil, nil, []Kind{PublisherOrder}},
		"a gap over what was kept":            {keeps, []uint64{1, 2, 3}, [][]uint64{{1, 2, 3}}, map[int]gap{1: {id(1), id(3)}}, nil, []Kind{LostThoughTold}},
		"a gap over nothing":                  {keeps, []uint64{1, 2}, [][]uint64{{1, 1, 2}}, map[int]gap{1: {id(1), id(2)}}, nil, []Kind{GapForNothing}},
		"a gap that begins too late":          {loses, []uint64{1, 2, 3, 4}, [][]uint64{{1, 3, 4}}, map[int]gap{1: {id(2), id(4)}}, []uint64{1, 2, 4}, []Kind{Lost}},
		"a gap that goes back":                {keeps, []uint64{1, 2, 3}, [][]uint64{{1, 2, 1, 3}}, map[int]gap{2: {id(2), id(2)}}, nil, []Kind{Order}},
		"lost in a failover, and told":        {loses, []uint64{1, 2, 3, 9}, [][]uint64{{1, 2, 1, 9}, {1, 2, 3, 9}}, map[int]gap{2: {id(2), id(9)}}, []uint64{1, 9}, nil},
		"told behind the loss":                {loses, []uint64{1, 2, 3, 9, 10}, [][]uint64{{1, 9, 9, 10}}, map[int]gap{2: {id(9), id(10)}}, []uint64{1, 9, 10}, nil},
		"lost in a failover, and not told":    {loses, []uint64{1, 2, 9}, [][]uint64{{1, 9}}, nil, []uint64{1, 9}, []Kind{Lost}},
		"held, and a gap excuses it":          {loses, []uint64{1, 2, 9}, [][]uint64{{1, 2, 9}}, map[int]gap{1: {id(1), id(9)}}, []uint64{1, 2, 9}, []Kind{LostThoughTold}},
		"given and then lost by the store":    {loses, []uint64{1, 2, 9}, [][]uint64{{1, 2, 1, 9}}, map[int]gap{2: {id(2), id(9)}}, []uint64{1, 9}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := s.history().judge(true)
			got := slices.Sorted(maps.Keys(f.counts))
			if !slices.Equal(got, s.want) {
				t.Errorf("found %v, want %q", f.violations, s.want)
			}
			for _, v := range f.violations {
				if !strings.Contains(v.Text, "p0#") && v.Kind != GapForNothing && v.Kind != Order {
					t.Errorf("%q names no event", v.Text)
				}
			}
		})
	}
}

func TestJudge_CountsWhatAFailoverLost(t *testing.T) {
	s := story{promise: Promise{Survives: true, MayLose: true}, acked: []uint64{1, 2, 3, 9},
		logs: [][]uint64{{1, 1, 9}}, gaps: map[int]gap{1: {id(1), id(9)}}, audit: []uint64{1, 9}}
	f := s.history().judge(true)
	if len(f.violations) > 0 || f.lostEvents != 2 || f.toldLost != 2 || f.gaps != 1 {
		t.Errorf("%+v", f)
	}
}

// A spooled event that nobody ever got is lost.
func TestJudge_WantsWhatWasAcceptedToBeSentLater(t *testing.T) {
	s := story{promise: Promise{Survives: true}, acked: []uint64{1, 0}, logs: [][]uint64{{1}}}
	h := s.history()
	h.records[0].flags[1] |= flagSpooled
	if f := h.judge(true); f.counts[Lost] != 1 {
		t.Errorf("%+v", f)
	}
}

func TestMatches_LikeMQTT(t *testing.T) {
	for _, c := range []struct {
		pattern, topic string
		want           bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a", false}, {"a", "a/b", false}, {"+", "a", true}, {"+", "a/b", false},
		{"a/+/c", "a/b/c", true}, {"a/+", "a", false}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"#", "a/b", true}, {"b/#", "a/b", false},
	} {
		if got := matches(c.pattern, c.topic); got != c.want {
			t.Errorf("%s wants %s: %v", c.pattern, c.topic, got)
		}
	}
	for _, patterns := range patternSets {
		if n := wanted(patterns).count(); n == 0 {
			t.Errorf("%q want no topic", patterns)
		}
	}
}

func TestLoad_ReadsWhatItWrote(t *testing.T) {
	l := load{seed: 3, publishers: 2, namespaces: 2, payload: 80}
	for n := range uint32(200) {
		r := ref{uint16(n % 4), n + 1}
		e := &sse.Event{ID: id(uint64(n)), Topics: l.topics(r).names(), Name: l.name(r), Data: l.appendData(nil, r)}
		for _, f := range []sse.Format{sse.FormatText, sse.FormatJSON} {
			m, err := sse.NewDecoder(strings.NewReader(string(e.Frame(f))), sse.Limits{}).Next()
			if err != nil {
				t.Fatal(err)
			}
			if got, _, err := l.read(m, f == sse.FormatJSON, nil); got != r || err != nil {
				t.Errorf("%v became %v, %v", r, got, err)
			}
		}
	}
	for _, data := range []string{"", "p", "p1", "p1#2", "p1# ", "p70000#1 ", "x1#1 ", "p1#1 more"} {
		if _, _, err := l.read(sse.Message{Kind: sse.KindEvent, ID: []byte("1-1"), Data: []byte(data)}, false, nil); err == nil {
			t.Errorf("%q was taken for an event", data)
		}
	}
}
