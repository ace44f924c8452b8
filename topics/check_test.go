package topics

import (
	"errors"
	"strings"
	"testing"
)

func TestCheck_Cases(t *testing.T) {
	long := strings.Repeat("x", BytesMax)
	for _, c := range []struct {
		text          string
		topic, filter error
	}{
		{"a", nil, nil},
		{"user/42", nil, nil},
		{"label/region/eu", nil, nil},
		{"$SYS/x", nil, nil},
		{"a b/ü/日本", nil, nil},
		{long, nil, nil},
		{"", ErrEmpty, ErrEmpty},
		{long + "x", ErrTooLong, ErrTooLong},
		{"a\xff", ErrNotUTF8, ErrNotUTF8},
		{"a\xed\xa0\x80", ErrNotUTF8, ErrNotUTF8}, // a surrogate
		{"a\x00b", ErrControl, ErrControl},
		{"a\nb", ErrControl, ErrControl},
		{"a\x7f", ErrControl, ErrControl},
		{"a\u0085", ErrControl, ErrControl},
		{"/", ErrEmptyLevel, ErrEmptyLevel},
		{"/a", ErrEmptyLevel, ErrEmptyLevel},
		{"a/", ErrEmptyLevel, ErrEmptyLevel},
		{"a//b", ErrEmptyLevel, ErrEmptyLevel},
		{"+", ErrWildcard, nil},
		{"#", ErrWildcard, nil},
		{"a/+/b", ErrWildcard, nil},
		{"a/#", ErrWildcard, nil},
		{"+/+/#", ErrWildcard, nil},
		{"a+", ErrWildcard, ErrPlusPlace},
		{"a/+b/c", ErrWildcard, ErrPlusPlace},
		{"++", ErrWildcard, ErrPlusPlace},
		{"a#", ErrWildcard, ErrHashPlace},
		{"a/#/b", ErrWildcard, ErrHashPlace},
		{"#/a", ErrWildcard, ErrHashPlace},
		{"##", ErrWildcard, ErrHashPlace},
		{"+//#", ErrEmptyLevel, ErrEmptyLevel},
	} {
		if err := Check(c.text); !errors.Is(err, c.topic) {
			t.Errorf("Check(%q): %v, want %v", c.text, err, c.topic)
		}
		if err := CheckFilter(c.text); !errors.Is(err, c.filter) {
			t.Errorf("CheckFilter(%q): %v, want %v", c.text, err, c.filter)
		}
	}
}

func TestErrEmptyLevel_NamesThePercentCode(t *testing.T) {
	if !strings.Contains(ErrEmptyLevel.Error(), "%23") {
		t.Error(ErrEmptyLevel)
	}
}
