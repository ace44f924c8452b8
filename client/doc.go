// Package client subscribes to topics of a throng server and publishes to them.
//
// A Subscription keeps itself alive: when its connection breaks, ends, or falls silent, it waits
// (backing off with full jitter, never less than the server asked for), connects again, and
// goes on after the last ID it has seen. No event is lost while the server still holds it and
// none comes twice; when the server can't give back everything, an event says so (Event.IsGap).
// The package starts no goroutine: a subscription moves only while Next is being called, so a
// reader that is slow slows down its own stream and nothing else.
//
//	c, err := client.New("http://127.0.0.1:8080", client.Options{})
//	…
//	s := c.Subscribe(ctx, client.SubscribeOptions{Topics: []string{"room/7"}})
//	defer s.Close()
//	for e, err := range s.All(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(e.ID, e.Data)
//	}
//
// The format of the stream is the one of the WHATWG HTML standard, section 9.2 (see package sse);
// errors are those of RFC 9457.
package client
