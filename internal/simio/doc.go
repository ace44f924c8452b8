// Package simio is a kernel that is not there: the second implementation of
// poller.Poller and poller.Net, for tests. Sockets, descriptors, readiness and the clock
// live in memory, and all chance comes from one seed: the same seed, options and
// calls give the same run, to the nanosecond (Kernel.Fingerprint).
//
// A Kernel and all that belongs to it (Pollers, Peers) is used by one goroutine at a
// time. Only Poller.Wake may be called by any goroutine. Nothing in here ever blocks or
// starts a goroutine: whoever drives a loop on it calls one turn after the other.
//
// # Time
//
// The clock stands still until somebody moves it: Advance, a Wait that finds nothing, or
// the cost of a call (Options.Cost). Delayed edges and functions given to After
// run inside Advance and Wait, never inside a socket call.
//
// # Sockets
//
// What Linux does with TCP is followed where a loop can tell: edges and levels as tcp_poll
// and epoll(7) with EPOLLET give them, SOCK_NOSPACE (a Writable edge comes only after
// a short write or ErrAgain, and when a third is free), the lowest free descriptor first,
// the first write after the peer's close succeeds and the next fails, data before an
// error, a reset when something unread is thrown away by a close. One buffer stands for
// the server's send buffer and the client's window together (Peer.SetWindow). Data from
// the client to the server is not bounded.
//
// # Mistakes
//
// What a correct loop never does (a descriptor that is not open, a second Add, an
// empty write) is recorded with its time and reported by Kernel.Check, together with
// descriptors left open.
package simio
