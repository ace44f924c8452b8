package bench

import (
	"context"
	"slices"
	"testing"
	"time"
)

// What is due comes in the order of its due times, told each, however late; what is due
// after the end stays.
func TestAgenda_InOrder(t *testing.T) {
	t.Parallel()
	w, err := newSwarm(time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	r := &run{ctx: context.Background(), w: w}
	g := newAgenda()
	start := w.now() - int64(time.Millisecond) // late from the beginning
	var got []int64
	note := func(due int64) error {
		got = append(got, (due-start)/int64(time.Millisecond))
		return nil
	}
	for _, ms := range []int64{5, 1, 9, 3} {
		g.at(start+ms*int64(time.Millisecond), note)
	}
	g.every(start, int64(2*time.Millisecond), note)
	if err := g.follow(r, start+int64(8*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if want := []int64{0, 1, 2, 3, 4, 5, 6}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(g.duties) != 2 || g.late.TotalCount() != int64(len(got)) {
		t.Errorf("%d duties stay, %d were timed", len(g.duties), g.late.TotalCount())
	}
}
