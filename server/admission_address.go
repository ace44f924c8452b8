package server

import (
	"net/netip"
	"sync"

	"throng/poller"
)

// addresses counts the connections of each client address, for --address-connections-max.
// Any goroutine may use it.
//
// A connection holds a ticket from accept on: its session does, and once it is a row, the
// table by descriptor does, since a loop knows it by nothing else that others know. An
// address is in the tables while it has connections, so these bound them.
type addresses struct {
	most int

	mu      sync.Mutex
	tickets map[netip.Addr]uint32
	held    []holder // by ticket; 0 is none
	unused  []uint32
	rows    []uint32 // tickets by descriptor
}

// holder is an address with connections.
type holder struct {
	from  netip.Addr
	count int
}

func newAddresses(most int) *addresses {
	return &addresses{most: most, tickets: make(map[netip.Addr]uint32), held: make([]holder, 1)}
}

// networkBits is what of an IPv6 address is one client: a site gets a /64 at least, and its
// hosts choose addresses in there as they like.
const networkBits = 64

// enter counts a connection; false: its address has as many as it may.
func (a *addresses) enter(from netip.Addr) (ticket uint32, ok bool) {
	if from.Is6() {
		if network, err := from.Prefix(networkBits); err == nil {
			from = network.Addr()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	ticket, known := a.tickets[from]
	switch {
	case known && a.held[ticket].count >= a.most:
		return 0, false
	case known:
	case len(a.unused) > 0:
		last := len(a.unused) - 1
		ticket, a.unused = a.unused[last], a.unused[:last]
	default:
		ticket = uint32(len(a.held))
		a.held = append(a.held, holder{})
	}
	if !known {
		a.tickets[from] = ticket
		a.held[ticket].from = from
	}
	a.held[ticket].count++
	return ticket, true
}

// leave gives a ticket back.
func (a *addresses) leave(ticket uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(ticket)
}

// drop is leave for who holds mu.
func (a *addresses) drop(ticket uint32) {
	h := &a.held[ticket]
	if ticket == 0 {
		return
	}
	if h.count--; h.count == 0 {
		delete(a.tickets, h.from)
		*h = holder{}
		a.unused = append(a.unused, ticket)
	}
}

// moves notes that the descriptor fd, which goes to a loop, holds the ticket from now on.
func (a *addresses) moves(fd int, ticket uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.rows) <= fd {
		a.rows = append(a.rows, 0)
	}
	a.rows[fd] = ticket
}

// closes gives the ticket of a loop's descriptor back, if it has one.
func (a *addresses) closes(fd int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if fd < len(a.rows) {
		a.drop(a.rows[fd])
		a.rows[fd] = 0
	}
}

// connections is how many are counted.
func (a *addresses) connections() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ticket := range a.tickets {
		n += a.held[ticket].count
	}
	return n
}

// countedNet is the loops' Net where connections are counted by address. A number may be
// used again as soon as it is closed, so its ticket goes first.
type countedNet struct {
	poller.Kernel
	addresses *addresses
}

// loopsNet is the Net of the loops.
func (s *Server) loopsNet() poller.Net {
	if s.addresses == nil {
		return poller.Kernel{}
	}
	return countedNet{addresses: s.addresses}
}

// Close implements poller.Net.
func (n countedNet) Close(fd int) error {
	n.addresses.closes(fd)
	return n.Kernel.Close(fd)
}
