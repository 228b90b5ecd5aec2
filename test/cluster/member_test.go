package cluster_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/cluster"
)

func TestNameOfALivingNodeIsRefused(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	first := start(t, client, name, "a", calls)
	wait(t, "membership", first.Joined())
	c, err := cluster.New(cluster.Config{Client: client, Cluster: name, Member: cluster.Member{Name: "a", Boot: "other"}, TTL: cluster.MinTTL})
	if err != nil {
		t.Fatal(err)
	}
	n := node{name: "a", calls: make(chan call)}
	if err := c.Run(within(t), n.lead); !errors.Is(err, cluster.ErrNameTaken) {
		t.Errorf("run under a taken name: %v", err)
	}
	select {
	case <-c.Joined():
		t.Error("joined under a taken name")
	default:
	}
}

func TestNameOfADeadNodeIsWaitedFor(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	p, cut := proxied(t, shared)
	dead := start(t, cut, name, "a", calls)
	wait(t, "membership", dead.Joined())
	p.sever()
	alive := start(t, client, name, "a", make(chan call))
	wait(t, "membership", alive.Joined())
	members, err := cluster.Members(within(t), client, name)
	if err != nil || len(members) != 1 || members[0].Boot != alive.boot {
		t.Errorf("members are %v, %v", members, err)
	}
}

func TestMembershipDeletedByHandIsWrittenAgain(t *testing.T) {
	t.Parallel()
	client, name := dial(t), clusterName(t)
	a := start(t, client, name, "a", make(chan call))
	wait(t, "membership", a.Joined())
	if _, err := client.Delete(within(t), "/carillon/"+name+"/nodes/a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "membership", func() bool {
		members, err := cluster.Members(within(t), client, name)
		return err == nil && len(members) == 1
	})
}

// sightings collects what observers were told.
type sightings struct {
	mu      sync.Mutex
	leaders []cluster.Leader
	members [][]cluster.Member
}

func (s *sightings) option(c *cluster.Config) {
	c.OnLeader = func(l cluster.Leader) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leaders = append(s.leaders, l)
	}
	c.OnMembers = func(m []cluster.Member) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.members = append(s.members, m)
	}
}

func (s *sightings) last() (cluster.Leader, []cluster.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.leaders) == 0 || len(s.members) == 0 {
		return cluster.Leader{}, nil
	}
	return s.leaders[len(s.leaders)-1], s.members[len(s.members)-1]
}

func TestRosterFollowsTheClusterThroughAnOutage(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	a := start(t, client, name, "a", calls, withTTL(time.Minute))
	held := next(t, calls)
	var seen sightings
	p, cut := proxied(t, shared)
	b := start(t, cut, name, "b", calls, seen.option, withTTL(time.Minute))
	agree := func(leader cluster.Leader, names ...string) func() bool {
		return func() bool {
			var got []string
			for _, m := range b.Members() {
				got = append(got, m.Name)
			}
			l, ok := b.Leader(0)
			toldLeader, told := seen.last()
			return cmp.Equal(got, names) && l == leader && ok == (leader != cluster.Leader{}) && toldLeader == leader && len(told) == len(names)
		}
	}
	leader := cluster.Leader{Name: "a", Term: held.office.Term}
	eventually(t, "two members", agree(leader, "a", "b"))
	want, err := cluster.Members(within(t), client, name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.Members()); diff != "" {
		t.Errorf("the roster differs from etcd (-etcd +roster):\n%s", diff)
	}
	p.sever()
	c := start(t, client, name, "c", calls, withTTL(time.Minute))
	wait(t, "membership", c.Joined())
	p.mend()
	eventually(t, "three members", agree(leader, "a", "b", "c"))
	c.Resign()
	b.Resign()
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody leads", agree(cluster.Leader{}, "b", "c"))
}

func TestEpochAndStoresAreWrittenOnce(t *testing.T) {
	t.Parallel()
	client, name := dial(t), clusterName(t)
	first, err := cluster.Epoch(within(t), client, name)
	if err != nil || first == "" {
		t.Fatalf("epoch %q, %v", first, err)
	}
	if again, err := cluster.Epoch(within(t), client, name); err != nil || again != first {
		t.Errorf("epoch %q, %v, was %q", again, err, first)
	}
	if uid, err := cluster.StoreUID(within(t), client, name, "default"); err != nil || uid != "" {
		t.Errorf("unknown store has uid %q, %v", uid, err)
	}
	for _, claim := range []struct{ uid, want string }{{"one", "one"}, {"two", "one"}} {
		if got, err := cluster.ClaimStore(within(t), client, name, "default", claim.uid); err != nil || got != claim.want {
			t.Errorf("claim of %s: got %q, %v, want %s", claim.uid, got, err, claim.want)
		}
	}
	if err := cluster.AdoptStore(within(t), client, name, "default", "two"); err != nil {
		t.Fatal(err)
	}
	if uid, err := cluster.StoreUID(within(t), client, name, "default"); err != nil || uid != "two" {
		t.Errorf("adopted store has uid %q, %v", uid, err)
	}
	if _, err := cluster.ClaimStore(within(t), client, name, "cellar", "three"); err != nil {
		t.Fatal(err)
	}
	if names, err := cluster.Stores(within(t), client, name); err != nil || !slices.Equal(names, []string{"cellar", "default"}) {
		t.Errorf("stores are %q, %v", names, err)
	}
}
