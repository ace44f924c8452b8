package sse_test

import (
	"fmt"
	"os"
	"strings"

	"throng/sse"
)

func ExampleEvent() {
	e := &sse.Event{ID: sse.ID{Major: 1, Minor: 2}, Topics: []string{"room/7"}, Name: "said", Data: []byte("hello\nworld")}
	e.Seal()
	os.Stdout.Write(e.Frame(sse.FormatText))
	os.Stdout.Write(e.Frame(sse.FormatJSON))
	// Output:
	// id: 1-2
	// event: said
	// data: hello
	// data: world
	//
	// id: 1-2
	// event: said
	// data: {"id":"1-2","topics":["room/7"],"event":"said","data":"hello\nworld"}
}

func ExampleDecoder() {
	d := sse.NewDecoder(strings.NewReader("retry: 3000\n\nid: 1-1\n\nid: 1-2\ndata: hello\n\n: still here\n"), sse.Limits{})
	for {
		m, err := d.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		switch m.Kind {
		case sse.KindEvent:
			fmt.Printf("event %s: %s\n", m.ID, m.Data)
		case sse.KindPosition:
			fmt.Printf("position %s\n", m.ID)
		case sse.KindRetry:
			fmt.Println("retry", m.Retry)
		case sse.KindComment:
			fmt.Println("alive")
		}
	}
	// Output:
	// retry 3s
	// position 1-1
	// event 1-2: hello
	// alive
	// EOF
}
