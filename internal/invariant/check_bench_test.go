package invariant

import "testing"

func BenchmarkCheck(b *testing.B) {
	n := 0
	for b.Loop() {
		n++
		Check(n > 0, "positive")
	}
}
