package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// held is what a server holds for its clients.
type held struct {
	descriptors int
	connections int64 // sum of throng_connections; -1: no admin port
}

// held reads it.
func (h *rude) held() (held, error) {
	var now held
	var err error
	if now.descriptors, err = h.t.fds(); err != nil {
		return now, fmt.Errorf("bench: %w", err)
	}
	samples, err := h.t.metrics(h.ctx)
	if err != nil {
		return now, err
	}
	now.connections = -1
	if samples != nil {
		now.connections = int64(sumOf(samples, "throng_connections"))
	}
	return now, nil
}

// returned waits until the server holds no more than at the start, and checks it.
func (h *rude) returned(start held) error {
	end := h.w.now() + int64(min(returnLimit, h.o.patience))
	for {
		now, err := h.held()
		if err != nil {
			return err
		}
		back := now.descriptors <= start.descriptors && now.connections <= start.connections
		if !back && h.w.now() < end {
			if err := h.w.sleep(h.ctx, h.w.now()+int64(h.o.window)); err != nil {
				return err
			}
			continue
		}
		if h.t.family != nil {
			h.report.checkThat("descriptors of the server, at most as at the start", fmt.Sprint(start.descriptors),
				fmt.Sprint(now.descriptors), now.descriptors <= start.descriptors)
		}
		if start.connections >= 0 {
			h.report.check("connections the server counts", start.connections, now.connections)
			return h.noteStats()
		}
		return nil
	}
}

// noteStats keeps the server's own view in the report.
func (h *rude) noteStats() error {
	stats, err := h.t.get(h.ctx, "/api/stats")
	if err != nil {
		return err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, []byte(stats)); err != nil {
		return fmt.Errorf("bench: /api/stats: %w", err)
	}
	h.report.note("/api/stats in the end: %s", line.String())
	return nil
}
