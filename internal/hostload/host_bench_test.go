package hostload

import "testing"

func BenchmarkHost_Memory(b *testing.B) {
	h := Open("/")
	for b.Loop() {
		_, _ = h.Memory()
	}
}

func BenchmarkHost_Descriptors(b *testing.B) {
	h := Open("/")
	for b.Loop() {
		h.Descriptors()
	}
}
