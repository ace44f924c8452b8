package poller

import (
	"time"

	"golang.org/x/sys/unix"
)

// ProcessorTime is what this process has used so far, in user and in system mode, to the
// microsecond (getrusage(2)).
func ProcessorTime() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
