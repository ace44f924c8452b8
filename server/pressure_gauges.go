package server

import (
	"runtime"
	"time"

	"throng/internal/hostload"
	"throng/poller"
)

// gauges read how much there is to do, against what there should be. They belong to the
// watch's goroutine.
type gauges struct {
	srv  *Server
	host *hostload.Host

	processors     float64
	descriptorsMax int
	cpu            [cpuLooks]reading // the last looks, in a circle
	looks          int
	slowAt         time.Time // the last look at what changes slowly
	active         float64   // processors used since the last look
	waits          *waits
	late           bool // the last look found something late
	ticks          [2]uint64
	memory         float64 // share of the limit
	descriptors    float64 // share of the limit
}

// reading is the processor time of this process at one moment.
type reading struct {
	at   time.Time
	used time.Duration
}

const (
	// cpuLooks is over how many looks the processor time is averaged: 300 ms.
	cpuLooks = 3
	// descriptorsTarget is the part of the descriptors above which new streams slow down. The
	// rest is also for the answers to those that are sent away.
	descriptorsTarget = 0.97
	// descriptorsLeast is the limit below which that part is too few to be anything to go by.
	descriptorsLeast = 1024
	// signals is how many signals of pressure there are.
	signals = signalDescriptors + 1
)

func newGauges(s *Server) *gauges {
	g := &gauges{srv: s, host: hostload.Open("/"), waits: &waits{srv: s}}
	g.descriptorsMax, _ = poller.DescriptorsLimit()
	used, _ := poller.ProcessorTime()
	for i := range g.cpu {
		g.cpu[i] = reading{time.Now(), used}
	}
	return g
}

// idle says whether the process had next to nothing to do since the last look but one.
func (g *gauges) idle() bool { return g.active < idleShare*min(g.processors, 1) }

// busyNotLate is the most that busy processors count where nothing waits: a limit that
// there is goes on rising then, by a fifth a second.
const busyNotLate = 0.9

// measure takes a look. late is how late the scheduler is. memory is the share of the limit
// that is in use, whatever its target.
func (g *gauges) measure(now time.Time, late time.Duration) (loads [signals]float64, memory float64) {
	o := &g.srv.o
	if now.Sub(g.slowAt) >= slowEvery {
		g.slowAt = now
		g.lookSlowly()
	}
	used := g.processorShare(now)
	if target := float64(o.CPUTarget) / 100; target > 0 {
		loads[signalCPU] = used / target
	}
	if o.DelayTarget > 0 {
		turn, entry := g.waits.standing()
		loads[signalDelay] = float64(turn) / float64(o.DelayTarget)
		loads[signalEntry] = float64(entry) / float64(agedStreams*o.DelayTarget)
		loads[signalLateness] = float64(late) / (lateMost * float64(o.DelayTarget))
		loads[signalLag] = float64(g.behind()) / (lateMost * float64(o.DelayTarget))
		if target := float64(o.CPUTarget) / 100; target > 0 {
			loads[signalHost] = g.hostShare(max(loads[signalDelay], loads[signalEntry], loads[signalLateness], loads[signalLag]) >= 1) / target
		}
	}
	if target := float64(o.MemoryTarget) / 100; target > 0 {
		memory = g.memory
		loads[signalMemory] = memory / target
	}
	loads[signalDescriptors] = g.descriptors / descriptorsTarget
	g.looks++
	return loads, memory
}

// lookSlowly reads what takes longer to find out and changes slowly. What can't be read is no
// reason to send anybody away.
func (g *gauges) lookSlowly() {
	g.processors = g.host.Processors(runtime.GOMAXPROCS(0))
	g.memory = g.memoryShare()
	g.descriptors = 0
	if g.descriptorsMax >= descriptorsLeast {
		open := g.host.Descriptors()
		if open == 0 {
			open = g.srv.connections()
		}
		g.descriptors = float64(open) / float64(g.descriptorsMax)
	}
}

// memoryShare is the part of the memory that is in use: of what the option allows, which is
// compared with the resident set, or of the nearest limit there is.
func (g *gauges) memoryShare() float64 {
	most := g.srv.o.MemoryBytesMax
	if most == 0 {
		m, _ := g.host.Memory()
		return m.Share()
	}
	resident, _ := g.host.Resident()
	return float64(resident) / float64(most)
}

// processorShare is the part of the processors that this process has used of late.
func (g *gauges) processorShare(now time.Time) float64 {
	used, err := poller.ProcessorTime()
	if err != nil {
		return 0
	}
	last := g.cpu[(g.looks+cpuLooks-1)%cpuLooks]
	oldest := &g.cpu[g.looks%cpuLooks]
	g.active = share(used-last.used, now.Sub(last.at))
	average := share(used-oldest.used, now.Sub(oldest.at))
	*oldest = reading{now, used}
	return average / max(g.processors, 0.01)
}

func share(used, of time.Duration) float64 {
	if of <= 0 {
		return 0
	}
	return float64(used) / float64(of)
}

// behind is how far the slowest loop is behind with what was published.
func (g *gauges) behind() time.Duration {
	worst := 0.0
	for _, l := range g.srv.group.Loops() {
		worst = max(worst, l.Figures().BehindSeconds)
	}
	return time.Duration(worst * float64(time.Second))
}

// hostShare is the part of the host's processors that was busy since the last look, if
// something was late then and is now: others may use what nobody else needs.
func (g *gauges) hostShare(late bool) float64 {
	known := g.late
	g.late = late
	if !late {
		return 0
	}
	busy, total, err := g.host.Busy()
	if err != nil {
		return 0
	}
	before := g.ticks
	g.ticks = [2]uint64{busy, total}
	if !known || total <= before[1] || busy < before[0] {
		return 0
	}
	return float64(busy-before[0]) / float64(total-before[1])
}

// tablesFull is how many streams have met full tables of a loop. Those that were refused by a
// limit do not count: anybody can make many of them linger.
func (s *Server) tablesFull() (n uint64) {
	for _, l := range s.group.Loops() {
		n += l.Figures().Crowded
	}
	return n
}
