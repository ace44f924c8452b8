//go:build linux && (amd64 || arm64)

package poller

import "unsafe"

// Prefetch asks the processor to bring x into its cache, and does not wait. A fan-out
// does it for the next row before the system call that writes to this one: the row is
// there when the call returns.
func Prefetch[T any](x *T) { prefetch(unsafe.Pointer(x)) }

//go:noescape
func prefetch(p unsafe.Pointer)
