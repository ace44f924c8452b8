package topics

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// BytesMax is the longest topic or filter, in bytes: its length fits one byte, and no
// path that people read is longer.
const BytesMax = 255

// Refusals of Check and CheckFilter, returned as they are (one for each kind, no
// allocation). Their text is meant for the client that sent the topic.
var (
	ErrEmpty      = errors.New("topic is empty; 1 to 255 bytes are needed")
	ErrTooLong    = errors.New("topic is too long; at most 255 bytes are taken")
	ErrNotUTF8    = errors.New("topic is not valid UTF-8; other bytes must be encoded as UTF-8 first")
	ErrControl    = errors.New("topic holds a control character; only printable text is taken")
	ErrEmptyLevel = errors.New("topic has an empty level; write a/b without '/' at either end or doubled" +
		" (an unescaped '#' cuts a URL short: write %23)")
	ErrWildcard  = errors.New("topic of an event holds '+' or '#'; wildcards are for subscriptions, name each topic in full")
	ErrPlusPlace = errors.New("'+' inside a level; as a wildcard it must be a whole level, as in a/+/b")
	ErrHashPlace = errors.New("'#' inside a level or before the last one; as a wildcard it must be the whole last level," +
		" as in a/# (in a URL a/%23)")
)

// Check tells whether topic may be an event's topic: 1 to BytesMax bytes of UTF-8
// without control characters (Unicode class Cc), levels separated by '/' and not empty,
// no '+' and no '#' anywhere (MQTT 5.0 section 3.3.2.1).
func Check(topic string) error {
	wild, err := checkText(topic)
	if err == nil && wild {
		err = ErrWildcard
	}
	return err
}

// CheckFilter tells whether filter may be a subscription: what Check takes, and besides
// levels that are exactly "+", and "#" as the last level (MQTT 5.0 section 4.7.1).
func CheckFilter(filter string) error {
	wild, err := checkText(filter)
	if err != nil || !wild {
		return err
	}
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		if strings.Contains(level, "+") && level != "+" {
			return ErrPlusPlace
		}
		if strings.Contains(level, "#") && (level != "#" || more) {
			return ErrHashPlace
		}
	}
	return nil
}

// checkText holds what topics and filters have in common; wild tells whether there is
// a '+' or '#' anywhere.
func checkText(s string) (wild bool, err error) {
	switch {
	case s == "":
		return false, ErrEmpty
	case len(s) > BytesMax:
		return false, ErrTooLong
	}
	ascii, emptyLevel := true, false
	last := byte('/') // a '/' at the start has an empty level before it
	for i := range len(s) {
		b := s[i]
		switch {
		case b < ' ' || b == 0x7f:
			return false, ErrControl
		case b >= utf8.RuneSelf:
			ascii = false
		case b == '/':
			emptyLevel = emptyLevel || last == '/'
		case b == '+' || b == '#':
			wild = true
		}
		last = b
	}
	if !ascii {
		if !utf8.ValidString(s) {
			return false, ErrNotUTF8
		}
		if strings.ContainsFunc(s, unicode.IsControl) {
			return false, ErrControl
		}
	}
	if emptyLevel || last == '/' {
		return false, ErrEmptyLevel
	}
	return wild, nil
}
