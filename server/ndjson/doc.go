// Package ndjson reads the lines of a batch: one JSON object a line (RFC 8259), each an
// event. Bytes in, views out; no I/O, and it starts nothing.
//
// Nearly every line that a program writes is plain: the known names as they stand, each
// once, strings of valid UTF-8. These are read in one pass without an allocation. All
// others are left to encoding/json, whose word counts: what the pass takes, encoding/json
// takes too, and with the same result (a fuzz test holds that).
package ndjson
