package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"throng/sse"
)

// ref names an event: its publisher, and its number there. It never changes, while the ID
// is the server's to give.
type ref struct {
	publisher uint16
	number    uint32
}

// String is how messages and data name an event.
func (r ref) String() string { return fmt.Sprintf("p%d#%d", r.publisher, r.number) }

// topicSet is a set of the topics of a namespace, a bit each.
type topicSet uint8

// topics are those of every namespace. Three levels, so that patterns differ.
var topics = [...]string{
	"room/0/in", "room/0/out", "room/1/in", "room/1/out",
	"room/2/in", "room/2/out", "hall/0/in", "hall/0/out",
}

// allTopics is what a barrier has: every lineage is owed it.
const allTopics topicSet = 1<<len(topics) - 1

func (t topicSet) names() []string {
	var all []string
	for i, name := range topics {
		if t>>i&1 != 0 {
			all = append(all, name)
		}
	}
	return all
}

// load says what every event holds, so that nobody has to keep it.
type load struct {
	seed       uint64
	publishers int // those with a greater number publish the barriers, one for each namespace
	namespaces int
	payload    int // most bytes of filler in an event's data
}

// namespace is that of a publisher.
func (l load) namespace(publisher int) int {
	if publisher >= l.publishers {
		return publisher - l.publishers
	}
	return publisher % l.namespaces
}

func nsName(ns int) string { return "check-" + strconv.Itoa(ns) }

// mix is the finalizer of splitmix64: every bit of the result depends on all of v.
func mix(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}

func (l load) hash(r ref) uint64 {
	return mix(l.seed ^ mix(uint64(r.publisher)<<32|uint64(r.number)))
}

// topics of an event: mostly one, of some two or three.
func (l load) topics(r ref) topicSet {
	if int(r.publisher) >= l.publishers {
		return allTopics
	}
	h := l.hash(r)
	t := topicSet(1) << (h % uint64(len(topics)))
	if h>>8%4 == 0 {
		t |= 1 << (h >> 16 % uint64(len(topics)))
		t |= 1 << (h >> 24 % uint64(len(topics)))
	}
	return t
}

// name is the event name: a quarter have one.
func (l load) name(r ref) string {
	if l.hash(r)>>32%4 == 0 {
		return "tick"
	}
	return ""
}

// appendData appends the data: the event's name here, then filler of its own, in lines.
func (l load) appendData(dst []byte, r ref) []byte {
	dst = append(append(dst, r.String()...), ' ')
	h := l.hash(r)
	for left := int(h >> 40 % uint64(l.payload+1)); left > 0; left-- {
		h = h*6364136223846793005 + 1442695040888963407
		if c := h >> 58; c == 0 {
			dst = append(dst, '\n')
		} else {
			dst = append(dst, '0'+byte(c))
		}
	}
	return dst
}

// parseRef reads the name at the beginning of data.
func parseRef(data []byte) (ref, bool) {
	name, _, ends := bytes.Cut(data, []byte(" "))
	p, n, found := strings.Cut(string(name), "#")
	if !ends || !found || !strings.HasPrefix(p, "p") {
		return ref{}, false
	}
	publisher, err := strconv.ParseUint(p[1:], 10, 16)
	if err != nil {
		return ref{}, false
	}
	number, err := strconv.ParseUint(n, 10, 32)
	return ref{uint16(publisher), uint32(number)}, err == nil
}

// envelope is the data of an event in the format json.
type envelope struct {
	ID     string   `json:"id"`
	Topics []string `json:"topics"`
	Event  string   `json:"event"`
	Data   string   `json:"data"`
}

// read finds out which event a message is, and wants it whole: as it was published.
// scratch is used for what it is compared with.
func (l load) read(m sse.Message, inJSON bool, scratch []byte) (ref, []byte, error) {
	data := m.Data
	var e envelope
	if inJSON {
		if err := json.Unmarshal(m.Data, &e); err != nil {
			return ref{}, scratch, fmt.Errorf("the envelope %q: %w", m.Data, err)
		}
		data = []byte(e.Data)
		if e.ID != string(m.ID) || e.Event != string(m.Name) {
			return ref{}, scratch, fmt.Errorf("the envelope %q came as event %q with ID %s", m.Data, m.Name, m.ID)
		}
	}
	r, ok := parseRef(data)
	if !ok {
		return r, scratch, fmt.Errorf("nobody published %q", data)
	}
	scratch = l.appendData(scratch[:0], r)
	if !bytes.Equal(scratch, data) {
		return r, scratch, fmt.Errorf("%v came with other data: %q, published was %q", r, data, scratch)
	}
	if want := l.name(r); want != string(m.Name) {
		return r, scratch, fmt.Errorf("%v came as event %q, published was %q", r, m.Name, want)
	}
	if want := l.topics(r).names(); inJSON && strings.Join(want, " ") != strings.Join(e.Topics, " ") {
		return r, scratch, fmt.Errorf("%v came with topics %q, published was %q", r, e.Topics, want)
	}
	return r, scratch, nil
}

// wanted is the set of topics that patterns match.
func wanted(patterns []string) (t topicSet) {
	for i, topic := range topics {
		for _, p := range patterns {
			if matches(p, topic) {
				t |= 1 << i
			}
		}
	}
	return t
}

// matches is MQTT's rule: + is one level, # at the end any number of further ones.
func matches(pattern, topic string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(topic, "/")
	for i, w := range want {
		switch {
		case w == "#":
			return true
		case i == len(have) || w != "+" && w != have[i]:
			return false
		}
	}
	return len(want) == len(have)
}

// count is how many topics are in the set.
func (t topicSet) count() int { return bits.OnesCount8(uint8(t)) }
