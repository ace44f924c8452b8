package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The parent of a run and its workers speak in lines of JSON: commands down, messages up.
// A worker does its commands in order and acknowledges each with its number.

// command tells a worker what to do with its share of an audience.
type command struct {
	N        int               `json:"n"`
	Op       op                `json:"op"`
	Audience int               `json:"audience"`
	Roster   *roster           `json:"roster,omitempty"` // open
	Target   *farTarget        `json:"target,omitempty"` // open
	To       int               `json:"to,omitempty"`     // grow
	Rate     float64           `json:"rate,omitempty"`   // grow, resume: connects a second, of all workers together
	Last     map[uint64]uint64 `json:"last,omitempty"`   // behind
}

type op string

const (
	opOpen    op = "open"    // an empty audience
	opGrow    op = "grow"    // acknowledged at once; see counts
	opResume  op = "resume"  // acknowledged when all connections are broken
	opBehind  op = "behind"  // answered with a count
	opCollect op = "collect" // answered with histograms
	opClose   op = "close"   // forget the audience
)

// farTarget is a target as a worker needs it.
type farTarget struct {
	Name      string         `json:"name"`
	Addr      netip.AddrPort `json:"addr"`
	Authority string         `json:"authority"`
	Prefix    string         `json:"prefix,omitempty"`
	Wire      Wire           `json:"wire"`
}

// message is what a worker says.
type message struct {
	Ack       int    `json:"ack,omitempty"` // the command's number
	Behind    int64  `json:"behind,omitempty"`
	Lag       []byte `json:"lag,omitempty"` // HdrHistogram V2, compressed
	FirstByte []byte `json:"firstByte,omitempty"`
	Live      []byte `json:"live,omitempty"`

	Audience int     `json:"audience,omitempty"`
	Counts   *counts `json:"counts,omitempty"` // of the audience, since its start

	FaultCount int      `json:"faultCount,omitempty"` // since the worker's start
	Faults     []string `json:"faults,omitempty"`     // the first few

	Err string `json:"err,omitempty"` // the worker can't go on
}

// counts are what the streams of an audience have counted.
type counts struct {
	Attached  int   `json:"attached"`
	Delivered int64 `json:"delivered"`
	Bytes     int64 `json:"bytes"`
	Gaps      int   `json:"gaps,omitempty"`
	Closed    int   `json:"closed,omitempty"`
	Unknown   int64 `json:"unknown,omitempty"`
	Open      int   `json:"open"`
}

// lineBytesMax bounds one line between a parent and a worker: a map of the last events of
// 2,000,000 tokens fits.
const lineBytesMax = 64 << 20

var errLine = errors.New("bench: a line between processes that is no message of ours")

// sendLine sends v as one line.
func sendLine(c *conn, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return c.send(append(b, '\n'))
}

// takeLines adds p to what is there, hands each whole line to take and returns the rest.
func takeLines[T any](in, p []byte, take func(T) error) ([]byte, error) {
	in = append(in, p...)
	rest := in
	for {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			break
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, fmt.Errorf("%w: %.200q: %w", errLine, line, err)
		}
		if err := take(v); err != nil {
			return nil, err
		}
		rest = after
	}
	if len(rest) > lineBytesMax {
		return nil, errLine
	}
	return in[:copy(in, rest)], nil
}

// pack is a histogram for a message; it is empty afterwards.
func pack(h *hdrhistogram.Histogram) ([]byte, error) {
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	h.Reset()
	return b, err
}

// unpack adds a histogram of a message to dst, unless nobody wants it.
func unpack(dst *hdrhistogram.Histogram, b []byte) error {
	if dst == nil || len(b) == 0 {
		return nil
	}
	h, err := hdrhistogram.Decode(b)
	if err != nil {
		return fmt.Errorf("bench: a worker's histogram: %w", err)
	}
	if dropped := dst.Merge(h); dropped > 0 {
		return fmt.Errorf("bench: a worker's histogram has %d values out of range", dropped)
	}
	return nil
}
