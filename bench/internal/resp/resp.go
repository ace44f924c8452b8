package resp

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

var (
	// ErrReply says that bytes are no reply.
	ErrReply = errors.New("resp: not a reply of Redis")
	// ErrShort says that a reply is not whole.
	ErrShort = errors.New("resp: the reply is not whole")
)

// depthMax is how deep arrays may be nested: what XREAD gives has five.
const depthMax = 16

// AppendCommand appends a command.
func AppendCommand(dst []byte, words ...[]byte) []byte {
	dst = append(strconv.AppendInt(append(dst, '*'), int64(len(words)), 10), '\r', '\n')
	for _, w := range words {
		dst = append(strconv.AppendInt(append(dst, '$'), int64(len(w)), 10), '\r', '\n')
		dst = append(append(dst, w...), '\r', '\n')
	}
	return dst
}

// Whole says whether b begins with a whole reply, or with what can't become one.
func Whole(b []byte) bool {
	_, err := Read(b, nil)
	return !errors.Is(err, ErrShort)
}

// Read reads one reply and gives what follows it. leaf is told each text and number with
// its depth, 0 outside of arrays, in their order; what it is given is a view of b. Errors:
// ErrShort, ErrReply, what Redis refused with, what leaf returned.
func Read(b []byte, leaf func(depth int, text []byte) error) (rest []byte, err error) {
	return read(b, 0, leaf)
}

func read(b []byte, depth int, leaf func(depth int, text []byte) error) ([]byte, error) {
	line, rest, found := bytes.Cut(b, []byte("\r\n"))
	if !found {
		return nil, ErrShort
	}
	if len(line) == 0 || depth > depthMax {
		return nil, fmt.Errorf("%w: %.50q", ErrReply, b)
	}
	kind, text := line[0], line[1:]
	switch kind {
	case '-':
		return nil, fmt.Errorf("resp: Redis refuses: %s", text)
	case '+', ':':
		return rest, tell(leaf, depth, text)
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < -1 || kind != '$' && kind != '*' {
		return nil, fmt.Errorf("%w: %.50q", ErrReply, line)
	}
	switch {
	case n < 0:
		return rest, nil
	case kind == '$':
		if len(rest)-len("\r\n") < n {
			return nil, ErrShort
		}
		return rest[n+len("\r\n"):], tell(leaf, depth, rest[:n])
	}
	for range n {
		if rest, err = read(rest, depth+1, leaf); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

func tell(leaf func(int, []byte) error, depth int, text []byte) error {
	if leaf == nil {
		return nil
	}
	return leaf(depth, text)
}
