//go:build !throngpoison

package invariant

// Poisoning tells whether Poison does anything.
const Poisoning = false

// Poison does nothing in this build; see the tag throngpoison.
func Poison([]byte) {}

// Poisoned tells whether b holds nothing but poison: never in this build.
func Poisoned([]byte) bool { return false }
