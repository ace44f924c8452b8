package simio

import "throng/poller"

// watch arms everything for a descriptor.
func watch(p *Poller, fd int, t poller.Token) error {
	if err := p.Add(fd, t); err != nil {
		return err
	}
	return p.Mod(fd, t)
}
