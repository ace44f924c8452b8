package replay

import (
	"crypto/sha256"
	"errors"

	"github.com/redis/rueidis"

	"throng/sse"
)

// Fields of an entry: t (a topic, as often as there are topics), e (the event's name, or
// none), d (the data). Others are somebody else's and left alone.
const (
	fieldTopic = "t"
	fieldName  = "e"
	fieldData  = "d"
)

// Why an entry is no event.
var (
	errEntryID    = errors.New("the entry's ID is not number-number")
	errEntryTopic = errors.New("the entry has no t")
	errEntryData  = errors.New("the entry has no d")
	errEntryTwice = errors.New("the entry has e or d twice")
)

// decodeEntry makes an event of a stream's entry, not yet sealed. The ID is given also
// when the entry is no event.
func decodeEntry(entry rueidis.XRangeSlice, check func(*sse.Event) error) (*sse.Event, sse.ID, error) {
	id, err := sse.ParseID(entry.ID)
	if err != nil {
		return nil, sse.ID{}, errEntryID
	}
	e := &sse.Event{ID: id}
	topics, names, datas := 0, 0, 0
	for _, f := range entry.FieldValues {
		switch f.Field {
		case fieldTopic:
			topics++
		case fieldName:
			names++
			e.Name = f.Value
		case fieldData:
			datas++
			e.Data = []byte(f.Value)
		}
	}
	switch {
	case topics == 0:
		return nil, id, errEntryTopic
	case datas == 0:
		return nil, id, errEntryData
	case datas > 1 || names > 1:
		return nil, id, errEntryTwice
	}
	e.Topics = make([]string, 0, topics)
	for _, f := range entry.FieldValues {
		if f.Field == fieldTopic {
			e.Topics = append(e.Topics, f.Value)
		}
	}
	if check != nil {
		if err := check(e); err != nil {
			return nil, id, err
		}
	}
	return e, id, nil
}

// decodeEntries makes sealed events of the entries after an ID, appended to dst, and gives
// the ID of the last entry, event or not, and how many entries there were.
func (s *Redis) decodeEntries(dst []*sse.Event, entries []rueidis.XRangeSlice, after sse.ID) (_ []*sse.Event, last sse.ID, n int) {
	from := len(dst)
	for _, entry := range entries {
		e, id, err := decodeEntry(entry, s.opts.Check)
		if !after.Less(id) {
			continue // nothing new, or no ID at all
		}
		after = id
		n++
		if err != nil {
			s.counts.skipped.Add(1)
			s.opts.Log.Debug("an entry of a stream is no event", "id", entry.ID, "why", err)
			continue
		}
		dst = append(dst, e)
	}
	sse.SealAll(dst[from:])
	return dst, after, n
}

// appendFields appends the fields of an event.
func appendFields(args []string, e *sse.Event) []string {
	for _, t := range e.Topics {
		args = append(args, fieldTopic, t)
	}
	if e.Name != "" {
		args = append(args, fieldName, e.Name)
	}
	return append(args, fieldData, string(e.Data))
}

// addCmd is the XADD of a record without a key.
func (l *redisLog) addCmd(h *redisShard, e *sse.Event) rueidis.Completed {
	args := make([]string, 0, 4+2*len(e.Topics)+4)
	if max := l.s.opts.EventsMax; max > 0 {
		args = append(args, "MAXLEN", "~", itoa(max))
	}
	args = appendFields(append(args, "*"), e)
	return h.client.B().Arbitrary("XADD").Keys(l.key).Args(args...).Build()
}

// keyedCmd runs the script for a record with a key.
func (l *redisLog) keyedCmd(h *redisShard, r *Record, whole bool) rueidis.Completed {
	o := &l.s.opts
	behind := r.behind
	if o.KeysMax < 1 {
		behind = "" // nothing is known for long
	}
	args := make([]string, 0, 6+2*len(r.Event.Topics)+4)
	args = append(args, hashOfKey(r.Key), string(r.Sum[:]), itoa(o.KeyWindow.Milliseconds()), itoa(o.KeysMax), itoa(o.EventsMax), hashOfKey(behind))
	args = appendFields(args, r.Event)
	name, script := "EVALSHA", keyedScriptSHA
	if whole {
		name, script = "EVAL", keyedScript
	}
	return h.client.B().Arbitrary(name, script, "3").Keys(l.key, l.known, l.order).Args(args...).Build()
}

// hashOfKey is what the script knows a key by; none is "".
func hashOfKey(key string) string {
	if key == "" {
		return ""
	}
	hash := sha256.Sum256([]byte(key))
	return string(hash[:len(keyHash{})])
}
