package server

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// checkAddresses finds what can't be listened on twice, and upstreams that would go round or come
// twice. Names are not looked up: at start there may be nobody to ask.
func (o *Options) checkAddresses() (all []error) {
	names, addresses := []string{"listen", "admin", "grpc"}, []string{o.Listen, o.Admin, o.GRPC}
	for i, a := range addresses {
		if k := slices.Index(addresses, a); k < i && a != "" && !strings.HasSuffix(a, ":0") {
			all = append(all, fmt.Errorf("--%s=%s is refused; accepted: another address than --%s", names[i], a, names[k]))
		}
	}
	known := make(map[[2]string]bool)
	for _, url := range o.Upstreams {
		address, namespace, _, err := parseUpstream(url)
		if err != nil {
			continue // its own rule says so
		}
		if known[[2]string{address, namespace}] {
			all = append(all, fmt.Errorf("--upstreams=%s is refused; accepted: each source and namespace once", url))
		}
		known[[2]string{address, namespace}] = true
		if o.GRPC != "" && isItself(address, o.GRPC) {
			all = append(all, fmt.Errorf("--upstreams=%s is refused; accepted: other nodes than this one (--grpc=%s), whose events would go round", url, o.GRPC))
		}
	}
	return all
}

// isItself says whether who dials address reaches what listens on listen, as far as that can be
// seen without a name server.
func isItself(address, listen string) bool {
	host, port, err := net.SplitHostPort(address)
	own, ownPort, ownErr := net.SplitHostPort(listen)
	if err != nil || ownErr != nil || port != ownPort || port == "0" {
		return false
	}
	if host == own {
		return true
	}
	to, at := literal(host), literal(own)
	if !to.IsValid() || !at.IsValid() {
		return false
	}
	near := to.IsLoopback() || to.IsUnspecified() // the kernel dials loopback for no address
	if at.IsUnspecified() {
		return near || isOwn(to)
	}
	return near && at.IsLoopback() || to == at
}

// literal is the address that a host means, if it is one or needs no name server.
func literal(host string) netip.Addr {
	switch host {
	case "":
		return netip.IPv4Unspecified()
	case "localhost":
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	a, _ := netip.ParseAddr(host)
	return a.Unmap()
}

// isOwn says whether an interface of this machine has the address.
func isOwn(a netip.Addr) bool {
	own, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(own, func(n net.Addr) bool {
		p, err := netip.ParsePrefix(n.String())
		return err == nil && p.Addr().Unmap() == a
	})
}
