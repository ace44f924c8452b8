package check

import (
	"slices"

	"throng/sse"
)

// known is an event that the log of a namespace holds or held.
type known struct {
	id     sse.ID
	ref    ref
	topics topicSet
	acked  bool
}

// judge holds all that a namespace's publishers and lineages noted against the promise.
type judge struct {
	*history
	*findings
	ns      int
	events  []known         // by ID
	ids     map[sse.ID]int  // index in events
	last    map[ref]sse.ID  // the ID that was seen last
	several map[ref]bool    // with more than one ID, where that may be
	held    map[sse.ID]bool // what the log holds in the end; nil: nobody has looked
}

// judge compares everything with the promise. With final set, a lineage that is not ended
// is owed everything to the end, and there are lineages that read all that is held.
func (h *history) judge(final bool) *findings {
	f := &findings{counts: make(map[Kind]int)}
	for ns := range h.namespaces {
		j := &judge{history: h, findings: f, ns: ns, ids: make(map[sse.ID]int), last: make(map[ref]sse.ID), several: make(map[ref]bool)}
		j.gather()
		if final {
			j.takeStock()
		}
		for _, l := range h.lineages {
			if l.ns == ns {
				j.walk(l, final)
			}
		}
	}
	for p := range h.records {
		f.judgePublisher(h, p)
	}
	return f
}

// gather makes the list of what is known, and looks for IDs that were used twice.
func (j *judge) gather() {
	for p, r := range j.records {
		if j.namespace(p) != j.ns {
			continue
		}
		for i, a := range r.acks {
			if !a.id.IsZero() {
				j.learn(a.id, ref{uint16(p), uint32(i + 1)}, true, "its publisher")
			}
		}
		for _, a := range r.again {
			j.learn(a.id, ref{uint16(p), a.number}, true, "its publisher")
		}
	}
	for _, l := range j.lineages {
		if l.ns != j.ns {
			continue
		}
		for _, e := range l.log {
			if !e.gap {
				j.learn(e.id, e.ref(), false, l)
			}
		}
	}
	slices.SortFunc(j.events, func(a, b known) int { return a.id.Compare(b.id) })
	for i, k := range j.events {
		j.ids[k.id] = i
	}
}

// learn takes in that an event has an ID, as somebody says.
func (j *judge) learn(id sse.ID, r ref, acked bool, from any) {
	if i, used := j.ids[id]; used {
		if old := j.events[i].ref; old != r {
			j.add(Reused, "%s: %v is the ID of %s, and, says %v, of %s", nsName(j.ns), id, j.told(old), from, j.told(r))
		}
		return
	}
	if old, named := j.last[r]; named {
		if !j.mayRename(old, id) {
			j.add(Twice, "%s: the log has it as %v and, says %v, as %v: %s", nsName(j.ns), old, from, id, j.told(r))
		}
		j.several[r] = true
	}
	j.last[r] = id
	j.ids[id] = len(j.events)
	j.events = append(j.events, known{id, r, j.topics(r), acked})
	if !acked {
		j.surplus++
	}
}

// mayRename says whether an event may have both IDs: when a store that forgets was asked
// again by a publisher that could not know.
func (h *history) mayRename(a, b sse.ID) bool {
	return h.promise.MayLose || !h.promise.Survives && a.Major != b.Major
}

// takeStock finds out what the log holds in the end, where something may have been lost,
// and wants what was accepted without an ID.
func (j *judge) takeStock() {
	if j.promise.MayLose {
		j.held = make(map[sse.ID]bool)
		for _, l := range j.lineages {
			for _, e := range l.log {
				if l.ns == j.ns && l.audit && !e.gap {
					j.held[e.id] = true
				}
			}
		}
		for _, k := range j.events {
			if k.acked && !j.held[k.id] {
				j.lostEvents++
			}
		}
	}
	for p, r := range j.records {
		for i, flags := range r.flags {
			event := ref{uint16(p), uint32(i + 1)}
			if _, seen := j.last[event]; flags&flagSpooled != 0 && !seen && j.namespace(p) == j.ns {
				j.add(Lost, "%s: accepted to be sent later (202), and never given to anybody: %s", nsName(j.ns), j.told(event))
			}
		}
	}
}

// judgePublisher wants the IDs of a publisher that waits for its answers to rise.
func (f *findings) judgePublisher(h *history, p int) {
	r := h.records[p]
	f.takeOver(r.wrong)
	var before, highest ref // of the requests before, and with this one
	top := func(at ref) sse.ID {
		if at.number == 0 {
			return sse.ID{}
		}
		return r.of(at.number).id
	}
	for i, a := range r.acks {
		event := ref{uint16(p), uint32(i + 1)}
		if r.flags[i]&flagFirst != 0 {
			before = highest
		}
		if a.id.IsZero() {
			continue
		}
		switch {
		case a.id.Compare(top(before)) <= 0:
			f.add(PublisherOrder, "%s: %s came after %s", nsName(h.namespace(p)), h.told(event), h.told(before))
		case a.id.Compare(top(highest)) > 0:
			highest = event
		case r.flags[i]&flagRetried == 0: // the lines of a request that went through at once
			f.add(PublisherOrder, "%s, one batch: %s came after %s", nsName(h.namespace(p)), h.told(event), h.told(highest))
		}
	}
}
