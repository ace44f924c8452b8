// Package peers measures throng/ringbuf beside the bounded queues and the
// broadcaster of other modules. It is a module of its own, so that they are no
// dependency of throng.
//
//	go test -bench .
//
// Only go-broadcast gives every value to every reader, by channels; of the others
// the writer fills one for each reader. xsync's queues wait at throng's gates, by
// the strategy that is the last part of their name; Workiva's ring buffer yields.
package peers
