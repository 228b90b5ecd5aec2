package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/carillon-project/carillon/cluster"
)

func TestOneOfThreeLeadsAndTermsRise(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	nodes := map[string]*node{}
	for _, n := range []string{"a", "b", "c"} {
		nodes[n] = start(t, client, name, n, calls)
	}
	var last int64
	for round := range 3 {
		c := next(t, calls)
		if c.office.Term <= last {
			t.Errorf("round %d: term %d after %d", round, c.office.Term, last)
		}
		last = c.office.Term
		eventually(t, "all candidates", func() bool { return len(candidates(t, client, name)) == 3-round })
		select {
		case other := <-calls:
			t.Fatalf("%s came into office beside %s", other.node, c.node)
		default:
		}
		lead, err := cluster.CurrentLeader(within(t), client, name, 0)
		if err != nil || lead == nil || *lead != (cluster.Leader{Name: c.node, Term: c.office.Term}) {
			t.Errorf("current leader is %v, %v, want %s", lead, err, c.node)
		}
		if got := nodes[c.node].Term(0); got != c.office.Term {
			t.Errorf("%s says term %d, holds %d", c.node, got, c.office.Term)
		}
		if err := nodes[c.node].stop(); err != nil {
			t.Errorf("run of %s: %v", c.node, err)
		}
		if context.Cause(c.ctx) == nil {
			t.Errorf("%s stopped and its lead context goes on", c.node)
		}
	}
	if lead, err := cluster.CurrentLeader(within(t), client, name, 0); lead != nil || err != nil {
		t.Errorf("all left, and %v leads, %v", lead, err)
	}
	if members, err := cluster.Members(within(t), client, name); len(members) != 0 || err != nil {
		t.Errorf("all left, and members are %v, %v", members, err)
	}
}

// TestCampaignTrap shows the trap itself first: without it the rest would prove nothing.
func TestCampaignTrap(t *testing.T) {
	t.Parallel()
	client, name := dial(t), clusterName(t)
	root := "/carillon/" + name + "/election"
	session := func() (*concurrency.Session, *concurrency.Election) {
		s, err := concurrency.NewSession(client, concurrency.WithTTL(5))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s, concurrency.NewElection(s, root)
	}
	_, first := session()
	if err := first.Campaign(within(t), "first"); err != nil {
		t.Fatal(err)
	}
	waiting, second := session()
	won := make(chan error, 1)
	go func() { won <- second.Campaign(within(t), "second") }()
	eventually(t, "second candidate", func() bool { return len(candidates(t, client, name)) == 2 })
	if _, err := client.Revoke(within(t), waiting.Lease()); err != nil {
		t.Fatal(err)
	}
	if err := first.Resign(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-won; err != nil || len(candidates(t, client, name)) != 0 {
		t.Skipf("the client library has mended the trap: %v", err)
	}
}

func TestFollowerThatLostItsKeyNeverLeadsWithoutOne(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		lose func(t *testing.T, client *clientv3.Client, lease clientv3.LeaseID, key string) error
	}{
		{"lease revoked", func(t *testing.T, client *clientv3.Client, lease clientv3.LeaseID, _ string) error {
			_, err := client.Revoke(within(t), lease)
			return err
		}},
		// The session lives on, so nothing but the check after the campaign can tell.
		{"key deleted", func(t *testing.T, client *clientv3.Client, _ clientv3.LeaseID, key string) error {
			_, err := client.Delete(within(t), key)
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client, name, calls := dial(t), clusterName(t), make(chan call)
			a := start(t, client, name, "a", calls)
			held := next(t, calls)
			bCalls := make(chan call)
			start(t, client, name, "b", bCalls)
			eventually(t, "second candidate", func() bool { return len(candidates(t, client, name)) == 2 })
			old := candidates(t, client, name)[1]
			lease := leaseOf(t, client, "/carillon/"+name+"/nodes/b")
			if err := tt.lose(t, client, lease, fmt.Sprintf("/carillon/%s/election/%x", name, int64(lease))); err != nil {
				t.Fatal(err)
			}
			if err := a.stop(); err != nil {
				t.Fatal(err)
			}
			got := next(t, bCalls)
			if got.office.Term <= held.office.Term || got.office.Term == old.Term {
				t.Errorf("b leads in term %d; its lost key had %d", got.office.Term, old.Term)
			}
			if now := candidates(t, client, name); len(now) != 1 || now[0].Term != got.office.Term {
				t.Errorf("b leads in term %d and the keys are %v", got.office.Term, now)
			}
		})
	}
}

func TestLeadEndsWhenItsKeyIsDeleted(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	start(t, client, name, "a", calls)
	first := next(t, calls)
	if err := cluster.StepDown(within(t), client, name, 0, first.office.Term+1); !errors.Is(err, cluster.ErrNotInOffice) {
		t.Errorf("another term: %v", err)
	}
	if first.ctx.Err() != nil {
		t.Fatal("a refused step-down ended the office")
	}
	if err := cluster.StepDown(within(t), client, name, 0, first.office.Term); err != nil {
		t.Fatal(err)
	}
	wait(t, "end of lead", first.ctx.Done())
	if cause := context.Cause(first.ctx); !errors.Is(cause, cluster.ErrOfficeLost) {
		t.Errorf("cause is %v", cause)
	}
	if second := next(t, calls); second.office.Term <= first.office.Term || second.office.Epoch != first.office.Epoch {
		t.Errorf("%+v came after %+v", second.office, first.office)
	}
}

func TestLeadEndsWhenItsLeaseIsGone(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	start(t, client, name, "a", calls)
	first := next(t, calls)
	if _, err := client.Revoke(within(t), leaseOf(t, client, "/carillon/"+name+"/nodes/a")); err != nil {
		t.Fatal(err)
	}
	wait(t, "end of lead", first.ctx.Done())
	second := next(t, calls)
	if second.office.Term <= first.office.Term {
		t.Errorf("term %d came after %d", second.office.Term, first.office.Term)
	}
	if members, err := cluster.Members(within(t), client, name); err != nil || len(members) != 1 {
		t.Errorf("after a new session the members are %v, %v", members, err)
	}
}

func TestLeadThatReturnsGivesTheOfficeUp(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	start(t, client, name, "a", calls)
	first := next(t, calls)
	start(t, client, name, "b", calls)
	eventually(t, "second candidate", func() bool { return len(candidates(t, client, name)) == 2 })
	first.leave <- errors.New("fenced")
	second := next(t, calls)
	if second.node == first.node || second.office.Term <= first.office.Term {
		t.Errorf("%s in %d came after %s in %d", second.node, second.office.Term, first.node, first.office.Term)
	}
	if members, err := cluster.Members(within(t), client, name); err != nil || len(members) != 2 {
		t.Errorf("members are %v, %v", members, err)
	}
}

func TestResignElectsAnotherAtOnceAndStaysMember(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	a := start(t, client, name, "a", calls, withTTL(time.Minute))
	first := next(t, calls)
	b := start(t, client, name, "b", calls, withTTL(time.Minute))
	eventually(t, "second candidate", func() bool { return len(candidates(t, client, name)) == 2 })
	// etcd takes up to 100 ms until a new watch is served live, and b's is new.
	time.Sleep(200 * time.Millisecond)
	asked := time.Now()
	a.Resign()
	second := next(t, calls)
	if took := time.Since(asked); took > time.Second {
		t.Errorf("b came into office after %s", took)
	} else {
		t.Logf("handed over in %s", took)
	}
	if second.node != "b" || !errors.Is(context.Cause(first.ctx), cluster.ErrResigned) {
		t.Errorf("%s leads; a ended with %v", second.node, context.Cause(first.ctx))
	}
	members, err := cluster.Members(within(t), client, name)
	if err != nil || len(members) != 2 {
		t.Errorf("members are %v, %v", members, err)
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if now := candidates(t, client, name); len(now) != 0 {
		t.Errorf("a resigned and stands again: %v", now)
	}
}

func TestLeadThatLingersDoesNotKeepTheOffice(t *testing.T) {
	t.Parallel()
	client, name := dial(t), clusterName(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	c, err := cluster.New(cluster.Config{Client: client, Cluster: name, Member: cluster.Member{Name: "a", Boot: "1"}, TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var running atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.Run(ctx, func(context.Context, cluster.Office) error {
			running.Add(1)
			defer running.Add(-1)
			close(entered)
			<-leave // deaf to its context
			return nil
		})
	}()
	wait(t, "office", entered)
	calls := make(chan call)
	start(t, client, name, "b", calls)
	cancel()
	next(t, calls)
	if running.Load() != 1 {
		t.Error("the first lead had returned; the test proves nothing")
	}
	select {
	case err := <-ended:
		t.Errorf("run returned before its lead: %v", err)
	default:
	}
	close(leave)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNodeCampaignsOnlyOnceItCanLead(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	var able atomic.Bool
	asked := make(chan struct{}, 1000)
	a := start(t, client, name, "a", calls, func(c *cluster.Config) {
		c.CanLead = func(context.Context, int) error {
			asked <- struct{}{}
			if !able.Load() {
				return errors.New("no redis")
			}
			return nil
		}
	})
	wait(t, "membership", a.Joined())
	<-asked
	<-asked // asked again: the first refusal has been dealt with
	if now := candidates(t, client, name); len(now) != 0 {
		t.Errorf("stands without redis: %v", now)
	}
	able.Store(true)
	next(t, calls)
}
