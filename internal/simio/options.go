package simio

import "time"

// Options of a Kernel. The zero value is a calm machine: no call is refused or cut
// short without cause, edges come at once and in order, and calls take no time.
// Probabilities are 0 to 1; at 1 a loop makes no progress.
type Options struct {
	// FDsMax descriptors can be open at once; one more gives ErrFiles.
	// Default 1,024, the usual soft limit of a Linux process.
	FDsMax int
	// SendBufferBytes is the window a new Peer has. Default 64 KiB.
	SendBufferBytes int

	// Again is the probability, per Read, Write and Writev, that a storm begins: this
	// call and the following ones, on whatever socket, give ErrAgain and an edge.
	Again float64
	// AgainMax is the number of calls a storm lasts at most. Default 8.
	AgainMax int
	// Partial is the probability that a Read, Write or Writev moves fewer bytes than it
	// could. An edge for the rest follows.
	Partial float64
	// Spurious is the probability, per Wait, of an event for which there is no reason.
	Spurious float64
	// Delay is the probability that an edge is held back for 1 ns to DelayMax. All
	// edges of its socket in that time become one.
	Delay float64
	// DelayMax defaults to 5 ms.
	DelayMax time.Duration
	// Reorder is the probability, per event, that another one overtakes it.
	Reorder float64
	// Files is the probability that Connect gives ErrFiles though there is room.
	Files float64

	// Cost moves the clock with every call.
	Cost Costs
}

// Costs is how long calls take in virtual time.
type Costs struct {
	Read     time.Duration // each Read
	Write    time.Duration // each Write or Writev, accepted or not
	WriteKiB time.Duration // each 1,024 bytes accepted, in proportion
	Wait     time.Duration // each Wait, besides what it waits
	Other    time.Duration // each Add, Remove, ShutdownWrite and Close
}

// Rough is a machine on a bad day: everything that may go wrong does so often.
func Rough() Options {
	return Options{
		Again: 0.05, Partial: 0.3, Spurious: 0.1, Delay: 0.3, Reorder: 0.3,
		Cost: Costs{Read: 900, Write: 4000, WriteKiB: 300, Wait: 700, Other: 500},
	}
}

func (o Options) withDefaults() Options {
	if o.FDsMax == 0 {
		o.FDsMax = 1024
	}
	if o.SendBufferBytes == 0 {
		o.SendBufferBytes = 64 << 10
	}
	if o.AgainMax == 0 {
		o.AgainMax = 8
	}
	if o.DelayMax == 0 {
		o.DelayMax = 5 * time.Millisecond
	}
	return o
}
