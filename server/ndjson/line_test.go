package ndjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// told is what a Line said, or the error.
func told(l *Line, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	text := fmt.Sprintf("%q %q %q %q", l.Topics, l.Event, l.Data, l.Key)
	if len(l.Priority) > 0 {
		text += fmt.Sprintf(" %q", l.Priority)
	}
	return text
}

// plainLines are taken in one pass. That they mean the same to encoding/json is
// TestParse_AgreesWithEncodingJSON's business.
var plainLines = []struct{ line, want string }{
	{`{"topic":"a/b","data":"x"}`, `["a/b"] "" "x" ""`},
	{`{"data":"x","key":"k","event":"e","topic":"a"}`, `["a"] "e" "x" "k"`},
	{"{ \"topic\"\t: \"a\" ,\r\"data\" : \"\" }", `["a"] "" "" ""`},
	{`{"topics":["a","b/c", "ü"],"data":"x"}`, `["a" "b/c" "ü"] "" "x" ""`},
	{`{"topics" : [ "a" ] ,"data":"x","topic":""}`, `["a"] "" "x" ""`},
	{`{"data":"x"}`, `[] "" "x" ""`},
	{`{"topic":"a","data":"x","priority":"low"}`, `["a"] "" "x" "" "low"`},
	{`{"priority":"h\u0069gh","topic":"a","data":"x","key":"k"}`, `["a"] "" "x" "k" "high"`},
	{`{"topic":"a","data":"日本語 \u65e5\t\"\\\/\b\f\n\r"}`, `["a"] "" "日本語 日\t\"\\/\b\f\n\r" ""`},
	{`{"topic":"\u0061","data":"\uD83D\ude00 \u0000","key":"\n"}`, `["a"] "" "😀 \x00" "\n"`},
	{`{"topic":"a","data":{"x": [1, -0.5e+7, 0, 10E2, {}], "y":{"\ud800":null},"z":[ ]}}`,
		"[\"a\"] \"\" \"{\\\"x\\\": [1, -0.5e+7, 0, 10E2, {}], \\\"y\\\":{\\\"\\\\ud800\\\":null},\\\"z\\\":[ ]}\" \"\""},
	{`{"topic":"a","data":[true,false,null,"\"\u00e9"]}`, "[\"a\"] \"\" \"[true,false,null,\\\"\\\\\\\"\\\\u00e9\\\"]\" \"\""},
	{`{"topic":"a","data":null}`, `["a"] "" "null" ""`},
	{`{"topic":"a","data": 12.5 }`, `["a"] "" "12.5" ""`},
	{`{"topic":"a","data":{"a":"` + "\xff" + `"}}`, "[\"a\"] \"\" \"{\\\"a\\\":\\\"\\xff\\\"}\" \"\""},
}

// nested is a value nested deeper than the one pass goes.
var nested = strings.Repeat("[", depthMax+1) + strings.Repeat("]", depthMax+1)

// oddLines are left to encoding/json, which takes some of them.
var oddLines = []struct{ line, want string }{
	{``, "error: the line is not an event: EOF"},
	{`{`, "error: the line is not an event: unexpected EOF"},
	{`[]`, "error: the line is not an event: it is a JSON array, not an object"},
	{`{}`, "error: the line has no data"},
	{`{"topic":"a"`, "error: the line is not an event: unexpected EOF"},
	{`{"topic":"a","data":"x"} {}`, "error: the line goes on behind its JSON object, at byte 24"},
	{`{"topic":"a","data":"x"}}`, "error: the line goes on behind"},
	{`{"topic":"a","data":"x","data":"y"}`, `["a"] "" "y" ""`},
	{`{"topic":"a","Data":"x"}`, `["a"] "" "x" ""`},
	{`{"t\u006fpic":"a","data":"x"}`, `["a"] "" "x" ""`},
	{`{"topic":"a","data":"x","extra":1}`, `error: the line is not an event: json: unknown field "extra"`},
	{`{"topic":"a","data":"x","priority":1}`, "error: the line is not an event: priority can't be a number, at byte"},
	{`{"topic":"a","data":"x","Priority":"low"}`, `["a"] "" "x" "" "low"`},
	{`{"topic":null,"data":"x"}`, `[] "" "x" ""`},
	{`{"topics":[],"data":"x"}`, `[] "" "x" ""`},
	{`{"topics":[1],"data":"x"}`, "error: the line is not an event: topics can't be a number, at byte 12"},
	{`{"topic":"a","data":"` + "\xff" + `"}`, `["a"] "" "` + "\uFFFD" + `" ""`},
	{`{"topic":"a","data":"\ud800"}`, `["a"] "" "` + "\uFFFD" + `" ""`},
	{`{"topic":"a","data":"\ud800\u0041"}`, `["a"] "" "` + "\uFFFD" + `A" ""`},
	{`{"topic":"a","data":"\udc00\ud800"}`, `["a"] "" "` + "\uFFFD\uFFFD" + `" ""`},
	{`{"topic":"a","data":` + nested + `}`,
		`["a"] "" "` + nested + `" ""`},
	{`{"topic":"a","data":"x` + "\x01" + `"}`, "error: the line is not an event: invalid character '\\x01'"},
	{`{"topic":"a","data":"\x"}`, "error: the line is not an event: invalid character 'x'"},
	{`{"topic":"a","data":"\u12"}`, "error: the line is not an event: invalid character"},
	{`{"topic":"a","data":01}`, "error: the line is not an event: invalid character '1'"},
	{`{"topic":"a","data":-}`, "error: the line is not an event: invalid character"},
	{`{"topic":"a","data":1.}`, "error: the line is not an event: invalid character"},
	{`{"topic":"a","data":1e}`, "error: the line is not an event: invalid character"},
	{`{"topic":"a","data":tru}`, "error: the line is not an event: invalid character"},
	{`{"topic":"a","data":nul`, "error: the line is not an event: unexpected EOF"},
	{`{"topic":"a","data":[1,]}`, "error: the line is not an event: invalid character"},
	{`{"topic":"a","data":{"x"}}`, "error: the line is not an event: invalid character"},
	{`{"topic":"a","data":"x",}`, "error: the line is not an event: invalid character"},
	{`{"topic" "a"}`, "error: the line is not an event: invalid character"},
}

func TestParse_Plain(t *testing.T) {
	var l Line
	for _, c := range plainLines {
		line := []byte(c.line)
		if !l.plain(line) {
			t.Errorf("not taken in one pass: %s", c.line)
		}
		if got := told(&l, l.Parse(line)); got != c.want {
			t.Errorf("%s\ngives %s\nwant  %s", c.line, got, c.want)
		}
	}
}

func TestParse_Odd(t *testing.T) {
	var l Line
	for _, c := range oddLines {
		line := []byte(c.line)
		if l.plain(line) {
			t.Errorf("taken in one pass: %s", c.line)
		}
		if got := told(&l, l.Parse(line)); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s\ngives %s\nwant  %s", c.line, got, c.want)
		}
	}
	if err := l.Parse([]byte(`{"topic":"a","topics":["b"],"data":"x"}`)); err != errBoth {
		t.Error(err)
	}
}

// agree: what the one pass takes, encoding/json takes with the same result. It says
// whether the pass took it.
func agree(t *testing.T, line []byte) bool {
	t.Helper()
	var pass, slow Line
	if !pass.plain(bytes.Clone(line)) {
		return false
	}
	if err := slow.decode(line); err != nil {
		t.Errorf("%q is taken, encoding/json says %v", line, err)
		return true
	}
	if got, want := told(&pass, nil), told(&slow, nil); got != want || !bytes.Equal(pass.topic, slow.topic) ||
		pass.seen&fieldData != slow.seen&fieldData {
		t.Errorf("%q\ngives         %s %q\nencoding/json %s %q", line, got, pass.topic, want, slow.topic)
	}
	return true
}

func TestParse_AgreesWithEncodingJSON(t *testing.T) {
	for _, c := range plainLines {
		agree(t, []byte(c.line))
		for cut := range len(c.line) { // and what it takes of a part is no more than encoding/json takes
			agree(t, []byte(c.line[:cut]))
			for _, b := range []byte("\"\\{}[],: u0e\x00\x1f\x80") {
				line := []byte(c.line)
				line[cut] = b
				agree(t, line)
			}
		}
	}
	for _, c := range oddLines {
		agree(t, []byte(c.line))
	}
}

// Every ASCII byte and every escape, at every place of a word of eight.
func TestString_EveryByteAtEveryPlace(t *testing.T) {
	for before := range 17 {
		for c := range 0x80 {
			for _, s := range []string{string(rune(c)), `\` + string(rune(c)), fmt.Sprintf(`\u%04x`, c), fmt.Sprintf(`\u%04X`, 0xd700+c<<4)} {
				quoted := `"` + strings.Repeat("x", before) + s + `tail of it"`
				line := []byte(`{"data":` + quoted + `}`)
				var want string
				valid := json.Unmarshal([]byte(quoted), &want) == nil && !strings.Contains(want, "\uFFFD")
				var l Line
				if got := l.plain(line); got != valid || got && string(l.Data) != want {
					t.Errorf("%s: taken %t as %q, encoding/json %t as %q", line, got, l.Data, valid, want)
				}
			}
		}
	}
}

// Views stay good until Reset, however much is unescaped after them.
func TestLine_ViewsLastUntilReset(t *testing.T) {
	var l Line
	var data [][]byte
	for i := range 1000 {
		if err := l.Parse(fmt.Appendf(nil, `{"topic":"a","data":"%d\n"}`, i)); err != nil {
			t.Fatal(err)
		}
		data = append(data, l.Data)
	}
	for i, d := range data {
		if string(d) != fmt.Sprint(i, "\n") {
			t.Fatalf("line %d became %q", i, d)
		}
	}
	kept := l.Kept()
	if l.Reset(); kept == 0 || l.Kept() != kept || l.Data != nil {
		t.Errorf("%d bytes before Reset, %d after it", kept, l.Kept())
	}
}

func TestParse_DoesNotAllocate(t *testing.T) {
	var l Line
	for _, c := range plainLines {
		line := []byte(c.line)
		if n := testing.AllocsPerRun(100, func() { l.Reset(); _ = l.Parse(line) }); n > 0 {
			t.Errorf("%v allocations: %s", n, line)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range plainLines {
		f.Add([]byte(c.line))
	}
	for _, c := range oddLines {
		f.Add([]byte(c.line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		agree(t, line)
		var parsed, slow Line
		err, slowErr := parsed.Parse(line), slow.decode(line)
		if slowErr != nil && (err == nil || err.Error() != slowErr.Error()) {
			t.Errorf("%q: %v, encoding/json says %v", line, err, slowErr)
		}
	})
}
