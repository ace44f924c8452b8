package poller

import (
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Waiting is how many connections wait in the kernel to be accepted (tcp(7), TCP_INFO; of a
// listening socket tcpi_unacked is the length of its accept queue).
func (l *Listener) Waiting() int {
	if l.closed.Load() { // the number may be somebody else's by now
		return 0
	}
	info, err := unix.GetsockoptTCPInfo(l.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return int(info.Unacked)
}

const (
	tcpFlagsAt = 13 // in the TCP header (RFC 9293, section 3.1)
	tcpSYN     = 0x02
	// skfRandom is the ancillary load of a random number (linux/filter.h, SKF_AD_OFF+SKF_AD_RANDOM).
	skfRandom  = 0xfffff000 + 56
	passPacket = math.MaxUint32
)

// Hear makes the kernel drop the first packets (SYN) of new connections at random, but for a
// share of them, from 0 to 1; 1 ends it. A client's kernel tries again after a second, then
// after two, four and so on: to the client the connection merely takes longer. That costs
// this machine next to nothing, where accepting a connection to refuse it costs nearly as
// much as serving it. Connections that there are go on.
//
// It is a classic BPF program on the listening socket (bpf(2), SO_ATTACH_FILTER), which sees
// the bytes from the TCP header on. Accepted sockets inherit it; their packets have no SYN.
func (l *Listener) Hear(share float64) error {
	if l.closed.Load() {
		return nil
	}
	if !(share < 1) {
		if err := unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil && err != unix.ENOENT {
			return fmt.Errorf("hear every connection: %w", err)
		}
		return nil
	}
	dropBelow := uint32(math.Round((1 - max(share, 0)) * math.MaxUint32))
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: tcpFlagsAt},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jf: 3, K: tcpSYN},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: skfRandom},
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 0, Jt: 1, K: dropBelow},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: passPacket},
	}
	f := unix.SockFprog{Len: uint16(len(program)), Filter: unsafe.SliceData(program)}
	if err := unix.SetsockoptSockFprog(l.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &f); err != nil {
		return fmt.Errorf("hear %g of the connections: %w", share, err)
	}
	return nil
}
