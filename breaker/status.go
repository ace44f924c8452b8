package breaker

import (
	"fmt"
	"time"
)

// Numbers are what a rule looks at: the outcomes in its window, or those of the row of
// failures that is going on.
type Numbers struct {
	Outcomes int `json:"outcomes"`
	Failures int `json:"failures"`
	InARow   int `json:"failures_in_a_row"`
}

// Probing is how far a half-open circuit is, or an isolated channel that is on its way back.
type Probing struct {
	Good     int `json:"good"`      // in a row, so far
	UnderWay int `json:"under_way"` // passed, and without an outcome yet
	Needed   int `json:"needed"`    // good ones, to close it
}

// Status describes a breaker to the operator.
type Status struct {
	Layer   string    `json:"layer"`
	Scope   string    `json:"scope,omitempty"` // a namespace, or the name of a channel; empty: the node
	State   string    `json:"state"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"`         // open: probes may pass from then on
	Opened  uint64    `json:"opened"`                 // times
	Cause   string    `json:"cause,omitempty"`        // why it opened last; for a channel why it left its last state
	Failure string    `json:"last_failure,omitempty"` // whether it opened anything or not
	Rule    string    `json:"rule,omitempty"`         // when it opens
	Numbers Numbers   `json:"numbers"`                // now
	Probes  *Probing  `json:"probes,omitempty"`       // half-open
	TookSec float64   `json:"took_seconds,omitempty"` // a channel's last answer
	Share   float64   `json:"share,omitempty"`        // of its work, that a channel on its ramp is given
}

// causeBytesMax bounds what is kept of an error's text: it may quote what came from outside.
const causeBytesMax = 300

// textOf is an error's text, bounded.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	if len(text) > causeBytesMax {
		text = text[:causeBytesMax] + "…"
	}
	return text
}

// String says when a circuit opens.
func (r Rule) String() string {
	if own := r.Trips; own != "" {
		r.Trips = ""
		return r.String() + ", or " + own
	}
	ratio := fmt.Sprintf("%g %% of at least %d outcomes in %v fail", r.Ratio*100, r.Min, r.Window)
	row := fmt.Sprintf("%d failures in a row", r.InARow)
	switch {
	case r.Ratio > 0 && r.InARow > 0:
		return ratio + ", or " + row
	case r.Ratio > 0:
		return ratio
	case r.InARow > 0:
		return row
	}
	return "by what is measured"
}
