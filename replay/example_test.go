package replay_test

import (
	"context"
	"errors"
	"fmt"

	"throng/replay"
	"throng/sse"
)

// A reader comes back with an ID, is told what it cannot have any more, and goes on.
func ExampleMemory() {
	limits := replay.MemoryDefaults()
	limits.EventsMax = 2
	limits.Epoch = 1 // for the example: IDs that do not depend on the clock
	store := replay.NewMemory(limits)
	defer store.Close()

	log, err := store.Open("default")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	seen := log.Last()
	for _, text := range []string{"one", "two", "three"} {
		event := &sse.Event{Topics: []string{"news"}, Data: []byte(text)}
		if err := log.Append(ctx, []replay.Record{{Event: event}}); err != nil {
			fmt.Println(err)
			return
		}
	}

	page := make([]*sse.Event, 16)
	n, err := log.After(ctx, seen, log.Last(), page)
	if gone := (*replay.GoneError)(nil); errors.As(err, &gone) {
		fmt.Println("gap before", gone.Earliest)
		n, err = log.After(ctx, gone.Resume, log.Last(), page)
	}
	for _, event := range page[:n] {
		fmt.Printf("%s %s\n", event.ID, event.Data)
	}
	fmt.Println(err)
	// Output:
	// gap before 1-2
	// 1-2 two
	// 1-3 three
	// <nil>
}
