package breaker

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func BenchmarkCircuit_Closed(b *testing.B) {
	for _, x := range []struct {
		name string
		rule Rule
	}{{"row", gatewayRule}, {"ratio", connectionRule}} {
		c := NewCircuit(Gateway, "", x.rule, nil)
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pass, _ := c.Allow()
				pass.Succeeded()
			}
		})
		b.Run(x.name+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					pass, _ := c.Allow()
					pass.Succeeded()
				}
			})
		})
	}
}

func BenchmarkCircuit_Open(b *testing.B) {
	c := NewCircuit(Gateway, "", Rule{OpenFor: time.Hour}, nil)
	c.Trip(errBad)
	b.ReportAllocs()
	for b.Loop() {
		c.Allow()
	}
}

func BenchmarkLimiter_Allow(b *testing.B) {
	begun := time.Now()
	for _, rate := range []float64{0, 100, 1e9} {
		l := NewLimiter(LimiterOptions{Burst: time.Millisecond, Clock: func() int64 { return int64(time.Since(begun)) }})
		l.rate.Store(math.Float64bits(rate))
		name := fmt.Sprintf("rate=%g", rate)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.Allow()
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l.Allow()
				}
			})
		})
	}
}

func BenchmarkChannel_AllowHealthy(b *testing.B) {
	c := newChannel(redisLike, nil)
	b.ReportAllocs()
	for b.Loop() {
		c.Allow()
	}
}

func BenchmarkBoard_ThousandCircuits(b *testing.B) {
	board := quietBoard()
	var last *Circuit
	for i := range 1000 {
		last = board.Circuit(Gateway, fmt.Sprintf("namespace-%d", i), gatewayRule)
	}
	b.Run("State", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			board.State(Gateway)
		}
	})
	b.Run("Statuses", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			board.Statuses()
		}
	})
	last.Trip(errBad)
	b.Run("State/one open", func(b *testing.B) {
		for b.Loop() {
			board.State(Gateway)
		}
	})
}
