package bench

import (
	"fmt"
	"time"
)

const (
	// What the field asks for.
	goalConnects  = 99.99 // percent of connects that succeed
	goalDelivered = 99.95 // percent of events
	goalAlive     = 99.5  // percent of streams at the end
	goalEvent     = 800 * time.Millisecond
	goalCommand   = 187 * time.Millisecond

	// The projection, see soak.
	projectedStreams  = 80000
	projectedInterval = time.Minute
)

// tell reports levels and costs.
func (s *soakRun) tell(spent usage) {
	r, v := &s.report, s.visitors
	tried := s.steady.tried + s.devices.tried + v.in.tried
	attached := s.steady.attached + s.devices.attached + v.in.attached
	owed, got := s.owed()+s.commands+v.owed, s.steady.audience.delivered+s.devices.audience.delivered+v.got
	streams := len(s.members) + len(s.seqs)
	r.level("connects that succeeded", int64(attached), int64(tried), goalConnects)
	r.level("events delivered", got, owed, goalDelivered)
	r.level("streams alive at the end", int64(s.alive()), int64(streams), goalAlive)
	r.levelP99("p99 of an event, due to delivery", s.lag[0].ValueAtQuantile(99), goalEvent)
	r.levelP99("p99 of a device command, due to delivery", s.lag[1].ValueAtQuantile(99), goalCommand)

	stream := float64(s.idle) / float64(streams)
	r.figure("server CPU, of one processor", 100*float64(spent.process)/float64(spent.at), "%")
	r.figure("server CPU of a stream that waits", stream/1e3, "us/s")
	r.figure("server CPU an event at the projected rate, its publish included", float64(s.event)/1e3, "us")
	r.figure(fmt.Sprintf("projection: %d streams, an event a minute each, of one processor", projectedStreams),
		100*projectedStreams*(float64(s.event)/float64(projectedInterval)+stream/1e9), "%")
	r.figure("events delivered in all", float64(s.received()), "")
	r.figure("streams broken and resumed", float64(s.breaks), "")
	v.tell(" (visitors)")
	r.figure("slow readers closed, and come back", float64(s.slow.closed[slowStall]+s.slow.closed[slowTrickle]), "")
	r.figure("slow readers: gaps told", float64(s.slow.in.audience.gaps), "")
	r.figure("gaps told to the others", float64(s.steady.audience.gaps+s.devices.audience.gaps), "")
	r.latency("event, due to delivery", s.lag[0])
	r.latency("device command, due to delivery", s.lag[1])
	r.latency("connect due to attachment", v.in.attach)
	r.latency("resume due to attachment", s.steady.attach)
	r.latency("the client's own lateness", s.g.late)
	s.watch.checkFlat("", true)
}

// level checks a share against its goal, in percent.
func (r *Report) level(name string, good, all int64, goal float64) {
	share := 100 * float64(good) / float64(max(all, 1))
	r.figure(name, share, "%")
	r.checkThat(name, fmt.Sprintf("at least %v %% of %d", goal, all), fmt.Sprint(good), all > 0 && good <= all && share >= goal)
}

// levelP99 checks a time against its goal.
func (r *Report) levelP99(name string, ns int64, goal time.Duration) {
	r.checkThat(name, fmt.Sprintf("at most %v", goal), time.Duration(ns).String(), ns <= int64(goal))
}
