//go:build throngpoison

package invariant

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPoison_SpoilsLenOnly(t *testing.T) {
	mem := []byte("data: hello\n\nneighbour")
	released := mem[:13]
	Poison(released)
	if !Poisoned(released) {
		t.Errorf("released buffer is %q", released)
	}
	if utf8.Valid(released) || strings.Contains(string(released), "hello") {
		t.Errorf("poison can pass for text: %q", released)
	}
	if got := string(mem[13:]); got != "neighbour" {
		t.Errorf("bytes beyond len became %q", got)
	}
}

func TestPoisoned_OnlyWhenAllBytesAre(t *testing.T) {
	b := make([]byte, 8)
	Poison(b)
	b[5] = 'x'
	if Poisoned(b) {
		t.Error("a buffer written to after release still counts as poisoned")
	}
	if Poisoned(nil) {
		t.Error("an empty buffer counts as poisoned")
	}
}
