package cluster_test

import (
	"context"
	"errors"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/internal/devstack"
)

func proxied(t *testing.T, e *devstack.Etcd) (*proxy, *clientv3.Client) {
	t.Helper()
	u, err := url.Parse(e.Endpoints()[0])
	if err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, u.Host)
	return p, dial(t, p.url())
}

// outageTTL is the session where a node must be quicker than its lease to pass.
const outageTTL = 3 * time.Second

// beyond waits until a session of that length must have been given up by the client library.
func beyond(ttl time.Duration) { time.Sleep(ttl + 1500*time.Millisecond) }

func TestLeaderGoesOnWhileEtcdIsSilentAndItsLeaseLives(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ begin, end func(*proxy) }{
		"refused": {(*proxy).sever, (*proxy).mend},
		"frozen":  {(*proxy).freeze, (*proxy).thaw},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, client := proxied(t, shared)
			name, calls := clusterName(t), make(chan call)
			a := start(t, client, name, "a", calls, withTTL(outageTTL))
			held := next(t, calls)
			direct := dial(t)
			lease := leaseOf(t, direct, "/carillon/"+name+"/nodes/a")
			fault.begin(p)
			// Somebody else keeps the lease alive, so that only the node's own view is cut.
			renew, stop := context.WithCancel(within(t))
			defer stop()
			if _, err := direct.KeepAlive(renew, lease); err != nil {
				t.Fatal(err)
			}
			beyond(outageTTL)
			if held.ctx.Err() != nil {
				t.Fatalf("lead ended while etcd was silent: %v", context.Cause(held.ctx))
			}
			fault.end(p)
			// Renewed by the node again: the lease outlives the other's renewals.
			eventually(t, "node asks again", func() bool {
				_, err := cluster.Members(within(t), client, name)
				return err == nil
			})
			stop()
			beyond(outageTTL)
			if held.ctx.Err() != nil {
				t.Fatalf("lead ended though its lease lives: %v", context.Cause(held.ctx))
			}
			if now := candidates(t, direct, name); len(now) != 1 || now[0].Term != held.office.Term {
				t.Errorf("term %d is held and the keys are %v", held.office.Term, now)
			}
			if err := a.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLeadEndsOnceEtcdSaysThatTheLeaseWentDuringTheOutage(t *testing.T) {
	t.Parallel()
	p, client := proxied(t, shared)
	name, calls := clusterName(t), make(chan call)
	start(t, client, name, "a", calls)
	held := next(t, calls)
	p.sever()
	direct := dial(t)
	eventually(t, "expiry of the lease", func() bool { return len(candidates(t, direct, name)) == 0 })
	beyond(cluster.MinTTL)
	if held.ctx.Err() != nil {
		t.Fatalf("lead ended before etcd said so: %v", context.Cause(held.ctx))
	}
	p.mend()
	wait(t, "end of lead", held.ctx.Done())
	again := next(t, calls)
	if again.office.Term <= held.office.Term {
		t.Errorf("term %d came after %d", again.office.Term, held.office.Term)
	}
}

func TestLeaderSurvivesEtcdOutages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		members, stop int
	}{
		{name: "the only member stopped", members: 1, stop: 1},
		{name: "one of three stopped", members: 3, stop: 1},
		{name: "quorum lost", members: 3, stop: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := devstack.StartEtcd(within(t), devstack.EtcdConfig{UnsafeNoFsync: true, Members: tt.members})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { e.Close() })
			survive(t, e, tt.stop)
		})
	}
}

// survive stops the first members of e for longer than a session, and has the leader stay in office.
func survive(t *testing.T, e *devstack.Etcd, stop int) {
	t.Helper()
	client := dial(t, e.Endpoints()...)
	calls := make(chan call)
	a := start(t, client, "c", "a", calls, withTTL(outageTTL))
	held := next(t, calls)
	for i := range stop {
		e.StopMember(i)
	}
	beyond(outageTTL)
	for i := range stop {
		if err := e.StartMember(within(t), i); err != nil {
			t.Fatal(err)
		}
	}
	// A new etcd leader grants every lease its full length again.
	beyond(outageTTL)
	if held.ctx.Err() != nil {
		t.Fatalf("lead ended: %v", context.Cause(held.ctx))
	}
	lead, err := cluster.CurrentLeader(within(t), client, "c", 0)
	if err != nil || lead == nil || lead.Term != held.office.Term {
		t.Errorf("leader is %v, %v, want term %d", lead, err, held.office.Term)
	}
	start(t, client, "c", "b", calls)
	eventually(t, "roster after the outage", func() bool { return len(a.Members()) == 2 })
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	if next(t, calls).node != "b" {
		t.Error("b did not follow a")
	}
	if members, err := cluster.Members(within(t), client, "c"); err != nil || len(members) != 1 {
		t.Errorf("after the end of a the members are %v, %v", members, err)
	}
}

func TestNodeWaitsForAnEtcdThatIsAwayAtTheStart(t *testing.T) {
	t.Parallel()
	p, client := proxied(t, shared)
	p.sever()
	name, calls := clusterName(t), make(chan call)
	a := start(t, client, name, "a", calls)
	_, err := cluster.Members(within(t), client, name)
	if !errors.Is(err, cluster.ErrUnreachable) {
		t.Errorf("members of a silent etcd: %v", err)
	}
	select {
	case <-a.Joined():
		t.Fatal("joined without etcd")
	default:
	}
	p.mend()
	next(t, calls)
}

func TestRunEndsInTimeWhileEtcdIsSilent(t *testing.T) {
	t.Parallel()
	for name, lead := range map[string]bool{"leader": true, "follower": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name, calls, candidacies := clusterName(t), make(chan call), 1
			if !lead {
				candidacies = 2
				start(t, dial(t), name, "other", calls)
				next(t, calls)
			}
			p, client := proxied(t, shared)
			a := start(t, client, name, "a", calls)
			if lead {
				next(t, calls)
			}
			direct := dial(t)
			eventually(t, "candidacy", func() bool { return len(candidates(t, direct, name)) == candidacies })
			p.freeze()
			began := time.Now()
			if err := a.stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("run took %s to end", took)
			}
		})
	}
}

func TestRunSaysThatTheClientWasClosed(t *testing.T) {
	t.Parallel()
	client, err := clientv3.New(clientv3.Config{Endpoints: shared.Endpoints()})
	if err != nil {
		t.Fatal(err)
	}
	calls := make(chan call)
	c, err := cluster.New(cluster.Config{Client: client, Cluster: clusterName(t), Member: cluster.Member{Name: "a", Boot: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	n := node{name: "a", calls: calls}
	go func() { ended <- c.Run(t.Context(), n.lead) }()
	next(t, calls)
	client.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, cluster.ErrClientClosed) {
			t.Errorf("run: %v", err)
		}
	case <-within(t).Done():
		t.Error("run goes on without a client")
	}
}

// A leader that gives up while etcd is silent to it must not keep the office for as long as its session
// lives: it may be unable to lead.
func TestOfficeThatCouldNotBeGivenUpIsFreedLater(t *testing.T) {
	t.Parallel()
	p, client := proxied(t, shared)
	name, calls := clusterName(t), make(chan call)
	var able atomic.Bool
	able.Store(true)
	a := start(t, client, name, "a", calls, withTTL(time.Minute), func(c *cluster.Config) {
		c.CanLead = func(context.Context, int) error {
			if !able.Load() {
				return errors.New("no redis")
			}
			return nil
		}
	})
	first := next(t, calls)
	direct := dial(t)
	b := start(t, direct, name, "b", calls)
	eventually(t, "second candidate", func() bool { return len(candidates(t, direct, name)) == 2 })
	able.Store(false)
	p.freeze()
	first.leave <- errors.New("no store can be written")
	time.Sleep(3 * time.Second) // longer than a last word waits
	if now := candidates(t, direct, name); len(now) != 2 {
		t.Fatalf("candidates are %v while etcd is silent to the leader", now)
	}
	p.thaw()
	if second := next(t, calls); second.node != b.name {
		t.Errorf("%s leads after %s, which cannot", second.node, a.name)
	}
}
