package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"runtime/debug"
	"time"

	"throng/replay"
	"throng/server/loops"
)

// admin is the operator's port. It is net/http: a handful of requests a minute.
type admin struct {
	srv  *Server
	ln   net.Listener
	http *http.Server
}

func newAdmin(s *Server) (*admin, error) {
	ln, err := net.Listen("tcp", s.o.Admin)
	if err != nil {
		return nil, fmt.Errorf("admin port: %w", err)
	}
	a := &admin{srv: s, ln: ln}
	a.http = &http.Server{Handler: a.routes(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	return a, nil
}

func (a *admin) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("GET /healthz", healthHandler(a.srv.alive))
	mux.HandleFunc("GET /readyz", healthHandler(a.srv.ready))
	mux.HandleFunc("GET /api/stats", a.stats)
	mux.HandleFunc("GET /api/breakers", a.breakers)
	mux.HandleFunc("POST /api/drain", a.drain)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func (a *admin) serve() error {
	if err := a.http.Serve(a.ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin port: %w", err)
	}
	return nil
}

func (a *admin) close() error {
	err := a.http.Close()
	_ = a.ln.Close() // Serve may not have known of it yet
	return err
}

func healthHandler(of func() (int, []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status, body := of()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
}

func (a *admin) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	a.srv.table.WritePrometheus(w)
}

// drain begins a drain; the process stays until it is told to stop.
func (a *admin) drain(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		http.Error(w, "a page of another origin may not drain this node", http.StatusForbidden)
		return
	}
	a.srv.beginDrain()
	w.WriteHeader(http.StatusAccepted)
}

// Stats is the document of /api/stats.
type Stats struct {
	Version     string          `json:"version"`
	Go          string          `json:"go"`
	UptimeSec   int64           `json:"uptime_seconds"`
	Draining    bool            `json:"draining"`
	Connections int             `json:"connections"`
	Requests    int             `json:"requests"`
	Limits      StatsLimits     `json:"limits"`
	Writes      StatsWrites     `json:"writes"`
	Namespaces  int             `json:"namespaces"`
	Store       replay.Stats    `json:"store"`
	Loops       []loops.Figures `json:"loops"`
}

// StatsLimits are the limits that depend on the host.
type StatsLimits struct {
	Connections int `json:"connections"`
	Requests    int `json:"requests"`
}

// Stats reads the figures of the node at one moment.
func (s *Server) Stats() Stats {
	st := Stats{
		Version: version(), Go: runtime.Version(), UptimeSec: s.hub.clock() / int64(time.Second),
		Draining: s.draining.Load(), Connections: s.connections(), Requests: s.edge.Open(),
		Limits:     StatsLimits{Connections: s.connectionsMax, Requests: s.requestsMax},
		Writes:     s.writes,
		Namespaces: s.hub.namespaces(), Store: s.store.Stats(),
	}
	for _, l := range s.group.Loops() {
		st.Loops = append(st.Loops, l.Figures())
	}
	return st
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func (a *admin) stats(w http.ResponseWriter, _ *http.Request) { a.json(w, a.srv.Stats()) }

// json answers with a document for people and machines.
func (a *admin) json(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		a.srv.log.Debug("a document was not sent", "error", err)
	}
}
