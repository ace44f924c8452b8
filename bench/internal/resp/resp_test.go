package resp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRead_TellsLeavesWithTheirDepth(t *testing.T) {
	const reply = "*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nd\r\n$4\r\na\r\nb\r\n"
	var said []string
	rest, err := Read([]byte(reply+"+next"), func(depth int, text []byte) error {
		said = append(said, fmt.Sprintf("%d %q", depth, text))
		return nil
	})
	if err != nil || string(rest) != "+next" || strings.Join(said, ", ") != `2 "k", 4 "1-1", 5 "d", 5 "a\r\nb"` {
		t.Errorf("%q, %q, %v", said, rest, err)
	}
	for i := range reply {
		if Whole([]byte(reply[:i])) {
			t.Errorf("%q is taken for whole", reply[:i])
		}
	}
	if !Whole([]byte(reply)) {
		t.Error("the whole reply is not")
	}
}

func TestRead_RefusesWhatIsNoReply(t *testing.T) {
	for _, b := range []string{"\r\n", "x\r\n", "$-2\r\n", "*a\r\n", "?3\r\n", "$\r\n", strings.Repeat("*1\r\n", 50)} {
		if _, err := Read([]byte(b), nil); !errors.Is(err, ErrReply) {
			t.Errorf("%q: %v", b, err)
		}
	}
	if _, err := Read([]byte("-ERR no\r\n"), nil); err == nil || !strings.Contains(err.Error(), "ERR no") {
		t.Error(err)
	}
	for _, null := range []string{"*-1\r\n", "$-1\r\n"} {
		if rest, err := Read([]byte(null), nil); err != nil || len(rest) > 0 {
			t.Errorf("%q: %q, %v", null, rest, err)
		}
	}
}

func TestAppendCommand_IsReadBack(t *testing.T) {
	var words []string
	b := AppendCommand(nil, []byte("XADD"), nil, []byte("a\r\nb"))
	_, err := Read(b, func(_ int, text []byte) error { words = append(words, string(text)); return nil })
	if err != nil || strings.Join(words, "|") != "XADD||a\r\nb" {
		t.Errorf("%q, %v", words, err)
	}
}
