package breaker

import "time"

// Silence finds the share of new connections that should be heard at all, where refusing one
// costs nearly as much as serving it: as many as are served, and what the line has room for.
// A crowd that is soon worked off need not be silenced, so it begins when the line has been
// long for a while; it ends when all have been heard for a while.
//
// The share is led by the wait that a line of that length means at the rate it is served at
// (Little's law), not by how long its first has waited, which is known only afterwards.
//
// It belongs to one goroutine.
type Silence struct {
	Least  float64       // share that is always heard, above 0; 1: all
	Target time.Duration // of the wait for nothing else

	on    bool
	share float64       // 0: it has not begun
	come  float64       // a second, averaged, heard or not
	can   float64       // a second: how many can be served, as far as is known
	long  time.Duration // for which the line has been long
	whole time.Duration // for which all have been heard
}

// SilenceLook is what there is to be seen, and what has happened since the look before.
type SilenceLook struct {
	Heard, Served uint64        // connections since
	Waiting       int           // connections now
	Before        time.Duration // that one waits in any case, whoever comes
	Span          time.Duration // since
}

const (
	silenceOver  = 300 * time.Millisecond // over which those who come and who are served are averaged
	silenceIn    = 50 * time.Millisecond  // a line is brought to its target: well above a handshake's way to and fro
	silenceMore  = 1.5                    // times those who come: more need not be known to be served
	silenceLong  = 4                      // times the target is long: who is not heard comes a second later
	silenceAfter = 100 * time.Millisecond // for which the line must have been long
	silenceUntil = 2 * time.Second        // for which all must have been heard
	silenceStep  = 1.2                    // times the share, or a part of it, is a change: each costs 100 µs
)

// Share gives the share that should be heard from now on. Calls come some times in silenceIn.
func (s *Silence) Share(l SilenceLook) float64 {
	if s.share == 0 {
		s.share = 1
	}
	seconds := l.Span.Seconds()
	if seconds <= 0 {
		return s.share
	}
	part := min(1, float64(l.Span)/float64(silenceOver))
	s.come += (float64(l.Heard)/s.share/seconds - s.come) * part
	if served := float64(l.Served) / seconds; l.Waiting > 0 || served > s.can {
		s.can += (served - s.can) * part
	} else {
		s.can = max(s.can, min(s.can*(1+part), silenceMore*s.come)) // nobody waits: more could be served
	}
	wait := time.Duration(float64(l.Waiting) / max(s.can, 1) * float64(time.Second))
	target := s.Target + l.Before
	if !s.begins(wait, target, l.Span) {
		return s.share
	}
	want := 1.0
	if s.come > 0 {
		want = s.can * max(0, 1+float64(target-wait)/float64(silenceIn)) / s.come
	}
	want = max(s.Least, min(1, want))
	if s.whole += l.Span; want < 1 {
		s.whole = 0
	}
	s.on = s.whole < silenceUntil
	if r := want / s.share; r > silenceStep || r < 1/silenceStep || want == 1 {
		s.share = want
	}
	return s.share
}

// begins says whether there is a share to be found.
func (s *Silence) begins(wait, target, span time.Duration) bool {
	if s.long += span; wait <= silenceLong*target {
		s.long = 0
	}
	if !s.on && s.long >= silenceAfter {
		s.on, s.whole = true, 0
	}
	return s.on
}
