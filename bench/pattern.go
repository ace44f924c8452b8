package bench

import (
	"slices"
	"strconv"
	"strings"
)

// patternWord is a place in a pattern that is filled in.
type patternWord byte

const (
	wordNone patternWord = iota
	wordNS
	wordTopic
	wordData
	wordI
)

var wordNames = []struct {
	name string
	word patternWord
}{{"{ns}", wordNS}, {"{topic}", wordTopic}, {"{data}", wordData}, {"{i}", wordI}}

// words fill a pattern.
type words struct {
	ns, topic string
	data      []byte
	i         uint64
}

// pattern is a text with words in it, cut into parts.
type pattern struct {
	parts  []patternPart
	escape escaping
}

// patternPart is a text, and then a word or none.
type patternPart struct {
	text string
	word patternWord
}

// parsePattern finds the words of a text. Braces that are not around one of them are text.
func parsePattern(text string, escape escaping) pattern {
	p := pattern{escape: escape}
	for text != "" {
		at, found := len(text), wordNone
		end := at
		for _, w := range wordNames {
			if i := strings.Index(text, w.name); i >= 0 && i < at {
				at, end, found = i, i+len(w.name), w.word
			}
		}
		p.parts = append(p.parts, patternPart{text[:at], found})
		text = text[end:]
	}
	return p
}

func (p pattern) has(w patternWord) bool {
	return slices.ContainsFunc(p.parts, func(part patternPart) bool { return part.word == w })
}

// append writes the pattern with its words filled in.
func (p pattern) append(dst []byte, w words) []byte {
	for _, part := range p.parts {
		dst = append(dst, part.text...)
		switch part.word {
		case wordNS:
			dst = appendEscaped(dst, w.ns, p.escape)
		case wordTopic:
			dst = appendEscaped(dst, w.topic, p.escape)
		case wordData:
			dst = appendEscaped(dst, w.data, p.escape)
		case wordI:
			dst = strconv.AppendUint(dst, w.i, 10)
		}
	}
	return dst
}

// escaping is the form that the place of a word asks for.
type escaping byte

const (
	escapeNone escaping = iota
	escapeURL           // bytes that RFC 3986 allows nowhere in a URL; escaped ones stay
	escapeForm          // application/x-www-form-urlencoded (WHATWG URL, 5.2)
)

// escapes says whether a byte must be escaped.
func (e escaping) escapes(c byte) bool {
	switch e {
	case escapeURL:
		return c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0
	case escapeForm:
		return !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("*-._", c) >= 0)
	}
	return false
}

// appendEscaped writes a value with its bytes escaped where they must be.
func appendEscaped[V string | []byte](dst []byte, value V, e escaping) []byte {
	if e == escapeNone {
		return append(dst, value...)
	}
	const hex = "0123456789ABCDEF"
	for i := range len(value) {
		switch c := value[i]; {
		case !e.escapes(c):
			dst = append(dst, c)
		case e == escapeForm && c == ' ':
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}
