//go:build !throngpoison

package invariant

import "testing"

func TestPoison_OffLeavesBytes(t *testing.T) {
	b := []byte("data: hello\n\n")
	Poison(b)
	if string(b) != "data: hello\n\n" || Poisoned(b) || Poisoning {
		t.Errorf("a build without throngpoison changed the buffer to %q", b)
	}
}
