package sse

import "sync/atomic"

// Format is how an event's payload is written into a stream.
type Format uint8

const (
	FormatText  Format = iota // the data itself, line by line
	FormatJSON                // the envelope of AppendJSON, on one line
	formatCount               // how many there are
)

const (
	eventBytes = 112 // the Event struct itself, on a 64-bit machine
	topicBytes = 16  // the string header of one topic
)

// Event is one published event. Its fields are set by one goroutine, which then calls Seal;
// after Seal the event is read-only and may be read, and framed, by any number of goroutines.
// An Event must not be copied: it is always passed by its pointer.
type Event struct {
	ID     ID       // given by the log before the event is published
	Topics []string // at least one; a gap has none
	Name   string   // event name (the type field of the standard); empty means "message"
	Data   []byte   // UTF-8 text, newlines allowed; never written to after Seal

	// text is the frame of FormatText. Written once, by Seal, before the event is shared.
	text []byte
	// lazy are the frames that were asked for later. Written by whichever reader is the
	// first to need one; what it points to is never changed.
	lazy atomic.Pointer[lazyFrames]
}

// lazyFrames are the frames built after Seal (or without it), by format.
type lazyFrames [formatCount][]byte

// Seal encodes the text frame and makes the event read-only. It is called once, by the only
// goroutine that knows the event, after ID has been set and before the event is shared.
//
// The frame and the data end up in one allocation of exactly their size: data without a line
// break is held inside the frame only, other data is copied behind it. In both cases e.Data no
// longer points to the bytes that the caller had put there, which may be used again.
func (e *Event) Seal() {
	f := layout(e)
	e.seal(make([]byte, 0, e.sealedBytes(f)), f)
}

// packBytesMax is how many bytes of frames share one allocation at most: what SealAll
// packs together is kept in memory as long as any event of the pack is.
const packBytesMax = 16 << 10

// packEventsMax is how many events a pack has at most.
const packEventsMax = 64

// SealAll is Seal for several events, in their order, with fewer allocations: small frames
// that follow each other share one, of exactly the bytes they need and at most 16 KiB.
func SealAll(events []*Event) {
	for len(events) > 1 {
		events = events[sealPack(events[:min(len(events), packEventsMax)]):]
	}
	if len(events) == 1 {
		events[0].Seal()
	}
}

// sealPack seals as many of the events as one pack takes, at least one, and says how many.
func sealPack(events []*Event) int {
	var layouts [packEventsMax]frameLayout
	n, bytes := 0, 0
	for n < len(events) {
		layouts[n] = layout(events[n])
		size := events[n].sealedBytes(layouts[n])
		if n > 0 && bytes+size > packBytesMax {
			break
		}
		bytes += size
		n++
	}
	pack := make([]byte, 0, bytes)
	for i, e := range events[:n] {
		end := e.seal(pack, layouts[i])
		pack = pack[end:end]
	}
	return n
}

// sealedBytes is how many bytes of memory the frame and the data will need.
func (e *Event) sealedBytes(f frameLayout) int {
	if f.breaks {
		return f.bytes + len(e.Data)
	}
	return f.bytes
}

// seal writes the frame, and the data where the frame does not hold it, into b, which is
// empty and has the room. It gives how much of that was used.
func (e *Event) seal(b []byte, f frameLayout) int {
	b = appendFrame(b, e, f)
	end := len(b)
	if f.breaks {
		b = append(b, e.Data...)
		e.Data = b[end:len(b):len(b)]
	} else {
		stop := end - len("\n\n")
		e.Data = b[stop-len(e.Data) : stop : stop]
	}
	e.text = b[:end:end]
	return len(b)
}

// Frame is the event as one block of a stream in format f, ready to be written to any number
// of sockets. It is built once, then shared: the bytes must not be changed. Safe for concurrent
// use once the ID is set. After Seal the text frame costs nothing; the first use of any other
// frame encodes it (when several goroutines race for that, all of them get the same bytes). An
// unknown format is FormatText.
func (e *Event) Frame(f Format) []byte {
	if f >= formatCount {
		f = FormatText
	}
	if f == FormatText && e.text != nil {
		return e.text
	}
	old := e.lazy.Load()
	if old != nil && old[f] != nil {
		return old[f]
	}
	return e.buildFrame(f, old)
}

// buildFrame encodes the frame and shares it, unless another goroutine was faster.
func (e *Event) buildFrame(f Format, old *lazyFrames) []byte {
	var b []byte
	switch f {
	case FormatJSON:
		b = AppendJSONFrame(nil, e)
	default:
		b = AppendFrame(nil, e)
	}
	next := &lazyFrames{}
	for {
		if old != nil {
			if old[f] != nil {
				return old[f]
			}
			*next = *old
		}
		next[f] = b[:len(b):len(b)]
		if e.lazy.CompareAndSwap(old, next) {
			return next[f]
		}
		old = e.lazy.Load()
	}
}

// Size is how many bytes a sealed event keeps alive: itself, its topics, name, data and text
// frame. It never changes after Seal, so a log may add it on append and subtract it on removal;
// for that reason the JSON frame, which exists only when a reader asked for it, is not counted,
// nor what a pack of SealAll keeps of others.
// Before Seal it is what Seal will make it.
func (e *Event) Size() int {
	n := eventBytes + len(e.Name)
	for _, t := range e.Topics {
		n += topicBytes + len(t)
	}
	if e.text == nil {
		return n + e.sealedBytes(layout(e))
	}
	n += len(e.text)
	if !e.dataInFrame() {
		n += len(e.Data)
	}
	return n
}

// dataInFrame reports whether the data of a sealed event lies inside its text frame.
func (e *Event) dataInFrame() bool {
	if len(e.Data) == 0 {
		return true
	}
	at := len(e.text) - len("\n\n") - len(e.Data)
	return at >= 0 && &e.text[at] == &e.Data[0]
}
