package replay

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"throng/sse"
)

// encodeRecord is appendRecord with the hash that goes with the key.
func encodeRecord(r *Record, ms int64) []byte {
	hash := hashKey(r.Key)
	return appendRecord(nil, r, &hash, ms)
}

// FuzzRecord_RoundTrip: what was encoded decodes to the same event, key and time, with a
// decoder that has seen other events before, and the bytes announced are enough.
func FuzzRecord_RoundTrip(f *testing.F) {
	f.Add(int64(1), "", "t", "", []byte("data"))
	f.Add(int64(-1), "key", "a/b\nc", "name", []byte{})
	f.Add(int64(1<<62), "k", strings.Repeat("x\n", 300), strings.Repeat("n", 200), bytes.Repeat([]byte("d"), 5000))
	f.Fuzz(func(t *testing.T, ms int64, key, topics, name string, data []byte) {
		r := Record{Key: key, Event: &sse.Event{Topics: strings.Split(topics, "\n"), Name: name, Data: data}}
		r.Sum = sha256.Sum256(data)
		if topics == "" {
			r.Event.Topics = nil
		}
		b := encodeRecord(&r, ms)
		if len(b) > recordBytesMax(&r) {
			t.Fatalf("%d bytes, %d announced", len(b), recordBytesMax(&r))
		}
		v, err := parseRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		var d recordDecoder
		for _, other := range []string{"t", topics + "/x", ""} {
			o := Record{Event: &sse.Event{Topics: []string{other}, Name: other}}
			ov, err := parseRecord(encodeRecord(&o, 1))
			if err != nil {
				t.Fatal(err)
			}
			d.decode(&ov, &sse.Event{})
		}
		for range 2 { // remembered the second time
			var e sse.Event
			d.decode(&v, &e)
			if !slices.Equal(e.Topics, r.Event.Topics) || e.Name != name || !bytes.Equal(e.Data, data) || v.ms != ms {
				t.Fatalf("%q %q %q at %d came back as %q %q %q at %d", r.Event.Topics, name, data, ms, e.Topics, e.Name, e.Data, v.ms)
			}
			d.lastTopics, d.lastName = topicList{}, ""
		}
		if keyed := v.key != nil; keyed != (key != "") || keyed && (v.hash() != hashKey(key) || v.sum() != r.Sum) {
			t.Fatalf("the key %q came back otherwise", key)
		}
	})
}

// FuzzRecord_AnyBytes: bytes are refused, or they are the one encoding of what they mean.
func FuzzRecord_AnyBytes(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{recordVersion, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{recordVersion, recordNamed, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0})
	f.Add(encodeRecord(&Record{Key: "k", Event: &sse.Event{Topics: []string{"a", "b"}, Name: "n", Data: []byte("d")}}, 7))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseRecord(b)
		if err != nil {
			if !errors.Is(err, errRecord) {
				t.Fatalf("%v is no errRecord", err)
			}
			return
		}
		var d recordDecoder
		r := Record{Event: &sse.Event{}}
		d.decode(&v, r.Event)
		var hash keyHash
		if v.key != nil {
			r.Key, hash, r.Sum = "known by its hash", v.hash(), v.sum()
		}
		if again := appendRecord(nil, &r, &hash, v.ms); !bytes.Equal(again, b) {
			t.Fatalf("%x means %+v, which is %x", b, r.Event, again)
		}
	})
}

// TestRecord_TornIsRefused: no beginning of a record is a record with all of its parts.
func TestRecord_TornIsRefused(t *testing.T) {
	r := Record{Key: "k", Event: &sse.Event{Topics: []string{"a", strings.Repeat("b", 200)}, Name: "n"}}
	b := encodeRecord(&r, 7)
	for n := range len(b) {
		if _, err := parseRecord(b[:n:n]); !errors.Is(err, errRecord) {
			t.Errorf("%d bytes of %d: %v", n, len(b), err)
		}
	}
}

// TestRecord_DecoderForgets: what is remembered is bounded, and the list it is made of is
// shared by events with the same topics.
func TestRecord_DecoderForgets(t *testing.T) {
	var d recordDecoder
	for i := range 10 * internedMax {
		text := strings.Repeat("x", 1+i)
		v, err := parseRecord(encodeRecord(&Record{Event: &sse.Event{Topics: []string{text}, Name: text}}, 1))
		if err != nil {
			t.Fatal(err)
		}
		var a, b sse.Event
		d.decode(&v, &a)
		d.decode(&v, &b)
		if &a.Topics[0] != &b.Topics[0] {
			t.Error("the same topics twice in memory")
		}
	}
	if len(d.topics) > internedMax || len(d.names) > internedMax {
		t.Errorf("%d lists and %d names remembered", len(d.topics), len(d.names))
	}
}
