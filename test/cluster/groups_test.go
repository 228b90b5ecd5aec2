package cluster_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/carillon-project/carillon/cluster"
)

func inGroups(n int) option { return func(c *cluster.Config) { c.Groups = n } }

// line is who stands in an election, in order.
func line(t *testing.T, client *clientv3.Client, clusterName, election string) string {
	t.Helper()
	resp, err := client.Get(within(t), "/carillon/"+clusterName+"/"+election+"/", clientv3.WithPrefix(),
		clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, kv := range resp.Kvs {
		names = append(names, string(kv.Value))
	}
	return strings.Join(names, " ")
}

// leads collects the next calls of lead by their groups.
func leads(t *testing.T, calls chan call, groups int) map[int]call {
	t.Helper()
	offices := map[int]call{}
	for range groups {
		c := next(t, calls)
		offices[c.office.Group] = c
	}
	return offices
}

// TestKilledLeaderLosesOnlyItsGroupToAFreeNode: of three nodes two lead one group each. Whoever is
// free stands first in both lines, although it came last, so that it gets the group of the one who is
// killed, at once, and the other group does not move.
func TestKilledLeaderLosesOnlyItsGroupToAFreeNode(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	a := begin(t, name, "a", calls, inGroups(2))
	first := leads(t, calls, 2)
	if first[0].office.Term == first[1].office.Term || first[1].office.Term == 0 {
		t.Fatalf("offices are %+v", first)
	}
	b := begin(t, name, "b", calls, inGroups(2))
	eventually(t, "b stands", func() bool { return line(t, client, name, "election-1") == "a b" })
	first[1].leave <- errors.New("for b")
	second := next(t, calls)
	if second.node != "b" || second.office.Group != 1 {
		t.Fatalf("%s leads group %d", second.node, second.office.Group)
	}
	eventually(t, "a stands again, b stands too", func() bool {
		return line(t, client, name, "election-1") == "b a" && line(t, client, name, "election") == "a b"
	})
	c := begin(t, name, "c", calls, inGroups(2))
	eventually(t, "c has been let pass", func() bool {
		return line(t, client, name, "election-1") == "b c a" && line(t, client, name, "election") == "a c b"
	})
	for _, follower := range []*process{a, c} {
		eventually(t, "group 1 is guarded", func() bool { _, ok := follower.Guarding(1); return ok })
	}
	killed := time.Now()
	b.kill()
	third := next(t, calls)
	if took := time.Since(killed); took > time.Second {
		t.Errorf("group 1 was led again after %s", took)
	} else {
		t.Logf("taken over in %s", took)
	}
	if third.node != "c" || third.office.Group != 1 || third.office.Term <= second.office.Term {
		t.Errorf("%s leads %+v after %+v", third.node, third.office, second.office)
	}
	if first[0].ctx.Err() != nil || a.Term(0) != first[0].office.Term {
		t.Errorf("group 0 moved: %v", context.Cause(first[0].ctx))
	}
}

func TestLoneNodeLeadsAllGroupsAndHandsOneOver(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	begin := func(n string) {
		l, run := serve(t, new(atomic.Int64))
		run(start(t, client, name, n, calls, inGroups(2), at(l.Address())))
	}
	begin("a")
	first := leads(t, calls, 2)
	older, newer := first[0], first[1]
	if older.office.Term > newer.office.Term {
		older, newer = newer, older
	}
	begin("b")
	second := next(t, calls)
	if second.node != "b" || second.office.Group != newer.office.Group {
		t.Errorf("%s leads group %d, not b group %d", second.node, second.office.Group, newer.office.Group)
	}
	if cause := context.Cause(newer.ctx); !errors.Is(cause, cluster.ErrHandedOver) || older.ctx.Err() != nil {
		t.Errorf("a's offices ended with %v and %v", cause, context.Cause(older.ctx))
	}
}

func TestStepDownAndResignEndOneGroup(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	a := start(t, client, name, "a", calls, inGroups(3))
	first := leads(t, calls, 3)
	if err := cluster.StepDown(within(t), client, name, 1, first[1].office.Term); err != nil {
		t.Fatal(err)
	}
	again := next(t, calls)
	if again.office.Group != 1 || again.office.Term <= first[1].office.Term || !errors.Is(context.Cause(first[1].ctx), cluster.ErrOfficeLost) {
		t.Errorf("after the step down of group 1: %+v, and %v", again.office, context.Cause(first[1].ctx))
	}
	a.Resign(2)
	wait(t, "group 2 is given up", first[2].ctx.Done())
	if cause := context.Cause(first[2].ctx); !errors.Is(cause, cluster.ErrResigned) || first[0].ctx.Err() != nil || again.ctx.Err() != nil {
		t.Errorf("group 2 ended with %v, group 0 with %v, group 1 with %v", cause, context.Cause(first[0].ctx), context.Cause(again.ctx))
	}
	a.Resign()
	wait(t, "group 0 is given up", first[0].ctx.Done())
	wait(t, "group 1 is given up", again.ctx.Done())
	for group := range 3 {
		eventually(t, "nobody leads", func() bool {
			l, err := cluster.CurrentLeader(within(t), client, name, group)
			return l == nil && err == nil
		})
	}
}

func TestMembersHaveOneNumberOfGroups(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		have, other int
	}{
		{"more", 1, 2},
		{"fewer", 2, 1},
		{"another", 2, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client, name, calls := dial(t), clusterName(t), make(chan call, 10)
			a := start(t, client, name, "a", calls, inGroups(tt.have))
			wait(t, "a is a member", a.Joined())
			run := func() (chan error, *cluster.Cluster) {
				b, err := cluster.New(cluster.Config{Client: client, Cluster: name, TTL: cluster.MinTTL, Groups: tt.other,
					Member: cluster.Member{Name: "b", Boot: uuid.NewString()}})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() {
					ended <- b.Run(ctx, func(ctx context.Context, _ cluster.Office) error { <-ctx.Done(); return nil })
				}()
				t.Cleanup(func() { cancel(); <-ended })
				return ended, b
			}
			ended, _ := run()
			err := <-ended
			ended <- err
			if !errors.Is(err, cluster.ErrGroups) || !strings.Contains(err.Error(), "stop all nodes") {
				t.Errorf("a node with %d groups beside one with %d: %v", tt.other, tt.have, err)
			}
			if n, err := cluster.Groups(within(t), client, name); n != tt.have || err != nil {
				t.Errorf("groups are %d, %v", n, err)
			}
			if err := a.stop(); err != nil {
				t.Fatal(err)
			}
			_, b := run()
			wait(t, "b is a member once a has left", b.Joined())
			if n, err := cluster.Groups(within(t), client, name); n != tt.other || err != nil {
				t.Errorf("groups are %d, %v", n, err)
			}
		})
	}
}
