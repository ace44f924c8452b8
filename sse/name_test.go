package sse

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckName_OneErrorPerReason(t *testing.T) {
	for name, want := range map[string]error{
		"":             nil,
		"tick":         nil,
		"message":      nil,
		"with space":   nil,
		"ünï/cödé:😀":   nil,
		"throng":       nil,
		"Throng.gap":   nil,
		"a\nb":         ErrNameControl,
		"a\rb":         ErrNameControl,
		"\x00":         ErrNameControl,
		"\t":           ErrNameControl,
		"\x7f":         ErrNameControl,
		"a\u0085b":     ErrNameControl,
		"\xff":         ErrNameUTF8,
		"a\xc3":        ErrNameUTF8,
		"throng.":      ErrNameReserved,
		"throng.gap":   ErrNameReserved,
		"throng.other": ErrNameReserved,
	} {
		if err := CheckName(name); !errors.Is(err, want) {
			t.Errorf("CheckName(%q) = %v, want %v", name, err, want)
		}
	}
}

func TestNewGap_TellsWhatWasAskedAndWhatIsLeft(t *testing.T) {
	e := NewGap("1-2", ID{3, 4}, ID{5, 6})
	want := "id: 5-6\nevent: throng.gap\ndata: {\"requested\":\"1-2\",\"earliest\":\"3-4\"}\n\n"
	if got := string(e.Frame(FormatText)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := string(AppendJSON(nil, e)); !strings.Contains(got, `"topics":[],"event":"throng.gap"`) {
		t.Errorf("envelope %s", got)
	}
}

func TestNewGap_HostileRequestIsCutAndEscaped(t *testing.T) {
	for _, requested := range []string{
		"", "\n\ndata: x\n\n", `"}`, "\x00\x01", "\xff\xfe", strings.Repeat("x", 10_000), strings.Repeat("ü", 40),
		"x" + strings.Repeat("ü", 40), strings.Repeat("😀", 40), strings.Repeat("\x80", 100),
	} {
		e := NewGap(requested, ID{3, 4}, ID{5, 6})
		if n := strings.Count(string(e.Frame(FormatText)), "\n"); n != 4 {
			t.Errorf("%q: %d lines in %q", requested, n, e.Frame(FormatText))
		}
		var got struct{ Requested, Earliest string }
		if err := json.Unmarshal(e.Data, &got); err != nil {
			t.Fatalf("%q: %v", requested, err)
		}
		if got.Earliest != "3-4" || !strings.HasPrefix(asUTF8(requested), got.Requested) {
			t.Errorf("%q: %+v", requested, got)
		}
		if utf8.ValidString(requested) && (len(got.Requested) > GapRequestedBytesMax || len(got.Requested) < min(len(requested), GapRequestedBytesMax-3)) {
			t.Errorf("%q: %d bytes of it", requested, len(got.Requested))
		}
	}
}
