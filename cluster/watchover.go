package cluster

import (
	"context"
	"sync"
	"time"
)

// watchOver holds one open connection to every other member, while this node leads and until ctx
// ends, to know at once when a process is gone. The leader dials, although the followers hold
// connections to it already: only so is it certain that the address that will be redialled has led
// to that very process.
func (c *Cluster) watchOver(ctx context.Context) {
	watched := map[string]*watch{} // by boot
	var watches sync.WaitGroup
	defer watches.Wait()
	for ctx.Err() == nil {
		moved := c.roster.moved.wait()
		members := map[string]bool{}
		for _, m := range c.roster.members() {
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
		case <-moved:
		}
	}
}

// watch is the leader's attention to one process.
type watch struct {
	of   Member
	over chan struct{} // closed when the process is no member any more
}

// attend keeps one connection to a member until its process is proven gone, ctx ends, or it is no
// member any more. An open connection is kept beyond the membership for a little: a process may be
// torn down slowly.
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
	c.connected.Add(1)
	defer c.connected.Add(-1)
	select {
	case <-ctx.Done():
		_ = conn.Close() // somebody else leads now
		return true
	case <-w.over:
		c.linger(ctx, w.of, conn)
		return true
	case <-conn.Done():
		return c.examine(ctx, w.of, conn.Err()).proves(conn.Err())
	}
}
