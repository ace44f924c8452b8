package sse

import (
	"bytes"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// samples are events of every shape a frame can take.
func samples() []*Event {
	return []*Event{
		{ID: ID{1, 2}, Topics: []string{"a"}, Data: []byte("hello")},
		{ID: ID{1, 3}, Topics: []string{"a", "b/c"}, Name: "tick", Data: []byte("one\ntwo")},
		{ID: ID{7, 0}, Topics: []string{"a"}, Name: "message", Data: nil},
		{ID: ID{7, 1}, Topics: []string{"a"}, Name: "n", Data: []byte("\n")},
		{ID: ID{7, 2}, Topics: []string{"a"}, Name: "n", Data: []byte("a\r\nb\rc\n\rd\r")},
		{ID: ID{7, 3}, Topics: []string{"ünï"}, Name: "bad\nid: 9-9", Data: []byte(" lead: \x00 \xff ü \u2028")},
		{ID: ID{1 << 63, 1 << 63}, Topics: []string{"a"}, Data: bytes.Repeat([]byte("x"), 5000)},
	}
}

func TestSeal_FrameAndDataAreOneExactAllocation(t *testing.T) {
	for _, e := range samples() {
		data := e.Data
		n := testing.AllocsPerRun(20, func() {
			e.Data, e.text = data, nil
			e.Seal()
		})
		if n != 1 {
			t.Errorf("%q: Seal allocates %v times", data, n)
		}
		if cap(e.text) != len(e.text) || cap(e.Data) != len(e.Data) {
			t.Errorf("%q: room behind the frame or the data lets an append change shared bytes", data)
		}
	}
}

// Events sealed together are what they are when sealed one by one, whatever their number
// and size.
func TestSealAll_IsSealOfEach(t *testing.T) {
	for _, count := range []int{0, 1, 2, 64, 65, 200} {
		for _, size := range []int{0, 100, packBytesMax/8 - 60, packBytesMax, 3 * packBytesMax} {
			var all, each []*Event
			for i := range count {
				base := samples()[i%len(samples())]
				base.Data = append(base.Data, bytes.Repeat([]byte("y"), size*(i%3)/2)...)
				mine := bytes.Clone(base.Data)
				all = append(all, &Event{ID: base.ID, Topics: base.Topics, Name: base.Name, Data: mine})
				each = append(each, base)
			}
			SealAll(all)
			for i, e := range all {
				each[i].Seal()
				a, b := e.Frame(FormatText), each[i].Frame(FormatText)
				if !bytes.Equal(a, b) || !bytes.Equal(e.Data, each[i].Data) || e.Size() != each[i].Size() {
					t.Fatalf("event %d of %d, %d bytes: %.80q %.80q, alone %.80q", i, count, size, a, e.Data, b)
				}
				if cap(a) != len(a) || cap(e.Data) != len(e.Data) {
					t.Fatalf("event %d of %d: room behind the frame or the data", i, count)
				}
			}
		}
	}
}

// A pack holds no more than its events need, and no more than packBytesMax, or one event.
func TestSealAll_PacksAreBounded(t *testing.T) {
	var small, large []*Event
	for range 64 {
		small = append(small, &Event{ID: ID{1, 1}, Data: make([]byte, 100)})
		large = append(large, &Event{ID: ID{1, 1}, Data: make([]byte, packBytesMax/2)})
	}
	packs := func(events []*Event) int {
		data := events[0].Data
		return int(testing.AllocsPerRun(20, func() {
			for _, e := range events {
				e.Data, e.text = data, nil
			}
			SealAll(events)
		}))
	}
	if n := packs(small); n != 1 {
		t.Errorf("64 small events share %d allocations, want 1", n)
	}
	if n := packs(large); n != len(large) {
		t.Errorf("of %d events of half a pack and more, some share %d allocations", len(large), n)
	}
}

func TestSeal_LetsGoOfTheCallersBytes(t *testing.T) {
	for _, e := range samples() {
		mine := bytes.Clone(e.Data)
		want := bytes.Clone(e.Data)
		e.Data = mine
		e.Seal()
		frame := string(e.Frame(FormatText))
		for i := range mine {
			mine[i] = '!'
		}
		if !bytes.Equal(e.Data, want) {
			t.Errorf("data is %q, want %q", e.Data, want)
		}
		if got := string(e.Frame(FormatText)); got != frame {
			t.Errorf("frame changed to %q", got)
		}
	}
}

func TestFrame_SealedOrNotGivesTheSameBytes(t *testing.T) {
	sealed, open := samples(), samples()
	for i, e := range sealed {
		e.Seal()
		for _, f := range []Format{FormatText, FormatJSON} {
			a, b := e.Frame(f), open[i].Frame(f)
			if !bytes.Equal(a, b) {
				t.Errorf("format %d: sealed %q, unsealed %q", f, a, b)
			}
			if again := open[i].Frame(f); &again[0] != &b[0] {
				t.Errorf("format %d of %q was encoded twice", f, b)
			}
			if cap(a) != len(a) || cap(b) != len(b) {
				t.Errorf("format %d of %q has room behind it", f, b)
			}
		}
		if !bytes.Equal(e.Frame(formatCount), e.Frame(FormatText)) {
			t.Error("an unknown format is not the text format")
		}
	}
}

func TestFrame_ManyReadersShareTheFirstBytes(t *testing.T) {
	const readers = 8
	for range 50 {
		e := &Event{ID: ID{1, 2}, Topics: []string{"a"}, Name: "n", Data: []byte("payload")}
		var got [readers][formatCount][]byte
		var wg sync.WaitGroup
		for i := range readers {
			wg.Go(func() {
				for f := range formatCount {
					f = (f + Format(i)) % formatCount
					got[i][f] = e.Frame(f)
				}
			})
		}
		wg.Wait()
		for f := range formatCount {
			for i := range readers {
				if &got[i][f][0] != &e.Frame(f)[0] {
					t.Fatalf("reader %d has bytes of its own in format %d", i, f)
				}
			}
		}
	}
}

func TestFrame_CostsNothingOnceBuilt(t *testing.T) {
	e := samples()[1]
	e.Seal()
	e.Frame(FormatJSON)
	n := testing.AllocsPerRun(100, func() {
		if len(e.Frame(FormatText)) == 0 || len(e.Frame(FormatJSON)) == 0 {
			t.Fatal("a frame is empty")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSize_StaysTheSameFromBeforeSealToTheEnd(t *testing.T) {
	for _, e := range samples() {
		before := e.Size()
		e.Seal()
		sealed := e.Size()
		e.Frame(FormatJSON)
		if before != sealed || e.Size() != sealed {
			t.Errorf("%q: %d before, %d sealed, %d with JSON", e.Data, before, sealed, e.Size())
		}
	}
}

func TestSize_CountsEveryPart(t *testing.T) {
	if got := int(reflect.TypeFor[Event]().Size()); got != eventBytes {
		t.Errorf("an Event has %d bytes, eventBytes says %d", got, eventBytes)
	}
	one := &Event{ID: ID{1, 1}, Topics: []string{"a"}, Data: []byte("x")}
	one.Seal()
	if want := eventBytes + topicBytes + len("a") + len("id: 1-1\ndata: x\n\n"); one.Size() != want {
		t.Errorf("size %d, want %d", one.Size(), want)
	}
	two := &Event{ID: ID{1, 1}, Topics: []string{"a", "bc"}, Name: "n", Data: []byte("x\ny")}
	two.Seal()
	want := eventBytes + 2*topicBytes + len("a"+"bc"+"n") + len("id: 1-1\nevent: n\ndata: x\ndata: y\n\n") + len("x\ny")
	if two.Size() != want {
		t.Errorf("size %d, want %d", two.Size(), want)
	}
	big := &Event{ID: ID{1, 1}, Data: []byte(strings.Repeat("x", 1<<16))}
	big.Seal()
	if big.Size() > 1<<16+256 {
		t.Errorf("size %d: the data is held twice", big.Size())
	}
}
