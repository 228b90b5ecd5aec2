package cluster_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/carillon-project/carillon/cluster"
)

// lease is far longer than what these tests wait for: no lease ends in them.
const longLease = 60 * time.Second

// serve gives a node a listener of its own, which counts handshakes; hangUp ends it as the end of the
// process would.
func serve(t *testing.T, asked *atomic.Int64) (l *cluster.Listener, run func(*node) (hangUp func())) {
	t.Helper()
	l, err := cluster.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, func(n *node) func() {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- l.Serve(ctx, func() cluster.Identity {
				asked.Add(1)
				return n.Identity()
			})
		}()
		hangUp := func() {
			cancel()
			<-ended
			ended <- nil
		}
		t.Cleanup(hangUp)
		return hangUp
	}
}

func (n *node) guards() bool {
	_, ok := n.Guarding(0)
	return ok
}

func at(address string) option {
	return func(c *cluster.Config) { c.Member.Address = address }
}

// TestDeadLeaderIsReplacedBeforeItsLeaseEnds: the leader's listener ends as with its process, its
// lease lives; a follower leads at once, and the old office ends because its key is gone.
func TestDeadLeaderIsReplacedBeforeItsLeaseEnds(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	var asked atomic.Int64
	l, run := serve(t, &asked)
	a := start(t, client, name, "a", calls, withTTL(longLease), at(l.Address()))
	hangUp := run(a)
	first := next(t, calls)
	b := start(t, client, name, "b", calls, withTTL(longLease))
	eventually(t, "b holds a connection to a", b.guards)
	hangUp()
	second := next(t, calls)
	if second.node != "b" || second.office.Term <= first.office.Term {
		t.Errorf("%s leads in term %d after term %d", second.node, second.office.Term, first.office.Term)
	}
	wait(t, "the old office ends", first.ctx.Done())
	if cause := context.Cause(first.ctx); !errors.Is(cause, cluster.ErrOfficeLost) {
		t.Errorf("the old office ended with %v", cause)
	}
}

// TestResetConnectionAloneProvesNothing: the connection is cut and the redial is answered by the
// same boot; the leader stays. Neither does a first dial that is refused.
func TestResetConnectionAloneProvesNothing(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	var asked atomic.Int64
	l, run := serve(t, &asked)
	p := startProxy(t, l.Address())
	a := start(t, client, name, "a", calls, withTTL(longLease), at(p.listener.Addr().String()))
	run(a)
	first := next(t, calls)
	b := start(t, client, name, "b", calls, withTTL(longLease))
	for range 3 {
		eventually(t, "b holds a connection to a", b.guards)
		before := asked.Load()
		p.sever()
		p.mend()
		eventually(t, "b has asked again", func() bool { return asked.Load() > before })
	}
	eventually(t, "b holds a connection to a again", b.guards)
	if first.ctx.Err() != nil {
		t.Errorf("the office ended: %v", context.Cause(first.ctx))
	}
}

// TestRefusedFirstDialProvesNothing: nobody listens where the leader said it does.
func TestRefusedFirstDialProvesNothing(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	start(t, client, name, "a", calls, withTTL(longLease))
	first := next(t, calls)
	b := start(t, client, name, "b", calls, withTTL(longLease))
	wait(t, "b is a member", b.Joined())
	select {
	case c := <-calls:
		t.Fatalf("%s came into office", c.node)
	case <-first.ctx.Done():
		t.Fatalf("the office ended: %v", context.Cause(first.ctx))
	case <-time.After(2 * time.Second): // ten dials
	}
}
