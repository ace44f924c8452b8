package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"throng/sse"
)

// contractLimits are what the contract needs to control in a store.
type contractLimits struct {
	eventsMax int
	keysMax   int
	keyWindow time.Duration
	now       func() time.Time
}

// traits are where a Store's promise differs from the memory store's.
type traits struct {
	// windowEnds waits until keys of the window have been forgotten; nil: the clock is set.
	windowEnds func()
	// holes: IDs are not counted, so the position before an event need not be the ID of the
	// event before it.
	holes bool
	// shared: others append and remove too, so First is as of the last time that the store
	// was asked, and Stats counts only what is in memory here.
	shared bool
}

// testContract is what every Store must do. The factory makes an empty one; it is closed
// by the test.
func testContract(t *testing.T, tr traits, factory func(*testing.T, contractLimits) Store) {
	clock := time.Unix(1_700_000_000, 0)
	limits := contractLimits{eventsMax: 200, keysMax: 100, keyWindow: time.Minute, now: func() time.Time { return clock }}
	for _, c := range []struct {
		name string
		test func(*testing.T, Store)
	}{
		{"OpenIsOneLog", contractOpen},
		{"AppendGivesRisingIDs", func(t *testing.T, s Store) { contractAppend(t, s, tr) }},
		{"AppendSealsEvents", contractSeal},
		{"AfterIsAWindow", contractWindow},
		{"AfterPagesToTheEnd", contractPages},
		{"RemovedIsAGap", func(t *testing.T, s Store) { contractGap(t, s, tr) }},
		{"UnknownIDsAreAGap", contractUnknown},
		{"NamespacesAreApart", contractApart},
		{"KeysStoreOnce", contractKeys},
		{"KeyWindowEnds", func(t *testing.T, s Store) {
			if tr.windowEnds == nil {
				tr.windowEnds = func() { clock = clock.Add(limits.keyWindow + time.Second) }
			}
			contractKeyWindow(t, s, tr.windowEnds)
		}},
		{"EvictKeepsIDs", contractEvict},
		{"DoneContextStoresNothing", contractContext},
		{"CloseRefuses", contractClose},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := factory(t, limits)
			c.test(t, s)
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func contractOpen(t *testing.T, s Store) {
	a, b := mustOpen(t, s, "a"), mustOpen(t, s, "a")
	if a != b {
		t.Error("two Logs of one namespace")
	}
	if a.Last().IsZero() || a.First() != a.Last() {
		t.Errorf("empty log: first %v, last %v; want the same, not zero", a.First(), a.Last())
	}
	if n := s.Stats().Namespaces; n != 1 {
		t.Errorf("%d namespaces, want 1", n)
	}
}

func contractAppend(t *testing.T, s Store, tr traits) {
	l := mustOpen(t, s, "a")
	before := l.Last()
	for _, size := range []int{1, 3, 150, 0, 1} { // 150 is more than a page
		batch := mustAppend(t, l, size)
		for i := range batch {
			if id := batch[i].Event.ID; !before.Less(id) {
				t.Fatalf("ID %v after %v", id, before)
			} else {
				before = id
			}
		}
		if l.Last() != before {
			t.Fatalf("last is %v, want %v", l.Last(), before)
		}
	}
	if st := s.Stats(); !tr.shared && (st.Events != 155 || st.Bytes <= 0) {
		t.Errorf("stats %+v, want 155 events", st)
	}
}

func contractSeal(t *testing.T, s Store) {
	l := mustOpen(t, s, "a")
	data := []byte("hello")
	e := &sse.Event{Topics: []string{"t"}, Name: "n", Data: data}
	if err := l.Append(t.Context(), []Record{{Event: e}}); err != nil {
		t.Fatal(err)
	}
	copy(data, "spoil")
	got := mustRead(t, l, l.First(), l.Last())[0]
	if string(got.Data) != "hello" || got.Name != "n" || len(got.Topics) != 1 || got.Topics[0] != "t" {
		t.Errorf("read back %q %q %q", got.Data, got.Name, got.Topics)
	}
	if frame := got.Frame(sse.FormatText); !bytes.Contains(frame, []byte(got.ID.String())) {
		t.Errorf("frame %q lacks its ID %v", frame, got.ID)
	}
}

func contractWindow(t *testing.T, s Store) {
	l := mustOpen(t, s, "a")
	start := l.Last()
	batch := mustAppend(t, l, 5)
	ids := []sse.ID{start}
	for i := range batch {
		ids = append(ids, batch[i].Event.ID)
	}
	for from := range ids {
		for to := range ids {
			got := mustRead(t, l, ids[from], ids[to])
			if len(got) != max(0, to-from) {
				t.Fatalf("(%d, %d] gave %d events", from, to, len(got))
			}
			for i, e := range got {
				if e.ID != ids[from+1+i] {
					t.Fatalf("(%d, %d] gave %v at %d", from, to, e.ID, i)
				}
			}
		}
	}
	beyond := sse.ID{Major: l.Last().Major + 1}
	if got := mustRead(t, l, start, beyond); len(got) != 5 {
		t.Errorf("reading beyond Last gave %d events, want 5", len(got))
	}
	if n, err := l.After(t.Context(), start, l.Last(), nil); n != 0 || err != nil {
		t.Errorf("reading into nothing: %d, %v", n, err)
	}
}

func contractPages(t *testing.T, s Store) {
	l := mustOpen(t, s, "a")
	batch := mustAppend(t, l, 200)
	for _, size := range []int{1, 7, 64, 1000} {
		got := readPages(t, l, l.First(), l.Last(), make([]*sse.Event, size))
		if len(got) != len(batch) {
			t.Fatalf("pages of %d gave %d events, want %d", size, len(got), len(batch))
		}
		for i, e := range got {
			if e.ID != batch[i].Event.ID || string(e.Data) != fmt.Sprint(i) {
				t.Fatalf("pages of %d: event %d is %v %q", size, i, e.ID, e.Data)
			}
		}
	}
}

func contractGap(t *testing.T, s Store, tr traits) {
	l := mustOpen(t, s, "a")
	start := l.Last()
	batch := mustAppend(t, l, 300)
	if tr.shared {
		if _, err := l.After(t.Context(), l.Last(), l.Last(), nil); err != nil {
			t.Fatalf("asking for the state: %v", err)
		}
	}
	first := l.First()
	if first == start {
		t.Fatal("200 may be held, 300 are")
	}
	held := mustRead(t, l, first, l.Last())
	wantGone(t, l, start, held[0].ID, first)
	gaps := 0
	for i := range batch {
		id := batch[i].Event.ID
		n, err := l.After(t.Context(), id, l.Last(), make([]*sse.Event, 1))
		switch {
		case id.Less(first):
			wantGone(t, l, id, held[0].ID, first)
			gaps++
		case err != nil || id != l.Last() && n == 0:
			t.Fatalf("After(%v) = %d, %v with First %v", id, n, err, first)
		}
	}
	without := len(batch) - gaps - len(held)
	if without != 1 && !(tr.holes && without == 0) { // the event at First is removed, but no gap follows it
		t.Errorf("%d gaps and %d held of %d", gaps, len(held), len(batch))
	}
}

func contractUnknown(t *testing.T, s Store) {
	l := mustOpen(t, s, "a")
	mustAppend(t, l, 3)
	last := l.Last()
	wantGone(t, l, sse.ID{Major: last.Major, Minor: last.Minor + 1}, first(t, l).ID, last)
	for _, id := range []sse.ID{{}, {Major: last.Major - 1, Minor: 1}, {Major: 1, Minor: last.Minor}} {
		wantGone(t, l, id, first(t, l).ID, l.First())
		if _, err := l.After(t.Context(), id, id, nil); !errors.Is(err, ErrGone) {
			t.Errorf("asking only whether %v can be resumed from: %v", id, err)
		}
	}
	if _, err := l.After(t.Context(), last, last, nil); err != nil {
		t.Errorf("asking only whether the last ID can be resumed from: %v", err)
	}
}

func contractApart(t *testing.T, s Store) {
	a, b := mustOpen(t, s, "a"), mustOpen(t, s, "b")
	mustAppend(t, a, 300)
	if b.First() != b.Last() || len(mustRead(t, b, b.First(), b.Last())) != 0 {
		t.Error("b holds what a was given")
	}
	mustAppend(t, b, 1)
	if got := mustRead(t, b, b.First(), b.Last()); len(got) != 1 {
		t.Errorf("b holds %d events, want 1", len(got))
	}
}

func contractContext(t *testing.T, s Store) {
	l := mustOpen(t, s, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := l.Last()
	if err := l.Append(ctx, newBatch(2)); !errors.Is(err, context.Canceled) {
		t.Errorf("Append: %v, want context.Canceled", err)
	}
	if l.Last() != before {
		t.Error("something was stored")
	}
}

func contractClose(t *testing.T, s Store) {
	l := mustOpen(t, s, "a")
	mustAppend(t, l, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), newBatch(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("Append: %v, want ErrClosed", err)
	}
	if _, err := s.Open("b"); !errors.Is(err, ErrClosed) {
		t.Errorf("Open: %v, want ErrClosed", err)
	}
	if _, err := s.Open("a"); !errors.Is(err, ErrClosed) {
		t.Errorf("Open of a known one: %v, want ErrClosed", err)
	}
}

// TestMemory_Contract runs the contract against the memory store.
func TestMemory_Contract(t *testing.T) {
	testContract(t, traits{}, func(_ *testing.T, c contractLimits) Store {
		o := MemoryDefaults()
		o.EventsMax, o.KeysMax, o.KeyWindow, o.Now = c.eventsMax, c.keysMax, c.keyWindow, c.now
		return NewMemory(o)
	})
}
