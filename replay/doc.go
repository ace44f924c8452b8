// Package replay is the log: what was published stays here for a while, in order and
// under IDs, so that a client which comes back can be given what it missed, or be told
// plainly that it cannot.
//
// A Store holds one Log a namespace. The order of a namespace is the order of its Log;
// the Log alone gives IDs. Retention (count, bytes, age) removes from the old end only,
// so what is held is always one unbroken run (First, Last], and a position inside it
// resumes without a gap. Everything else is answered with a GoneError.
//
// Memory is the store that forgets everything when the process stops. It starts no
// goroutine and holds no lock for longer than a page of events.
//
// Order of locks in Memory: the trim lock, then the table of namespaces, then one log or
// its table of keys, never both.
package replay
