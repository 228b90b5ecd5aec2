package cluster

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// armSoon and armEvery are how often a leader is asked again that has not said yet that it leads,
	// or that could not be reached (which proves nothing): soon after it came into office, and later.
	armSoon  = 10 * time.Millisecond
	armEvery = 200 * time.Millisecond
	soon     = 100 // tries
	// lingerFor is how long a follower goes on listening to a leader whose office has ended.
	lingerFor = 2 * time.Second
)

// Guarding returns the leader of a group whose process this node holds an open connection to, so that
// it will know at once when that is gone; false when there is none, or the leader is this node itself.
func (c *Cluster) Guarding(group int) (Leader, bool) {
	if l := c.groups[group].guarded.Load(); l != nil {
		return *l, true
	}
	return Leader{}, false
}

// vigil holds an open connection to whoever leads the group, and frees the office of a leader whose
// process is proven gone, once per term, until ctx ends.
func (g *group) vigil(ctx context.Context) {
	var lingering sync.WaitGroup
	defer lingering.Wait()
	for ctx.Err() == nil {
		changed := g.roster.turned[g.index].wait()
		leader, holder := g.roster.holder(g.index)
		if leader.Name == g.cfg.Member.Name || holder.Address == "" {
			leader = Leader{}
		}
		if leader.Term != 0 && g.outlives(ctx, leader, holder, changed, &lingering) {
			g.takeOver(ctx, leader)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// outlives keeps one connection to the process that leads, and reports true when that process does
// not listen any more: an established connection, on which it had said its name, boot and term,
// ended, and a redial was refused or answered by another boot. It reports false when ctx ended or the
// roster changed before.
func (g *group) outlives(ctx context.Context, leader Leader, holder Member, changed <-chan struct{}, lingering *sync.WaitGroup) bool {
	for {
		conn := g.arm(ctx, leader, holder, changed)
		if conn == nil {
			return false
		}
		g.guarded.Store(&leader)
		g.contacts.add(holder.Name)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-conn.Done():
			g.guarded.Store(nil)
			g.contacts.drop(holder.Name)
			if g.examine(ctx, holder, conn.Err()).left() {
				return true
			}
			continue
		}
		g.guarded.Store(nil)
		g.contacts.drop(holder.Name)
		lingering.Go(func() { g.linger(ctx, holder, conn) })
		return false
	}
}

// linger keeps a connection to a leader whose office has ended for a little longer: whoever freed
// that office may only have been quicker to see that its process is gone.
func (c *Cluster) linger(ctx context.Context, holder Member, conn *Liveness) {
	timer := time.NewTimer(lingerFor)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-conn.Done():
		if c.examine(ctx, holder, conn.Err()).proves(conn.Err()) {
			c.unseat(ctx, holder)
		}
	}
	_ = conn.Close() // nothing is to be learned from it any more
}

// examine redials a process whose connection ended as said, and tells OnGone of one that is proven
// gone.
func (c *Cluster) examine(ctx context.Context, was Member, end error) finding {
	found := redial(ctx, was)
	if found.proves(end) {
		c.log.Warn("a process is proven gone", "of", was.Name, "boot", was.Boot, "address", was.Address, "connection", end)
		c.cfg.OnGone(was)
	}
	return found
}

// arm dials until the peer has said that it is who is wanted; nil when ctx ended or the roster
// changed before.
func (g *group) arm(ctx context.Context, leader Leader, holder Member, changed <-chan struct{}) *Liveness {
	for try := 0; ; try++ {
		dialing, cancel := context.WithTimeout(ctx, redialTimeout)
		conn, err := DialLiveness(dialing, holder.Address)
		cancel()
		if err == nil {
			if id := conn.Identity(); id.Node == holder.Name && id.Boot == holder.Boot && id.leads(g.index) == leader.Term {
				return conn
			}
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

// takeOver deletes the election key of a term whose holder is gone; never the lease, for the node
// may live after all, and then the fence keeps what it does harmless. It asks until etcd has answered.
// Of several followers that try, one deletes and the others find the term over.
func (g *group) takeOver(ctx context.Context, leader Leader) {
	freed := false
	err := g.ask(ctx, func(ctx context.Context) error {
		err := StepDown(ctx, g.cfg.Client, g.cfg.Cluster, g.index, leader.Term)
		freed = err == nil
		if errors.Is(err, ErrNotInOffice) {
			return nil
		}
		return err
	})
	if err == nil && freed {
		g.log.Warn("leader's process is gone, its office is freed", "leader", leader.Name, "term", leader.Term)
	}
}
