package bench

import (
	"fmt"

	"throng/bench/internal/sock"
)

// filesReserved are descriptors of a client that are no streams: publishers, sockets to
// workers, the epoll set, logs.
const filesReserved = 256

// recruit starts the workers: as many as were asked for, or as the streams need that this
// process can't hold.
func (r *run) recruit(s Scenario) error {
	files, err := sock.FilesMax()
	if err != nil {
		return err
	}
	n, err := workersFor(s, r.o.Streams, r.o.Workers, files)
	if err != nil || n == 0 {
		return err
	}
	if r.o.Workers == 0 {
		r.report.note("%d workers hold the streams: a process may open %d files", n, files)
	}
	r.o.Workers, r.report.Options.Workers = n, n
	return r.newTeam(n)
}

// workersFor is how many workers hold the streams of a scenario where a process may open
// so many files; asked is 0 when nobody said.
func workersFor(s Scenario, streams, asked, files int) (int, error) {
	room := max(files-filesReserved, 1)
	enough := (streams + room - 1) / room
	switch {
	case !s.spreads && asked > 0:
		return 0, fmt.Errorf("bench: %s holds its streams in one process: it takes no workers", s.Name)
	case !s.spreads || asked == 0 && enough <= 1:
		return 0, nil
	case asked == 0:
		return enough, nil
	case enough > asked:
		return 0, fmt.Errorf("bench: %d streams in %d workers, each of which may open %d files: want %d workers, or a higher ulimit -n",
			streams, asked, files, enough)
	}
	return asked, nil
}
