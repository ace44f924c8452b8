package server

import "encoding/json"

// health is the body of /healthz and /readyz.
type health struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
}

func (h health) document() []byte {
	b, err := json.Marshal(h)
	if err != nil {
		panic("server: health is always JSON: " + err.Error())
	}
	return append(b, '\n')
}

// alive is the answer while the process serves at all.
func (s *Server) alive() (int, []byte) {
	return 200, health{Status: "alive"}.document()
}

// ready says whether new work should come here.
func (s *Server) ready() (int, []byte) {
	var reasons []string
	if s.draining.Load() {
		reasons = append(reasons, draining.code)
	}
	if s.connections() >= s.connectionsMax {
		reasons = append(reasons, connectionLimit.code)
	}
	if s.queue.open() || s.load.overloaded.Load() {
		reasons = append(reasons, overloaded.code)
	}
	if err := s.store.Health(); err != nil {
		reasons = append(reasons, storeProblem(err).code)
	}
	if s.storeIsolated() {
		reasons = append(reasons, sourceIsolated)
	}
	if len(reasons) > 0 {
		return 503, health{Status: "not ready", Reasons: reasons}.document()
	}
	return 200, health{Status: "ready"}.document()
}

func (s *session) healthz() bool { return s.state(s.srv.alive()) }
func (s *session) readyz() bool  { return s.state(s.srv.ready()) }

func (s *session) state(status int, body []byte) bool {
	extra := []byte("Cache-Control: no-store\r\n")
	s.respond(&answer{status: status, contentType: "application/json", body: body, extra: extra})
	return true
}
