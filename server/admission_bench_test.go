package server

import (
	"net/netip"
	"testing"
	"time"
)

// What a connection costs before anything is allocated for it, and a stream before its request
// is looked at.
func BenchmarkAdmit(b *testing.B) {
	for name, most := range map[string]int{"any": 0, "addresses": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			s, _ := unserved(b, func(o *Options) { o.AddressConnectionsMax = most })
			from := netip.MustParseAddr("192.0.2.1")
			b.ReportAllocs()
			for b.Loop() {
				_, ok := s.admit(from, nil)
				if !ok || !s.letsStreamIn(0) {
					b.Fatal("refused")
				}
				if s.addresses != nil {
					s.addresses.leave(s.entering.ticket)
				}
				s.door.good.Add(1)
			}
		})
	}
}

func BenchmarkDoor_Tell(b *testing.B) {
	s, _ := unserved(b, nil)
	for b.Loop() {
		s.door.good.Store(toldMax)
		s.door.tell(0)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/toldMax, "ns/outcome")
}

func BenchmarkWatch_Look(b *testing.B) {
	s, _ := unserved(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		s.watch.look(time.Now(), 0)
	}
}
