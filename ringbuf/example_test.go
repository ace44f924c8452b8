package ringbuf_test

import (
	"fmt"
	"sync"
	"time"

	"throng/ringbuf"
)

// A committer hands lines to two loops; each takes them as a range.
func ExampleBroadcast() {
	ring, err := ringbuf.NewBroadcast[string](8, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range []string{"one", "two", "three"} {
		ring.TryPublish(line)
	}
	for i := range 2 {
		r := ring.Reader(i)
		next, end := r.Released(), r.Available()
		for ; next < end; next++ {
			fmt.Println("reader", i, "sequence", next, *r.At(next))
		}
		r.Release(end)
	}
	// Output:
	// reader 0 sequence 0 one
	// reader 0 sequence 1 two
	// reader 0 sequence 2 three
	// reader 1 sequence 0 one
	// reader 1 sequence 1 two
	// reader 1 sequence 2 three
}

// A reader that holds back keeps history for a laggard; writers feel it.
func ExampleReader() {
	ring, _ := ringbuf.NewBroadcast[int](4, 1)
	for i := range 4 {
		ring.TryPublish(i * i)
	}
	r := ring.Reader(0)
	end := r.Available()
	r.Release(end - 1) // read all, keep the last one
	fmt.Println("kept:", *r.At(3), "lag:", ring.Lag(0))
	room := 0
	for {
		if _, ok := ring.TryPublish(0); !ok {
			break
		}
		room++
	}
	fmt.Println("room:", room)
	// Output:
	// kept: 9 lag: 1
	// room: 3
}

func ExampleMailbox() {
	box, err := ringbuf.NewMailbox[string](2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(box.TryPush("open"), box.TryPush("close"), box.TryPush("too much"))
	first, _ := box.Pop()
	rest := make([]string, 2)
	n := box.PopInto(rest)
	fmt.Println(first, rest[:n], box.Empty())
	// Output:
	// true true false
	// open [close] true
}

// A consumer sleeps at a gate until a producer has pushed.
func ExampleGate() {
	box, _ := ringbuf.NewMailbox[int](4)
	gate := ringbuf.NewGate(ringbuf.Block)
	var consumer sync.WaitGroup
	consumer.Go(func() {
		for sum := 0; sum < 6; {
			gate.Wait(func() bool { return !box.Empty() })
			v, _ := box.Pop()
			sum += v
			fmt.Println("sum", sum)
		}
	})
	for i := 1; i <= 3; i++ {
		box.TryPush(i)
		gate.Signal()
	}
	consumer.Wait()
	fmt.Println(gate.WaitUntil(func() bool { return !box.Empty() }, time.Now()))
	// Output:
	// sum 1
	// sum 3
	// sum 6
	// false
}

func ExampleParseStrategy() {
	fmt.Println(ringbuf.ParseStrategy("sleep"))
	_, err := ringbuf.ParseStrategy("nap")
	fmt.Println(err)
	// Output:
	// sleep <nil>
	// ringbuf: wait strategy "nap": want one of block, yield, sleep, spin
}
