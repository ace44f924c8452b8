package server

import (
	"strings"

	"throng/replay"
)

// isRedis says whether a store is the URL of a Redis.
func isRedis(store string) bool {
	return strings.HasPrefix(store, "redis://") || strings.HasPrefix(store, "rediss://")
}

// openStore opens what --store names.
func (s *Server) openStore() (replay.Store, error) {
	return replay.NewMemory(s.memoryOptions()), nil
}
