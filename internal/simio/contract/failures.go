package contract

import "throng/poller"

func failureOnce(r *rig) {
	fd, c := r.watched(7)
	r.must("Failure of a sound socket", r.Net.Failure(fd))
	c.Reset()
	r.await(7, poller.Failed)
	if err := r.Net.Failure(fd); err == nil || !poller.PeerGone(err) || poller.TimedOut(err) {
		r.Errorf("after a reset Failure gave %v", err)
	}
	r.must("the second Failure", r.Net.Failure(fd))
	r.done(fd)
}

func peerStaysKnown(r *rig) {
	fd, c := r.watched(7)
	before := r.Net.Peer(fd)
	if !before.IsValid() || before.Is4In6() {
		r.Errorf("the peer's address is %v", before)
	}
	c.Reset()
	r.await(7, poller.Failed)
	_ = r.Net.Failure(fd)
	if after := r.Net.Peer(fd); after != before {
		r.Errorf("the peer's address is %v, and after a reset %v", before, after)
	}
	r.done(fd)
}

func outstandingEnds(r *rig) {
	fd, c := r.watched(7)
	sent := r.fill(fd)
	if n, err := r.Net.Outstanding(fd); n <= 0 || err != nil {
		r.Errorf("of a full socket %d bytes are outstanding, %v", n, err)
	}
	before, err := r.Net.Acknowledged(fd)
	r.must("Acknowledged", err)
	r.clientReads(c, sent)
	for range waitsMax {
		n, err := r.Net.Outstanding(fd)
		r.must("Outstanding", err)
		if n == 0 {
			if after, err := r.Net.Acknowledged(fd); err != nil || after <= before || after-before > uint64(len(sent)) {
				r.Errorf("of %d bytes %d were acknowledged before they were read, %d after, %v", len(sent), before, after, err)
			}
			c.Close()
			r.done(fd)
			return
		}
		r.wait(waitMs / 10)
	}
	r.Error("the client has read everything, and some of it stays outstanding")
}
