package sse

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

type envelope struct {
	ID     string   `json:"id"`
	Topics []string `json:"topics"`
	Event  string   `json:"event"`
	Data   *string  `json:"data"`
}

func TestAppendJSON_Golden(t *testing.T) {
	for _, c := range []struct {
		e    *Event
		want string
	}{
		{&Event{ID: ID{1, 2}, Topics: []string{"a"}, Name: "n", Data: []byte("d")}, `{"id":"1-2","topics":["a"],"event":"n","data":"d"}`},
		{&Event{ID: ID{1, 2}, Topics: []string{"a", "b/c"}}, `{"id":"1-2","topics":["a","b/c"],"data":""}`},
		{&Event{ID: ID{1, 2}, Name: "message", Data: []byte("{\"x\":1}")}, `{"id":"1-2","topics":[],"data":"{\"x\":1}"}`},
		{&Event{ID: ID{1, 2}, Data: []byte("a\r\nb\tc\x00\x1f\x7f\\")}, `{"id":"1-2","topics":[],"data":"a\r\nb\tc\u0000\u001f` + "\x7f" + `\\"}`},
		{&Event{ID: ID{1, 2}, Data: []byte("ü\u2028\u2029😀\xff\xc3")}, `{"id":"1-2","topics":[],"data":"ü\u2028\u2029😀\ufffd\ufffd"}`},
	} {
		if got := string(AppendJSON(nil, c.e)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestAppendJSONFrame_Golden(t *testing.T) {
	e := &Event{ID: ID{1, 2}, Topics: []string{"a"}, Name: "n", Data: []byte("x\ny")}
	want := "id: 1-2\nevent: n\ndata: {\"id\":\"1-2\",\"topics\":[\"a\"],\"event\":\"n\",\"data\":\"x\\ny\"}\n\n"
	if got := string(AppendJSONFrame(nil, e)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// FuzzAppendJSON_ReadBack: the standard library reads back what was encoded, the envelope has no
// line break, and its length was measured right.
func FuzzAppendJSON_ReadBack(f *testing.F) {
	for _, e := range samples() {
		f.Add(e.Topics[0], e.Name, e.Data)
	}
	f.Add("\xf0\x90", "a\u2028", []byte("\xed\xa0\x80\xf0\x9f\x98"))
	f.Fuzz(func(t *testing.T, topic, name string, data []byte) {
		e := &Event{ID: ID{3, 4}, Topics: []string{topic, "t"}, Name: name, Data: data}
		b := AppendJSON(nil, e)
		if strings.ContainsAny(string(b), "\r\n") || !utf8.Valid(b) {
			t.Fatalf("not one line of UTF-8: %q", b)
		}
		if size := jsonBytes(e, wireName(name)); size != len(b) {
			t.Fatalf("measured %d, written %d", size, len(b))
		}
		var got envelope
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		want := envelope{ID: "3-4", Topics: []string{asUTF8(topic), "t"}, Event: asUTF8(wireName(name))}
		if got.ID != want.ID || got.Event != want.Event || len(got.Topics) != 2 || got.Topics[0] != want.Topics[0] {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if got.Data == nil || *got.Data != asUTF8(string(data)) {
			t.Fatalf("data %q read back as %q", data, *got.Data)
		}
	})
}

// asUTF8 puts U+FFFD for each byte that is not UTF-8, as encoding/json does.
func asUTF8(s string) string { return string([]rune(s)) }
