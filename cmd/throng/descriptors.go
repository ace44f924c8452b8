package main

import (
	"log/slog"

	"golang.org/x/sys/unix"
)

// raiseDescriptors lifts the soft limit of open files to the hard one: a connection is
// a descriptor, and the soft limit (often 1,024) is meant for programs that select().
func raiseDescriptors(log *slog.Logger) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		log.Warn("the limit of open files is unknown", "error", err)
		return
	}
	was := l.Cur
	l.Cur = l.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		log.Warn("the limit of open files was not raised", "soft", was, "hard", l.Max, "error", err)
		return
	}
	log.Info("open files", "limit", l.Max)
}
