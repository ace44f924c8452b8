package httpparse

import "encoding/binary"

// FieldID names a field that the parser recognises while it reads, so that [Request.Known] is one look-up.
type FieldID uint8

// Recognised fields. A second line of one of the first group is refused: these have one value, and two parsers
// would pick different ones. Those of the second group are lists or harmless; Known gives their first line.
const (
	FieldOther FieldID = iota // not recognised; find it with Header or Field
	FieldHost
	FieldContentLength
	FieldTransferEncoding
	FieldContentType
	FieldAuthorization
	FieldLastEventID
	FieldIdempotencyKey
	FieldOrigin
	FieldAccessControlRequestMethod
	FieldSecWebSocketKey
	FieldSecWebSocketVersion

	FieldConnection
	FieldExpect
	FieldUpgrade
	FieldAccept
	FieldAccessControlRequestHeaders
	FieldTraceparent
	FieldSecWebSocketProtocol
	FieldSecWebSocketExtensions
	FieldCookie
	FieldUserAgent
	fieldIDs

	lastSingleton = FieldSecWebSocketVersion
)

// knownNames are the names in lower case: 4 bytes or more, letters and hyphens only, which findKnown relies on.
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

const knownNameBytesMax = 32

// knownSlot is a place of the perfect hash table: the name padded to whole words.
type knownSlot struct {
	name   [knownNameBytesMax]byte
	length uint8
	id     FieldID
}

var knownTable = buildKnown()

// knownHash has no two recognised names in one slot; TestKnown_HashIsPerfect holds that.
func knownHash(length int, first, last byte) int {
	return (length + int(first|0x20)*5 + int(last|0x20)*6) & 63
}

func buildKnown() (t [64]knownSlot) {
	for id := FieldHost; id < fieldIDs; id++ {
		name := knownNames[id]
		s := &t[knownHash(len(name), name[0], name[len(name)-1])]
		copy(s.name[:], name)
		s.length, s.id = uint8(len(name)), id
	}
	return t
}

// findKnown gives the FieldID of a name, which must be a non-empty token. In a token, setting bit 0x20 makes
// letters lower case and turns no other byte into a letter or a hyphen.
func findKnown(name []byte) FieldID {
	n := len(name)
	s := &knownTable[knownHash(n, name[0], name[n-1])]
	if n != int(s.length) {
		return FieldOther
	}
	const lower = 0x2020202020202020
	if n < 8 { // 4 to 7 bytes: two words that overlap
		first := binary.LittleEndian.Uint32(name) | lower>>32
		last := binary.LittleEndian.Uint32(name[n-4:]) | lower>>32
		if first != binary.LittleEndian.Uint32(s.name[:]) || last != binary.LittleEndian.Uint32(s.name[n-4:]) {
			return FieldOther
		}
		return s.id
	}
	for i := 8; i < n; i += 8 {
		if binary.LittleEndian.Uint64(name[i-8:])|lower != binary.LittleEndian.Uint64(s.name[i-8:]) {
			return FieldOther
		}
	}
	if binary.LittleEndian.Uint64(name[n-8:])|lower != binary.LittleEndian.Uint64(s.name[n-8:]) {
		return FieldOther
	}
	return s.id
}
