package httpparse

import (
	"encoding/binary"
	"math/bits"
)

// Most heads come whole and have nothing unusual in them. The functions of this file read such request lines and
// field lines by words of eight bytes, and keep no state in between. Whatever is not plain — a line that is cut off, a
// byte to refuse, a rare form, a limit — they leave untouched to the state machine, which begins it anew: it alone
// knows refusals, and how a head that comes in pieces goes on. The two must agree on what they take; FuzzParse holds
// that, as a head that comes byte by byte is never plain.

// word has words of eight equal bytes. A byte of x is marked, in its high bit, by x + underSpace when it is under a
// space, by x + one when it is DEL, and by both from 0x80 on; by x + fromA when it is 'a' or more, and so on. Marks
// above the first may be wrong, by borrows and carries, which is why the first is the one to use. They are variables,
// as the compiler writes constants of this width anew at every use, which takes twice as long as a register.
var word = struct {
	high, low, fold         uint64
	one, underOne           uint64
	underSpace, underDollar uint64
	colon, slash, question  uint64
	fromA, overZ            uint64
	fromHyphen, overNine    uint64
}{
	high: highs, low: ones * 0x7F, fold: ones * 0x20,
	one: ones, underOne: -ones & (1<<64 - 1),
	underSpace: -ones * ' ' & (1<<64 - 1), underDollar: -ones * '$' & (1<<64 - 1),
	colon: ones * ':', slash: ones * '/', question: ones * '?',
	fromA: ones * (0x80 - 'a'), overZ: ones * (0x7F - 'z'),
	fromHyphen: ones * (0x80 - '-'), overNine: ones * (0x7F - '9'),
}

const (
	getSlash     = 'G' | 'E'<<8 | 'T'<<16 | ' '<<24 | '/'<<32
	postSlash    = 'P' | 'O'<<8 | 'S'<<16 | 'T'<<24 | ' '<<32 | '/'<<40
	optionsSpace = 'O' | 'P'<<8 | 'T'<<16 | 'I'<<24 | 'O'<<32 | 'N'<<40 | 'S'<<48 | ' '<<56
	version11    = 'H' | 'T'<<8 | 'T'<<16 | 'P'<<24 | '/'<<32 | '1'<<40 | '.'<<48 | '1'<<56
	colonSpace   = ':' | ' '<<8
	crlf         = '\r' | '\n'<<8
)

// plainRequestLine reads a whole request line of GET, POST or OPTIONS, origin-form and HTTP/1.1 from the start of b
// and gives the index after it, or 0.
func (r *Request) plainRequestLine(b []byte, lim *Limits) int {
	if len(b) < 16 {
		return 0
	}
	id, path := MethodGet, 4
	if x := binary.LittleEndian.Uint64(b); x&(1<<40-1) != getSlash {
		switch {
		case x&(1<<48-1) == postSlash:
			id, path = MethodPost, 5
		case x == optionsSpace && b[8] == '/':
			id, path = MethodOptions, 8
		default:
			return 0
		}
	}
	var stop uint64
	i := path
	for {
		if i >= len(b)-7 {
			return 0
		}
		x := load64(b, i)
		if stop = ((x + word.underDollar) | (x + word.one) | ((x ^ word.question) + word.underOne)) & word.high; stop != 0 {
			break
		}
		i += 8
	}
	i += bits.TrailingZeros64(stop) >> 3
	query := i
	if b[i] == '?' {
		i++
		for {
			if i >= len(b)-7 {
				return 0
			}
			x := load64(b, i)
			if stop = ((x + word.underDollar) | (x + word.one)) & word.high; stop != 0 {
				break
			}
			i += 8
		}
		i += bits.TrailingZeros64(stop) >> 3
	}
	if path-1 > lim.MethodBytesMax || i-path > lim.TargetBytesMax || i >= len(b)-10 || b[i] != ' ' ||
		load64(b, i+1) != version11 || load16(b, i+9) != crlf {
		return 0
	}
	r.MethodID, r.Minor, r.state = id, 1, headFields
	r.methodSpan, r.pathSpan = spanOf(0, path-1), spanOf(path, query)
	if query < i {
		r.querySpan = spanOf(query+1, i)
	}
	return i + 11
}

// plainLines reads field lines from b[i:] on, up to the first that is not plain or to the end of the head. It gives
// the index after the lines and more, or pass at the end of the head, or a refusal of what a line means. The scans are
// in it and not in functions, since calls would cost a tenth of its time.
func (r *Request) plainLines(b []byte, i int, lim *Limits) (int, verdict) {
	space, one, high := word.underSpace, word.one, word.high
	fieldsMax, lineMax := min(lim.HeadersMax, headersCeiling), min(lim.FieldNameBytesMax, lim.FieldValueBytesMax)
	for n := int(r.nfields); n < fieldsMax; n++ {
		at := i
		var stop uint64
		for ; ; i += 8 {
			if i < 0 || i >= len(b)-7 {
				return at, more
			}
			if stop = ((load64(b, i) ^ word.colon) + word.underOne) & high; stop != 0 {
				break
			}
		}
		colon := i + bits.TrailingZeros64(stop)>>3
		from := colon + 2
		for i = from; ; i += 16 {
			if i < 0 || i >= len(b)-15 {
				i = tailEnd(b, i)
				break
			}
			x, y := load64(b, i), load64(b, i+8)
			stopX, stopY := (x+space)|(x+one), (y+space)|(y+one)
			if (stopX|stopY)&high == 0 {
				continue
			}
			if stop = stopX & high; stop == 0 {
				i += 8
				stop = stopY & high
			}
			i += bits.TrailingZeros64(stop) >> 3
			break
		}
		if colon < 4 || from > i || i >= len(b)-3 || load16(b, colon) != colonSpace || b[from] <= ' ' || b[i-1] <= ' ' ||
			load16(b, i) != crlf || i-at > lineMax && (colon-at > lim.FieldNameBytesMax || i-from > lim.FieldValueBytesMax) {
			return at, more
		}
		name := &knownTable[slotOf(colon-at, load32(b, colon-4))]
		if int(name.length) != colon-at || !name.first.is(binary.LittleEndian.Uint64(b[at:at+8:at+8])) ||
			colon-at > 8 && !name.ends(b, at, colon) {
			name = &noName
			if !isName(b[at:colon]) {
				return at, more
			}
		}
		r.fields[n] = fieldSpans{spanOf(at, colon), spanOf(from, i)}
		r.nfields = uint8(n + 1)
		if name.id > FieldTransferEncoding && r.have&(1<<name.id) == 0 {
			r.have |= 1 << name.id
			r.known[name.id] = uint8(n + 1)
		} else if name.id != FieldOther {
			if off, v := r.note(b, n, name.id); v != pass {
				return off, v
			}
		}
		i += 4
		if load16(b, i-2) == crlf {
			return i, pass
		}
		i -= 2
	}
	return i, more
}

// isName says whether b is a token.
func isName(b []byte) bool {
	for _, c := range b {
		if !isToken(c) {
			return false
		}
	}
	return len(b) > 0
}

// tailEnd gives the index of the first byte from i on that is not plain in a value, or len(b).
func tailEnd(b []byte, i int) int {
	for ; i >= 0 && i < len(b)-7; i += 8 {
		x := load64(b, i)
		if stop := ((x + word.underSpace) | (x + word.one)) & word.high; stop != 0 {
			return i + bits.TrailingZeros64(stop)>>3
		}
	}
	for i >= 0 && i < len(b) && b[i] >= ' ' && b[i] < 0x7F {
		i++
	}
	return i
}

// plainHost says whether b[from:to], a field value, is a host of letters, digits, "-" and ".", with or without a port.
func plainHost(b []byte, from, to int) bool {
	for i := from; i < to; i += 8 {
		if i < 0 || i >= len(b)-7 {
			return false
		}
		x := load64(b, i)
		lower := x | word.fold
		letter := (lower + word.fromA) ^ (lower + word.overZ)
		other := (x + word.fromHyphen) ^ (x + word.overNine)
		if stop := (^((letter | other) & ((x ^ word.slash) + word.low)) | x) & word.high; stop != 0 {
			i += bits.TrailingZeros64(stop) >> 3
			return i >= to || i > from && b[i] == ':' && (plainPort(b, i+1, to) || portFault(b[:to], i+1) < 0)
		}
	}
	return from < to
}

// plainPort says whether b[from:to] is of four digits or fewer, and can be seen to be.
func plainPort(b []byte, from, to int) bool {
	if to-from > 4 || from < 0 || from >= len(b)-3 {
		return false
	}
	const fromZero, overNine = 0x01010101 * (0x80 - '0'), 0x01010101 * (0x7F - '9')
	x := load32(b, from)
	stop := (^((x + fromZero) ^ (x + overNine)) | x) & 0x80808080
	return bits.TrailingZeros32(stop)>>3 >= to-from
}
