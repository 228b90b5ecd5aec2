package scheduler

import "time"

// trust says whether a lease that has ended says anything about its node. It does not when Redis may
// have been away, or its clock was set, less than a lease ago: a living node may not have been able
// to renew. A new leader has not seen what was before it, and begins in doubt. Times are local.
type trust struct {
	lease time.Duration
	heard time.Duration // when Redis answered last
	from  time.Duration // before it no ended lease is acted on
	begun bool
}

// answered notes an answer. An absence of Redis that fits between two answers is noticed unless it
// is shorter than a third of a lease; that costs a node one renewal, and no lease. It returns how
// long Redis may have been away if that was longer.
func (t *trust) answered(now time.Duration) (away time.Duration) {
	gap := now - t.heard
	first := !t.begun
	t.heard, t.begun = max(t.heard, now), true
	if first {
		t.doubt(now)
		return 0
	}
	if gap <= t.lease/3 {
		return 0
	}
	t.doubt(now)
	return gap
}

// doubt has recovery wait one lease from now on.
func (t *trust) doubt(now time.Duration) { t.from = max(t.from, now+t.lease) }

// holds reports whether an ended lease may be acted on.
func (t *trust) holds(now time.Duration) bool { return t.begun && now >= t.from }
