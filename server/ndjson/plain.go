package ndjson

// fields is a set of the names that a line may have.
type fields uint8

const (
	fieldTopic fields = 1 << iota
	fieldTopics
	fieldEvent
	fieldData
	fieldKey
	fieldPriority
)

// fieldOf finds the name that stands at b[i:], quotes and all, and the index behind it.
// 0: none of ours, or written in another way.
func fieldOf(b []byte, i int) (fields, int) {
	for _, f := range &names {
		if end := i + len(f.quoted); end <= len(b) && string(b[i:end]) == f.quoted {
			return f.field, end
		}
	}
	return 0, i
}

// names in the order in which lines mostly have them.
var names = [...]struct {
	quoted string
	field  fields
}{{`"topic"`, fieldTopic}, {`"data"`, fieldData}, {`"event"`, fieldEvent}, {`"key"`, fieldKey}, {`"topics"`, fieldTopics}, {`"priority"`, fieldPriority}}

// plain reads a line in one pass. It is false for every line that is not plain; what was
// read until then means nothing.
func (l *Line) plain(b []byte) bool {
	l.clear()
	if len(b) == 0 || b[0] != '{' {
		return false
	}
	for i := 1; ; i++ {
		f, at := fieldOf(b, space(b, i))
		if f == 0 || l.seen&f != 0 {
			return false
		}
		l.seen |= f
		if at = space(b, at); at == len(b) || b[at] != ':' {
			return false
		}
		var ok bool
		if i, ok = l.value(f, b, space(b, at+1)); !ok {
			return false
		}
		if i = space(b, i); i == len(b) || b[i] != ',' {
			return i == len(b)-1 && b[i] == '}'
		}
	}
}

// value reads the value of a field at b[i:], and gives the index behind it.
func (l *Line) value(f fields, b []byte, i int) (end int, ok bool) {
	switch f {
	case fieldTopic:
		l.topic, end, ok = l.string(b, i)
	case fieldTopics:
		end, ok = l.strings(b, i)
	case fieldEvent:
		l.Event, end, ok = l.string(b, i)
	case fieldKey:
		l.Key, end, ok = l.string(b, i)
	case fieldPriority:
		l.Priority, end, ok = l.string(b, i)
	default:
		if i < len(b) && b[i] != '"' {
			if end, ok = skipValue(b, i, depthMax); ok {
				l.Data = b[i:end:end]
			}
			break
		}
		l.Data, end, ok = l.string(b, i)
	}
	return end, ok
}

// strings reads an array of strings into Topics.
func (l *Line) strings(b []byte, i int) (end int, ok bool) {
	if i == len(b) || b[i] != '[' {
		return i, false
	}
	for {
		var t []byte
		if t, i, ok = l.string(b, space(b, i+1)); !ok {
			return i, false
		}
		l.Topics = append(l.Topics, t)
		if i = space(b, i); i == len(b) || b[i] != ',' {
			return i + 1, i < len(b) && b[i] == ']'
		}
	}
}

// space is the index of the first byte from i on that is no white space, or len(b).
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}
