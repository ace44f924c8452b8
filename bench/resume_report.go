package bench

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// What a server tells of its reads. Events that it has at hand anyway, in the ring, count
// as not read.
const (
	metricReads = "throng_store_read_events_total"
	metricPages = "throng_store_page_reads_total"
	metricScans = "throng_scans_total"
)

const (
	// readsShareMax is what may be read of the store when all resume one topic, percent of
	// the events delivered.
	readsShareMax = 1
	// readsCheckedFrom is how many streams a topic must have for that to be checked: the
	// log has to be read once, and with few streams that alone is more.
	readsCheckedFrom = 10_000
)

// resumeReads is what a server read for one resume.
type resumeReads struct{ events, pages, scans float64 }

// resumeLook is a server just before the streams come back.
type resumeLook struct {
	usage usage
	reads resumeReads
	rss   float64
	peak  bool          // the greatest VmRSS counts from here on
	store time.Duration // processor time of the store's own process
}

// readsNow is what a server has read since its start; zero where it does not tell.
func (b *resumeRun) readsNow() (resumeReads, error) {
	samples, err := b.t.metrics(b.ctx)
	return resumeReads{sumOf(samples, metricReads), sumOf(samples, metricPages), sumOf(samples, metricScans)}, err
}

// look looks at the server before the streams come back; the clock is read last.
func (b *resumeRun) look() (l resumeLook, err error) {
	if l.reads, err = b.readsNow(); err != nil {
		return l, err
	}
	l.rss = math.NaN()
	if b.t.family != nil {
		rss, err := b.t.rss()
		if err != nil {
			return l, err
		}
		l.rss = float64(rss)
	}
	l.peak = !math.IsNaN(b.t.peakOf(false))
	if b.store != nil {
		if l.store, err = b.store.pid.cpu(); err != nil {
			return l, err
		}
	}
	l.usage, err = b.use(b.t)
	return l, err
}

// lookAgain looks at the server when all are complete.
func (b *resumeRun) lookAgain(before resumeLook) error {
	peak := math.NaN()
	if before.peak {
		peak = b.t.peakOf(true)
	}
	b.memoryAt, b.memoryPeak = append(b.memoryAt, before.rss), append(b.memoryPeak, peak)
	if b.store != nil {
		spent, err := b.store.pid.cpu()
		if err != nil {
			return err
		}
		b.storeCost = append(b.storeCost, float64(spent-before.store)/float64(b.events()))
	}
	now, err := b.readsNow()
	b.reads = append(b.reads, resumeReads{now.events - before.reads.events, now.pages - before.reads.pages, now.scans - before.reads.scans})
	return err
}

// tell reports.
func (b *resumeRun) tell() {
	r := &b.run.report
	r.compare("time until the last event is delivered", "resume", "live", "s", b.again.took, b.live.took)
	r.compare("server CPU an event, connects taken off", "resume", "live", "ns", b.again.cost, b.live.cost)
	r.figure("server CPU a resumed event, connects included, median", median(b.again.whole), "ns")
	r.figure("server CPU a connect", median(b.connects)/1e3, "us")
	r.figure("events resumed a second, median", float64(b.events())/median(b.again.took), "1/s")
	r.figure("all attached after, median", median(b.attached), "s")
	r.figure("live: the last batch is answered after, median", median(b.published), "s")
	r.figure("VmRSS when they come back, greatest", slices.Max(b.memoryAt)/1024, "KiB")
	r.figure("VmRSS while they resume, greatest", slices.Max(b.memoryPeak)/1024, "KiB")
	if b.store != nil {
		r.figure(fmt.Sprintf("CPU of %s a resumed event, median", b.store.name), median(b.storeCost), "ns")
	}
	b.tellReads()
	r.latency("connect to first byte", b.firstByte)
	if b.complete != nil {
		r.latency("connect to complete", b.complete)
	}
	r.latency("publish to delivery, live", b.lag)
	r.latency("one event after the resume, publish to delivery", b.closing)
	r.noFaults(b.w)
}

// tellReads reports how often the store was read, if the server tells.
func (b *resumeRun) tellReads() {
	r := &b.run.report
	var events, pages, scans []float64
	for _, n := range b.reads {
		events, pages, scans = append(events, n.events), append(pages, n.pages), append(scans, n.scans)
	}
	log := float64(b.o.Topics * b.o.Events)
	r.figure("events in the log that were missed", log, "")
	if slices.Max(events) == 0 {
		r.note("how often the store was read is left out: the server does not count it (%s is 0 or not exported)", metricReads)
		return
	}
	share := 100 * slices.Max(events) / float64(b.events())
	r.figure("events read from the store, of those delivered, greatest", share, "%")
	r.figure("times the log was read, greatest", slices.Max(events)/log, "times")
	r.figure("pages read from the store, median", median(pages), "")
	r.figure("scans of the log, median", median(scans), "")
	if b.o.Topics*readsCheckedFrom <= b.o.Streams {
		r.checkThat("events read from the store, of those delivered, %", fmt.Sprint("at most ", readsShareMax), fmt.Sprintf("%.3f", share), share <= readsShareMax)
	}
}
