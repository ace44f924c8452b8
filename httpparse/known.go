package httpparse

import "encoding/binary"

// FieldID names a field that the parser recognises while it reads, so that [Request.Known] is one look-up.
type FieldID uint8

// Recognised fields. A second line of a singleton is refused: these have one value, and two parsers would pick
// different ones. The others are lists or harmless; Known gives their first line.
const (
	FieldOther FieldID = iota // not recognised; find it with Header or Field

	FieldConnection
	FieldExpect
	FieldHost // the first singleton
	FieldContentLength
	FieldTransferEncoding // the last that means something to the parser itself
	FieldContentType
	FieldAuthorization
	FieldLastEventID
	FieldIdempotencyKey
	FieldOrigin
	FieldAccessControlRequestMethod
	FieldSecWebSocketKey
	FieldSecWebSocketVersion // the last singleton
	FieldUpgrade
	FieldAccept
	FieldAccessControlRequestHeaders
	FieldTraceparent
	FieldSecWebSocketProtocol
	FieldSecWebSocketExtensions
	FieldCookie
	FieldUserAgent
	fieldIDs
)

// knownNames are the names in lower case. Here and in plainNames a name has 4 bytes or more, letters and hyphens only.
var knownNames = [fieldIDs]string{
	FieldHost:                        "host",
	FieldContentLength:               "content-length",
	FieldTransferEncoding:            "transfer-encoding",
	FieldContentType:                 "content-type",
	FieldAuthorization:               "authorization",
	FieldLastEventID:                 "last-event-id",
	FieldIdempotencyKey:              "idempotency-key",
	FieldOrigin:                      "origin",
	FieldAccessControlRequestMethod:  "access-control-request-method",
	FieldSecWebSocketKey:             "sec-websocket-key",
	FieldSecWebSocketVersion:         "sec-websocket-version",
	FieldConnection:                  "connection",
	FieldExpect:                      "expect",
	FieldUpgrade:                     "upgrade",
	FieldAccept:                      "accept",
	FieldAccessControlRequestHeaders: "access-control-request-headers",
	FieldTraceparent:                 "traceparent",
	FieldSecWebSocketProtocol:        "sec-websocket-protocol",
	FieldSecWebSocketExtensions:      "sec-websocket-extensions",
	FieldCookie:                      "cookie",
	FieldUserAgent:                   "user-agent",
}

// String gives the name in lower case, "" for FieldOther.
func (f FieldID) String() string {
	if f >= fieldIDs {
		return ""
	}
	return knownNames[f]
}

// plainNames are common names without a FieldID: to find a whole name in the table is quicker than to judge its bytes.
var plainNames = []string{
	"accept-charset", "accept-encoding", "accept-language", "baggage", "cache-control", "forwarded", "if-modified-since",
	"if-none-match", "keep-alive", "pragma", "priority", "referer", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform",
	"sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "tracestate", "upgrade-insecure-requests",
	"x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip", "x-request-id",
	"x-requested-with",
}

const knownNameBytesMax = 32

// knownName is a name in words of eight bytes, in its slot of a perfect hash table.
type knownName struct {
	first, second, third nameWord // second and third of names with more than 16 and 24 bytes
	last                 nameWord // of names with more than 8; the last eight bytes, whatever second and third have
	length               uint16
	id                   FieldID
}

// noName is in slots without a name: none is that long, offsets being of 16 bits.
var noName = knownName{length: headBytesCeiling}

// nameWord is eight bytes of a name in lower case, or fewer.
type nameWord struct {
	text uint64
	care uint64 // the bits that must agree: not those of the case of letters, nor those of bytes behind the name
}

func (w *nameWord) is(x uint64) bool { return (x^w.text)&w.care == 0 }

var knownTable = buildKnown()

// slotOf gives the only slot that a name of four bytes or more can be in, by its length and its last four bytes, whose
// case does not matter. TestKnown_HashIsPerfect holds that no two names of the table share one.
func slotOf(length int, last4 uint32) uint32 {
	return (last4 | 0x20202020 + uint32(length)) * 0x793F6191 >> 25
}

func buildKnown() (t [128]knownName) {
	for i := range t {
		t[i] = noName
	}
	add := func(id FieldID, name string) {
		var padded [knownNameBytesMax]byte
		n := copy(padded[:], name)
		t[slotOf(n, load32(name, n-4))] = knownName{first: newNameWord(padded[:8]), second: newNameWord(padded[8:16]),
			third: newNameWord(padded[16:24]), last: newNameWord(padded[max(0, n-8):]), length: uint16(n), id: id}
	}
	for id := FieldOther + 1; id < fieldIDs; id++ {
		add(id, knownNames[id])
	}
	for _, name := range plainNames {
		add(FieldOther, name)
	}
	return t
}

// newNameWord makes a word of the first eight bytes of name, up to the first zero.
func newNameWord(name []byte) nameWord {
	w := nameWord{text: load64(name, 0)}
	for i, c := range name[:8] {
		switch {
		case c >= 'a':
			w.care |= (0xFF ^ 0x20) << (8 * i)
		case c != 0:
			w.care |= 0xFF << (8 * i)
		}
	}
	return w
}

// find gives a name's entry in the table, or noName. It may have any bytes; those that are found are tokens.
func find(name []byte) *knownName {
	var padded [knownNameBytesMax]byte
	n := copy(padded[:], name)
	if n < len(name) || n < 4 {
		return &noName
	}
	k := &knownTable[slotOf(n, load32(name, n-4))]
	if n != int(k.length) || !k.first.is(load64(padded[:], 0)) || n > 8 && !k.ends(padded[:], 0, n) {
		return &noName
	}
	return k
}

// ends says whether the name b[at:end], of more than eight bytes, which has the length and the first eight for it, is
// this one.
func (k *knownName) ends(b []byte, at, end int) bool {
	if !k.last.is(binary.LittleEndian.Uint64(b[end-8 : end : end])) {
		return false
	}
	if end-at <= 16 {
		return true
	}
	return k.second.is(binary.LittleEndian.Uint64(b[at+8:])) && (end-at <= 24 || k.third.is(binary.LittleEndian.Uint64(b[at+16:])))
}
