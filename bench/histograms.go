package bench

import (
	"bytes"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// histogramLog is the latencies of a report as a HdrHistogram log, version 1.3: one line
// each, by its tag, in the V2 compressed encoding. HdrHistogram's own tools read it.
// Values are nanoseconds; the column of the maximum is milliseconds, as its convention is.
func histogramLog(r Report) ([]byte, error) {
	var b bytes.Buffer
	log := hdrhistogram.NewHistogramLogWriter(&b)
	ms := r.Started.UnixMilli()
	end := ms + int64(r.Seconds*float64(time.Second/time.Millisecond))
	var errs [4]error
	errs[0] = log.OutputLogFormatVersion()
	errs[1] = log.OutputComment("[throng bench " + r.Scenario + ", nanoseconds]")
	errs[2] = log.OutputStartTime(ms)
	errs[3] = log.OutputLegend()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	for _, l := range r.Latencies {
		h := l.histogram
		h.SetTag(l.Tag)
		h.SetStartTimeMs(ms)
		h.SetEndTimeMs(end)
		if err := log.OutputIntervalHistogram(h); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// readHistograms gives latencies their histograms, from a log.
func readHistograms(text []byte, latencies []Latency) error {
	log := hdrhistogram.NewHistogramLogReader(bytes.NewReader(text))
	found := make(map[string]*hdrhistogram.Histogram)
	for {
		h, err := log.NextIntervalHistogram()
		if err != nil {
			return err
		}
		if h == nil {
			break
		}
		found[h.Tag()] = h
	}
	for i := range latencies {
		l := &latencies[i]
		if l.histogram = found[l.Tag]; l.histogram == nil {
			return fmt.Errorf("no histogram with the tag %s", l.Tag)
		}
	}
	return nil
}

// Recompute compares the percentiles in the figures of a report that was read from a
// record with those of its histograms, and gives the first that differs as an error.
func (r *Report) Recompute() error {
	for _, l := range r.Latencies {
		for _, f := range l.measured() {
			if value, _, known := r.Value(f.Name); !known || value != f.Value {
				return fmt.Errorf("%s: %s: the report says %v, its histogram %v", r.Scenario, f.Name, value, f.Value)
			}
		}
	}
	return nil
}
