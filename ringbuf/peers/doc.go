// Package peers measures throng/ringbuf beside the bounded queues of other
// modules. It is a module of its own, so that they are no dependency of throng.
//
//	go test -bench .
package peers
