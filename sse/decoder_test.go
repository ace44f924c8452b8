package sse

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// decodeAll shows every message of r, and the error at its end.
func decodeAll(r io.Reader, l Limits) (out []string, err error) {
	d := NewDecoder(r, l)
	for {
		m, err := d.Next()
		if err != nil {
			return out, err
		}
		out = append(out, show(m))
	}
}

func TestDecoder_GoldenThroughEveryReader(t *testing.T) {
	for _, c := range streams {
		for name, r := range map[string]io.Reader{
			"whole":      strings.NewReader(c.stream),
			"one byte":   iotest.OneByteReader(strings.NewReader(c.stream)),
			"half":       iotest.HalfReader(strings.NewReader(c.stream)),
			"data + EOF": iotest.DataErrReader(strings.NewReader(c.stream)),
		} {
			got, err := decodeAll(r, Limits{})
			if err != io.EOF || strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("%s (%s): %v\n got %q\nwant %q", c.about, name, err, got, c.want)
			}
		}
	}
}

func TestDecoder_ReadersErrorComesAfterItsBytes(t *testing.T) {
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(broken))
	got, err := decodeAll(r, Limits{})
	if !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDecoder_ReaderThatNeverMovesIsGivenUp(t *testing.T) {
	if _, err := decodeAll(stuckReader{}, Limits{}); err != io.ErrNoProgress {
		t.Errorf("error %v", err)
	}
}

func TestDecoder_ReaderThatMovesNowAndThenIsNot(t *testing.T) {
	r := &hesitantReader{text: "data: a\n\n"}
	if got, err := decodeAll(r, Limits{}); err != io.EOF || len(got) != 1 {
		t.Errorf("%q, %v", got, err)
	}
}

// hesitantReader gives one byte after almost too many empty reads.
type hesitantReader struct {
	text  string
	empty int
}

func (r *hesitantReader) Read(b []byte) (int, error) {
	if r.text == "" {
		return 0, io.EOF
	}
	if r.empty++; r.empty < emptyReadsMax {
		return 0, nil
	}
	r.empty = 0
	n := copy(b, r.text[:1])
	r.text = r.text[1:]
	return n, nil
}

type stuckReader struct{}

func (stuckReader) Read([]byte) (int, error) { return 0, nil }

func TestDecoder_TooLongStaysAnError(t *testing.T) {
	d := NewDecoder(strings.NewReader("data: a\n\n"+strings.Repeat("x", 100)+"\n\ndata: b\n\n"), Limits{LineBytesMax: 50})
	if m, err := d.Next(); err != nil || string(m.Data) != "a" {
		t.Fatalf("%q, %v", m.Data, err)
	}
	for range 3 {
		if _, err := d.Next(); !errors.Is(err, ErrLineTooLong) {
			t.Fatalf("error %v", err)
		}
	}
}

func TestDecoder_ReadsBackEveryBlockOfTheEncoder(t *testing.T) {
	stream := AppendRetry(nil, 3210)
	stream = AppendIDBlock(stream, ID{1, 1})
	stream = append(stream, Comment...)
	for _, e := range samples() {
		stream = AppendFrame(stream, e)
	}
	stream = append(stream, NewGap("1-1", ID{9, 1}, ID{9, 0}).Frame(FormatText)...)
	got, err := decodeAll(bytes.NewReader(stream), Limits{})
	want := []string{
		"retry 3.21s",
		`position "1-1"`,
		`comment ""`,
		`event "" "hello" id "1-2"`,
		`event "tick" "one\ntwo" id "1-3"`,
		`event "" "" id "7-0"`,
		`event "n" "\n" id "7-1"`,
		`event "n" "a\nb\nc\n\nd\n" id "7-2"`,
		`event "bad" " lead: \x00 \xff ü \u2028" id "7-3"`,
		`event "" "` + strings.Repeat("x", 5000) + `" id "9223372036854775808-9223372036854775808"`,
		`event "throng.gap" "{\"requested\":\"1-1\",\"earliest\":\"9-1\"}" id "9-0"`,
	}
	if err != io.EOF || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%v\n got %q\nwant %q", err, got, want)
	}
}
