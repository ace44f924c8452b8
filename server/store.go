package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"throng/replay"
	"throng/replay/seglog"
	"throng/sse"
)

// isRedis says whether a store is the URL of a Redis.
func isRedis(store string) bool {
	scheme, _, found := strings.Cut(store, "://")
	switch scheme {
	case "redis", "rediss", "redis-sentinel", "rediss-sentinel", "valkey", "valkeys":
		return found
	}
	return false
}

// StoreText is --store for people and logs: without a user and a password.
func StoreText(store string) string {
	scheme, rest, found := strings.Cut(store, "://")
	if !found {
		return store
	}
	hosts, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		hosts = hosts[at+1:]
	}
	if query != "" {
		hosts += "?…"
	}
	return scheme + "://" + hosts
}

// openStore opens what --store names.
func (s *Server) openStore() (replay.Store, error) {
	dir, disk := strings.CutPrefix(s.o.Store, "disk:")
	switch {
	case disk:
		store, err := replay.NewDisk(dir, s.diskOptions())
		if err != nil {
			return nil, fmt.Errorf("--store=%s: %w", s.o.Store, err)
		}
		return store, nil
	case isRedis(s.o.Store):
		return s.openRedis()
	}
	return replay.NewMemory(s.memoryOptions()), nil
}

// storeDescriptors is how many descriptors are kept from connections for the store's files:
// one for each namespace that is written to, and some for those that are read.
func (s *Server) storeDescriptors(available int) int {
	if !strings.HasPrefix(s.o.Store, "disk:") {
		return 0
	}
	return min(s.o.NamespacesMax+64, available/4)
}

func (s *Server) memoryOptions() replay.MemoryOptions {
	m := replay.MemoryDefaults()
	m.EventsMax, m.BytesMax, m.AgeMax = s.o.RetainEvents, s.o.RetainBytes, s.o.RetainAge
	m.TotalBytesMax, m.NamespacesMax = s.o.RetainTotalBytes, s.o.NamespacesMax
	m.KeysMax, m.KeyWindow = s.o.IdempotencyMax, s.o.IdempotencyWindow
	return m
}

func (s *Server) diskOptions() replay.DiskOptions {
	d := replay.DiskDefaults()
	d.EventsMax, d.BytesMax, d.AgeMax = s.o.RetainEvents, s.o.RetainBytes, s.o.RetainAge
	d.TotalBytesMax, d.NamespacesMax = s.o.RetainTotalBytes, s.o.NamespacesMax
	d.KeysMax, d.KeyWindow = s.o.IdempotencyMax, s.o.IdempotencyWindow
	d.Fsync, d.FsyncInterval = s.fsync(), s.o.FsyncInterval
	d.RecentTotalBytesMax = s.o.RecentBytesMax
	d.Log = s.log
	return d
}

// fsync is the policy that --fsync names; Check has seen to it that there is one.
func (s *Server) fsync() seglog.Policy {
	p, err := seglog.ParsePolicy(s.o.Fsync)
	if err != nil {
		panic("server: the option was not checked: " + err.Error())
	}
	return p
}

func (s *Server) openRedis() (replay.Store, error) {
	o := replay.RedisDefaults()
	o.URL = s.o.Store
	o.EventsMax, o.AgeMax, o.NamespacesMax = s.o.RetainEvents, s.o.RetainAge, s.o.NamespacesMax
	o.KeysMax, o.KeyWindow = s.o.IdempotencyMax, s.o.IdempotencyWindow
	o.Timeout, o.Replicas = s.o.RedisTimeout, s.o.RedisWait
	o.RecentTotalBytesMax = s.o.RecentBytesMax
	o.Check, o.Log = s.checkForeign, s.log
	o.Guard = &s.guard
	var err error
	if o.TLS, err = s.redisTLS(); err != nil {
		return nil, err
	}
	store, err := replay.NewRedis(o)
	if err != nil {
		return nil, fmt.Errorf("--store: %w", err) // the value may hold a password
	}
	if s.o.Spool == "" {
		return store, nil
	}
	spool, err := replay.NewSpool(store, s.o.Spool, replay.SpoolOptions{
		BytesMax: s.o.SpoolBytesMax, Fsync: s.fsync(), Interval: s.o.FsyncInterval, Log: s.log,
		Sent: func(ns string, stored uint64) { s.table.Published(ns).Add(stored) },
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--spool=%s: %w", s.o.Spool, err), store.Close())
	}
	return spool, nil
}

// redisTLS is whom to trust, and who we are, beyond the system's defaults; nil: these.
func (s *Server) redisTLS() (*tls.Config, error) {
	if s.o.RedisCA == "" && s.o.RedisCert == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.o.RedisCA != "" {
		pem, err := os.ReadFile(s.o.RedisCA)
		if err != nil {
			return nil, fmt.Errorf("--redis-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--redis-ca=%s is refused; accepted: certificates in PEM", s.o.RedisCA)
		}
	}
	if s.o.RedisCert != "" {
		own, err := tls.LoadX509KeyPair(s.o.RedisCert, s.o.RedisKey)
		if err != nil {
			return nil, fmt.Errorf("--redis-cert, --redis-key: %w", err)
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// checkForeign says what is wrong with an event that another program has put into Redis.
func (s *Server) checkForeign(e *sse.Event) error {
	if refused := s.check(e.Topics, e.Name, e.Data, ""); refused != nil {
		return errors.New(refused.detail)
	}
	return nil
}
