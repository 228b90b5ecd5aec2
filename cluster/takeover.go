package cluster

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"
)

const (
	// armSoon and armEvery are how often a leader is asked again that has not said yet that it leads,
	// or that could not be reached (which proves nothing): soon after it came into office, and later.
	armSoon  = 10 * time.Millisecond
	armEvery = 200 * time.Millisecond
	soon     = 100 // tries
	// redialTimeout bounds the redial that decides whether a process is gone.
	redialTimeout = time.Second
	redialAgain   = 5 * time.Millisecond
)

// Guarding returns the leader whose process this node holds an open connection to, so that it will
// know at once when that is gone; false when there is none, or the leader is this node itself.
func (c *Cluster) Guarding() (Leader, bool) {
	if l := c.guarded.Load(); l != nil {
		return *l, true
	}
	return Leader{}, false
}

// vigil holds an open connection to whoever leads, and frees the office of a leader whose process
// is proven gone, once per term, until ctx ends.
func (c *Cluster) vigil(ctx context.Context) {
	for ctx.Err() == nil {
		changed := c.roster.changed()
		leader, holder := c.roster.holder()
		if leader.Name == c.cfg.Member.Name || holder.Address == "" {
			leader = Leader{}
		}
		if leader != (Leader{}) && c.outlives(ctx, leader, holder, changed) {
			c.takeOver(ctx, leader)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// outlives keeps one connection to the process that leads, and reports true when that process is
// proven gone: an established connection, on which it had said its name, boot and term, ended, and
// a redial was refused or answered by another boot. It reports false when ctx ended or the roster
// changed before.
func (c *Cluster) outlives(ctx context.Context, leader Leader, holder Member, changed <-chan struct{}) bool {
	for {
		conn := c.arm(ctx, leader, holder, changed)
		if conn == nil {
			return false
		}
		c.guarded.Store(&leader)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-conn.Done():
			c.guarded.Store(nil)
			if provenGone(ctx, holder) {
				return true
			}
			continue
		}
		c.guarded.Store(nil)
		_ = conn.Close() // nothing is to be learned from it any more
		return false
	}
}

// arm dials until the peer has said that it is the holder and leads in that term; nil when ctx ended
// or the roster changed before.
func (c *Cluster) arm(ctx context.Context, leader Leader, holder Member, changed <-chan struct{}) *Liveness {
	want := Identity{Node: leader.Name, Boot: holder.Boot, Term: leader.Term}
	for try := 0; ; try++ {
		dialing, cancel := context.WithTimeout(ctx, redialTimeout)
		conn, err := DialLiveness(dialing, holder.Address)
		cancel()
		if err == nil && conn.Identity() == want {
			return conn
		}
		if err == nil {
			_ = conn.Close() // not the one, or not in office yet
		}
		again := armEvery
		if try < soon {
			again = armSoon
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-changed:
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// provenGone redials. A refusal, or another boot that answers, proves that the process is gone;
// silence and strangers prove nothing. A process that is being torn down may still take a connection
// and drop it, since its listening socket closes a moment after the others: then it is asked again.
func provenGone(ctx context.Context, holder Member) bool {
	ctx, cancel := context.WithTimeout(ctx, redialTimeout)
	defer cancel()
	for {
		conn, err := DialLiveness(ctx, holder.Address)
		switch {
		case err == nil:
			defer func() { _ = conn.Close() }()
			return conn.Identity().Boot != holder.Boot
		case errors.Is(err, syscall.ECONNREFUSED):
			return true
		case !dropped(err) || !pause(ctx, redialAgain):
			return false
		}
	}
}

// dropped reports whether a connection was made and then ended without a word.
func dropped(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// takeOver deletes the election key of a term whose holder is gone; never the lease, for the node
// may live after all, and then the fence keeps what it does harmless. Of several followers that
// try, one deletes and the others find the term over.
func (c *Cluster) takeOver(ctx context.Context, leader Leader) {
	err := StepDown(ctx, c.cfg.Client, c.cfg.Cluster, leader.Term)
	if err == nil {
		c.log.Warn("leader's process is gone, its office is freed", "leader", leader.Name, "term", leader.Term)
		return
	}
	if ctx.Err() == nil && !errors.Is(err, ErrNotInOffice) {
		c.log.Warn("leader's process is gone, its office was not freed; its lease will end", "leader", leader.Name, "term", leader.Term, "error", err)
	}
}
