// Package sse holds the event, its ID, and both directions of the wire: encoding an event
// once for all of its readers, and decoding a stream byte by byte.
//
// The format is the one of the WHATWG HTML standard, section 9.2 "Server-sent events"
// (https://html.spec.whatwg.org/multipage/server-sent-events.html); the section names used
// below are its own.
//
// An Event has two owners, one after the other. Whoever builds it owns it alone until it has
// called Seal; from then on nobody changes it and any number of goroutines may read it.
//
// The package is a leaf: it imports the standard library only, starts no goroutine and does no
// input or output of its own but reading from the io.Reader handed to a Decoder.
package sse
