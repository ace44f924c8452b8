package simio

import (
	"math"

	"throng/internal/invariant"
)

// Sink looks at the bytes of counting peers instead of keeping them. b is the next
// piece of one peer's stream, valid during the call; state is what the last call for
// that peer returned. It is called when the bytes are accepted, before a stalled client
// would read them, and must not use the Kernel. One sink serves any number of peers.
type Sink func(state uint64, b []byte) uint64

// SinkID names a Sink of one Kernel.
type SinkID uint16

// AddSink makes f known, for Peer.Count. A Kernel takes 65,535 of them.
func (k *Kernel) AddSink(f Sink) SinkID {
	invariant.Check(len(k.sinks) < math.MaxUint16, "sinks of one simio.Kernel")
	k.sinks = append(k.sinks, f)
	return SinkID(len(k.sinks))
}

// CountBlocks is a Sink that counts blocks ending in an empty line ("\n\n", as
// server-sent events do), wherever writes cut the stream. Start it with state 0.
func CountBlocks(state uint64, b []byte) uint64 {
	for _, c := range b {
		switch {
		case c != '\n':
			state &^= 1
		case state&1 == 0:
			state |= 1
		default:
			state = state&^1 + 2
		}
	}
	return state
}

// Blocks is the number of whole blocks in a state of CountBlocks.
func Blocks(state uint64) uint64 { return state >> 1 }
