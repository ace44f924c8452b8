package loops

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestFifo_BehavesLikeASlice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q fifo[int]
	var model []int
	for i := range 200_000 {
		// Long stretches in which it mostly grows, or mostly shrinks.
		if push := rng.IntN(10) < 3+4*(i/1000%2); push || len(model) == 0 {
			q.push(i)
			model = append(model, i)
		} else {
			if got, want := q.head(), model[0]; got != want {
				t.Fatalf("step %d: head %d, want %d", i, got, want)
			}
			if got, want := q.pop(), model[0]; got != want {
				t.Fatalf("step %d: pop %d, want %d", i, got, want)
			}
			model = model[1:]
		}
		if q.len() != len(model) {
			t.Fatalf("step %d: length %d, want %d", i, q.len(), len(model))
		}
	}
	var rest []int
	for q.len() > 0 {
		rest = append(rest, q.pop())
	}
	if !slices.Equal(rest, model) {
		t.Errorf("the rest is %d, want %d", rest, model)
	}
}

func TestFifo_KeepsNoMoreThanItNeeds(t *testing.T) {
	var q fifo[int]
	for range 100 {
		q.push(0)
	}
	for range 100_000 { // never empty, never longer: room at the front is used again
		q.pop()
		q.push(0)
	}
	if n := cap(q.items); n > 1000 {
		t.Errorf("100 items take room for %d", n)
	}
	for q.len() > 0 {
		q.pop()
	}
	if before := cap(q.items); testing.AllocsPerRun(10, func() {
		for range before {
			q.push(0)
		}
		for range before {
			q.pop()
		}
	}) != 0 {
		t.Error("a queue that ran empty does not use its memory again")
	}
}
