package poller

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// descriptorsKept are not for connections: epoll instances, eventfds, listeners, the
	// admin port's connections, logs and the store's files.
	descriptorsKept = 128
	// connectionsCeiling bounds what an unlimited host gives, as tables reserve address
	// space for every connection.
	connectionsCeiling = 4 << 20
)

// DescriptorsMax is how many connections this process may hold, by RLIMIT_NOFILE.
func DescriptorsMax() (int, error) {
	n, err := DescriptorsLimit()
	return max(n-descriptorsKept, 1), err
}

// DescriptorsLimit is how many descriptors this process may open, up to what there may be
// connections.
func DescriptorsLimit() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("reading the limit of descriptors: %w", err)
	}
	return int(min(limit.Cur, connectionsCeiling)), nil
}
