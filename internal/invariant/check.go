package invariant

// Check panics with msg if cond does not hold. It is always on; small enough to be
// inlined, it costs one predicted branch. msg must be a constant: building a text at
// the call would cost more than the check.
func Check(cond bool, msg string) {
	if !cond {
		fail(msg)
	}
}

//go:noinline
func fail(msg string) { panic("throng: broken invariant: " + msg) }
