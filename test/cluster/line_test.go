package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/carillon-project/carillon/cluster"
)

// queue begins nodes one after another, so that they stand in line in this order, and waits until
// each sees who leads before it; the first is in office then.
func queue(t *testing.T, client *clientv3.Client, clusterName string, calls chan call, names ...string) map[string]*process {
	t.Helper()
	all := map[string]*process{}
	for i, name := range names {
		etcd, reached := proxied(t, shared)
		p := begin(t, clusterName, name, calls, func(c *cluster.Config) { c.Client = reached })
		p.etcd = etcd
		all[name] = p
		eventually(t, name+" is in line", func() bool { return len(candidates(t, client, clusterName)) == i+1 })
		if i == 0 {
			next(t, calls)
		}
		eventually(t, name+" watches those before it", func() bool { return p.Watched() >= min(i, 3) })
	}
	eventually(t, "the leader watches all", func() bool { return all[names[0]].Watched() == len(names)-1 })
	return all
}

// standing returns the names of the candidates, first created first.
func standing(t *testing.T, client *clientv3.Client, clusterName string) []string {
	t.Helper()
	var names []string
	for _, c := range candidates(t, client, clusterName) {
		names = append(names, c.Name)
	}
	return names
}

// TestDeadCandidateLosesItsPlaceInLine: whoever was killed while it stood next in line does not win
// the office, although its lease lives; it stays a member as long as that.
func TestDeadCandidateLosesItsPlaceInLine(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	nodes := queue(t, client, name, calls, "a", "b", "c")
	killed := time.Now()
	nodes["b"].kill()
	eventually(t, "b has lost its place", func() bool { return slices.Equal(standing(t, client, name), []string{"a", "c"}) })
	t.Logf("after %s b stands in line no more", time.Since(killed))
	if m, err := cluster.Members(within(t), client, name); err != nil || len(m) != 3 {
		t.Errorf("members are %v, %v; only the election key may be deleted", m, err)
	}
	nodes["a"].kill()
	if second := next(t, calls); second.node != "c" {
		t.Errorf("%s leads", second.node)
	}
}

// TestLeaderAndItsSuccessorsDieTogether: the leader can tell of nobody, and whoever wins is dead and
// was never connected to as leader; those behind know nevertheless.
func TestLeaderAndItsSuccessorsDieTogether(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	nodes := queue(t, client, name, calls, "a", "b", "c", "d")
	killed := time.Now()
	dead := []*process{nodes["a"], nodes["b"], nodes["c"]}
	for _, p := range dead {
		p.etcd.freeze() // else they would act on the deaths of the others
	}
	for _, p := range dead {
		p.kill()
	}
	if second := next(t, calls); second.node != "d" {
		t.Errorf("%s leads", second.node)
	}
	t.Logf("after %s d leads", time.Since(killed))
	for _, p := range dead {
		p.etcd.thaw()
	}
}

// TestCutConnectionTakesNobodyOutOfLine: the redial is answered by the same boot.
func TestCutConnectionTakesNobodyOutOfLine(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	nodes := queue(t, client, name, calls, "a", "b", "c")
	before := nodes["b"].asked.Load()
	nodes["b"].proxy.sever()
	nodes["b"].proxy.mend()
	eventually(t, "b is asked again by both", func() bool { return nodes["b"].asked.Load() >= before+2 })
	nodes["c"].kill() // what is known of b was acted on before what is known of c
	eventually(t, "c has lost its place", func() bool { return !slices.Contains(standing(t, client, name), "c") })
	if now := standing(t, client, name); !slices.Equal(now, []string{"a", "b"}) {
		t.Errorf("candidates are %v", now)
	}
}

// TestNameOfADeadProcessKeepsItsPlaceForAnother: what is proven of a boot says nothing of another boot
// under the same name.
func TestNameOfADeadProcessKeepsItsPlaceForAnother(t *testing.T) {
	t.Parallel()
	client, name, calls := dial(t), clusterName(t), make(chan call)
	var told deaths
	begin(t, name, "a", calls, told.hear)
	next(t, calls)
	b := begin(t, name, "b", calls)
	c := begin(t, name, "c", calls)
	eventually(t, "three stand", func() bool { return len(standing(t, client, name)) == 3 })
	eventually(t, "both are watched", func() bool { return b.asked.Load() > 0 && c.asked.Load() > 0 })
	key := "/carillon/" + name + "/nodes/b"
	other, err := json.Marshal(cluster.Member{Name: "b", Boot: "another", Address: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Put(within(t), key, string(other), clientv3.WithLease(leaseOf(t, client, key))); err != nil {
		t.Fatal(err)
	}
	b.kill()
	eventually(t, "the first boot of b is known to be gone", func() bool { return slices.Contains(told.all(), "b") })
	c.kill()
	eventually(t, "c has lost its place", func() bool { return !slices.Contains(standing(t, client, name), "c") })
	if now := standing(t, client, name); !slices.Equal(now, []string{"a", "b"}) {
		t.Errorf("candidates are %v", now)
	}
}

// TestDeadLeaderIsReplacedOnceEtcdAnswers: what is proven stays true while etcd is silent.
func TestDeadLeaderIsReplacedOnceEtcdAnswers(t *testing.T) {
	t.Parallel()
	name, calls := clusterName(t), make(chan call)
	leader := begin(t, name, "a", calls)
	first := next(t, calls)
	p, client := proxied(t, shared)
	b := start(t, client, name, "b", calls, withTTL(longLease))
	eventually(t, "b holds a connection to a", b.guards)
	p.freeze()
	leader.kill()
	time.Sleep(6 * time.Second) // longer than one question to etcd waits
	if first.ctx.Err() != nil {
		t.Fatal("the office was freed while etcd was silent")
	}
	p.thaw()
	if second := next(t, calls); second.node != "b" {
		t.Errorf("%s leads", second.node)
	}
	if cause := context.Cause(first.ctx); !errors.Is(cause, cluster.ErrOfficeLost) {
		t.Errorf("the old office ended with %v", cause)
	}
}
