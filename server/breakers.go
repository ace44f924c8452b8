package server

import (
	"net/http"

	"throng/breaker"
)

// Breakers is the document of /api/breakers.
type Breakers struct {
	Breakers []breaker.Status   `json:"breakers"`
	Pressure map[string]float64 `json:"pressure"` // by signal; 1 is its target
	Limits   BreakersLimits     `json:"limits"`
}

// BreakersLimits are the rates that the load allows, a second; 0: there is no limit.
type BreakersLimits struct {
	Streams   float64 `json:"streams"`
	Publishes float64 `json:"publishes"`
	Heard     float64 `json:"heard"` // of new connections, 0 to 1; the others are left to try again
}

// Breakers reads how all of them stand.
func (s *Server) Breakers() Breakers {
	b := Breakers{Breakers: s.board.Statuses(), Pressure: make(map[string]float64)}
	for i, name := range signalNames {
		b.Pressure[name] = s.table.Pressure[i].Value()
	}
	b.Limits.Streams, b.Limits.Publishes = s.table.LimitStreams.Value(), s.table.LimitPublishes.Value()
	b.Limits.Heard = s.load.heard.get()
	return b
}

func (a *admin) breakers(w http.ResponseWriter, _ *http.Request) { a.json(w, a.srv.Breakers()) }
