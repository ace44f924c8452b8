package replay

import (
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// sweepGapMin and sweepParts say how often Sweep trims: 64 times an AgeMax, so that nothing
// is kept for much longer than that, but at most once a second.
const (
	sweepGapMin = time.Second
	sweepParts  = 64
)

// Sweep implements Store: it trims the open namespaces by age (MINID ~), in pipelines, and
// leaves out masters that are away. Keys forget themselves.
func (s *Redis) Sweep(now time.Time) {
	if s.opts.AgeMax <= 0 || now.UnixNano() < s.trimAt.Load() {
		return
	}
	s.trimAt.Store(now.Add(max(s.opts.AgeMax/sweepParts, sweepGapMin)).UnixNano())
	oldest := itoa(max(now.Add(-s.opts.AgeMax).UnixMilli(), 0))
	byMaster := make(map[*redisShard][]*redisLog)
	s.mu.RLock()
	for _, l := range s.logs {
		if h := l.shard.Load(); h != nil && h.away.Load() == nil {
			byMaster[h] = append(byMaster[h], l)
		}
	}
	s.mu.RUnlock()
	for h, logs := range byMaster {
		for page := range slices.Chunk(logs, checksAtOnce) {
			cmds := make([]rueidis.Completed, len(page))
			for i, l := range page {
				cmds[i] = h.client.B().Arbitrary("XTRIM").Keys(l.key).Args("MINID", "~", oldest).Build()
			}
			if _, err := h.do(s.ctx, cmds...); err != nil {
				break // Health has it
			}
		}
	}
}
