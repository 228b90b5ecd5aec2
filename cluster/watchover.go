package cluster

import (
	"context"
	"sync"
	"time"
)

// inLine is how many of the candidates next after the leader each follower watches: as many may die
// together with the leader and not one of them wins the office.
const inLine = 2

// watchOver holds one open connection to every other member, while this node leads and until ctx
// ends, to know at once when a process is gone. The leader dials, although the followers hold
// connections to it already: only so is it certain that the address that will be redialled has led
// to that very process.
func (c *Cluster) watchOver(ctx context.Context) { c.watchAll(ctx, &c.roster.moved, c.roster.members) }

// watchLine does so for those who would lead a group before this node: a leader that dies with its
// successor cannot tell of it, and nobody could dial a successor that is dead when it wins.
func (c *Cluster) watchLine(ctx context.Context) {
	c.watchAll(ctx, &c.roster.shifted, func() []Member { return c.roster.ahead(c.cfg.Member.Name, c.roster.lines()) })
}

// watchAll attends to those who are to be watched, whom it asks for at every change, until ctx ends.
func (c *Cluster) watchAll(ctx context.Context, changes *bell, whom func() []Member) {
	watched := map[string]*watch{} // by boot
	var watches sync.WaitGroup
	defer watches.Wait()
	for ctx.Err() == nil {
		changed := changes.wait()
		members := map[string]bool{}
		for _, m := range whom() {
			members[m.Boot] = true
			if m.Boot == c.cfg.Member.Boot || m.Address == "" || watched[m.Boot] != nil {
				continue
			}
			w := &watch{of: m, over: make(chan struct{})}
			watched[m.Boot] = w
			watches.Go(func() { c.attend(ctx, w) })
		}
		for boot, w := range watched {
			if !members[boot] {
				close(w.over)
				delete(watched, boot)
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// watch is the attention to one process.
type watch struct {
	of   Member
	over chan struct{} // closed when the process need not be watched any more
}

// attend keeps one connection to a member until its process is proven gone, ctx ends, or it need not
// be watched any more. An open connection is kept beyond that for a little: a process may be torn down
// slowly, and one that has just won the office is not watched as its holder yet.
func (c *Cluster) attend(ctx context.Context, w *watch) {
	for again := (backoff{first: armEvery, most: 5 * time.Second}); ctx.Err() == nil; {
		dialing, cancel := context.WithTimeout(ctx, redialTimeout)
		conn, err := DialLiveness(dialing, w.of.Address)
		cancel()
		if err == nil && conn.Identity().Node == w.of.Name && conn.Identity().Boot == w.of.Boot {
			again.reset()
			if c.accompany(ctx, w, conn) {
				return
			}
		} else if err == nil {
			_ = conn.Close() // not the one
		}
		timer := time.NewTimer(again.delay())
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-w.over:
			timer.Stop()
			return
		}
	}
}

// accompany holds the connection, and reports whether there is nothing more to be learnt of the
// process.
func (c *Cluster) accompany(ctx context.Context, w *watch, conn *Liveness) (over bool) {
	c.contacts.add(w.of.Name)
	select {
	case <-ctx.Done():
	case <-w.over:
	case <-conn.Done():
	}
	c.contacts.drop(w.of.Name)
	select {
	case <-ctx.Done():
		_ = conn.Close() // nobody is to be watched any more
		return true
	case <-conn.Done():
		gone := c.examine(ctx, w.of, conn.Err()).proves(conn.Err())
		if gone {
			c.unseat(ctx, w.of)
		}
		return gone
	default:
		c.linger(ctx, w.of, conn)
		return true
	}
}
