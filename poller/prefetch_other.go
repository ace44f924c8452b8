//go:build linux && !amd64 && !arm64

package poller

// Prefetch does nothing on this processor.
func Prefetch[T any](*T) {}
