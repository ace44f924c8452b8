// Package sock is the load generators' socket calls: non-blocking IPv4 connections from
// chosen source addresses, an edge triggered epoll set, a nanosecond timer descriptor and
// one signal. It exists because the generators do things no server does (bind a source,
// shrink a receive buffer, reset on purpose) and share the machine with what they measure.
//
// Nothing here is safe for concurrent use on the same value; two values never share state.
package sock
