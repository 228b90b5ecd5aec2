package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/job"
)

// inGroups is a node of a cluster whose four partitions are led in two groups.
func inGroups(t *testing.T, cluster, name string, groups int) carillon.Config {
	cfg := config(t, cluster, name)
	cfg.Partitions, cfg.Groups = 4, groups
	return cfg
}

// offices are the latest elections by what they say of their group.
type offices struct {
	mu  sync.Mutex
	now map[string]carillon.Event
}

func (o *offices) hear(e carillon.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now == nil {
		o.now = map[string]carillon.Event{}
	}
	if e.Term > o.now[e.Cause].Term {
		o.now[e.Cause] = e
	}
}

func (o *offices) of(group string) carillon.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now[group]
}

// ticks counts the runs of each due time.
type ticks struct {
	mu  sync.Mutex
	ran map[string]int
}

func (c *ticks) tick(_ context.Context, run carillon.Run) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ran[fmt.Sprint(run.JobID, run.ScheduledTime.UnixMilli())]++
	return nil, nil
}

func (c *ticks) count(id string, due time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ran[fmt.Sprint(id, due.UnixMilli())]
}

// TestGroupsFireEachDueTimeOnce: jobs in all four partitions tick while the leader of group 1 shuts
// down, the one of group 0 is made to step down, and the lone node that is left leads both.
func TestGroupsFireEachDueTimeOnce(t *testing.T) {
	t.Parallel()
	ctx, name := t.Context(), clusterOf(t)
	var elected offices
	nodes := map[string]*lifted{}
	for _, n := range []string{"a", "b", "c"} {
		node := newNode(t, inGroups(t, name, n, 2))
		node.AddListener(carillon.Mask(job.LeaderElected), elected.hear)
		nodes[n] = lift(t, node)
	}
	eventually(t, 10*time.Second, "both groups are led", func() bool { return elected.of("group 0").Term > 0 && elected.of("group 1").Term > 0 })
	const every = 50 * time.Millisecond
	counted := &ticks{ran: map[string]int{}}
	args, began := act(t, counted.tick), map[string]time.Time{}
	client := strange(t, name)
	if n, err := client.Partitions(); n != 4 || err != nil {
		t.Fatalf("the store has %d partitions, %v", n, err)
	}
	for i := range 12 {
		j := carillon.Job{ID: fmt.Sprintf("tick-%d", i), Task: "act", Args: args, Trigger: carillon.Every(every)}
		j.Coalesce, j.MaxInstances = carillon.CoalesceAll, 100
		began[j.ID], _ = must(client.AddJob(ctx, j))(t).NextRunTime.Time()
	}
	ticked := func(what string) {
		from := time.Now().Add(5 * every).Truncate(every)
		for id, first := range began {
			due := first.Add(from.Sub(first).Truncate(every))
			eventually(t, 15*time.Second, id+" ticks "+what, func() bool { return counted.count(id, due) > 0 })
		}
	}
	changed := func(group string, was carillon.Event) {
		eventually(t, 15*time.Second, group+" is led again", func() bool { return elected.of(group).Term > was.Term })
	}
	ticked("at first")
	was := elected.of("group 1")
	nodes[was.Node].stop(t, 5*time.Second)
	delete(nodes, was.Node)
	changed("group 1", was)
	ticked("after the leader of group 1 left")

	was = elected.of("group 0")
	if err := cluster.StepDown(ctx, etcdOf(t), name, 0, was.Term); err != nil {
		t.Fatal(err)
	}
	changed("group 0", was)
	ticked("after the leader of group 0 stepped down")
	for n, l := range nodes {
		if len(nodes) > 1 {
			l.stop(t, 5*time.Second)
			delete(nodes, n)
		}
	}
	ticked("with one node left")
	for _, l := range nodes {
		eventually(t, 10*time.Second, "metrics of both groups", func() bool {
			_, body := get(t, "http://"+l.Address()+"/metrics")
			return strings.Contains(body, `carillon_leader{group="0",node="`+l.Name()+`"} 1`) &&
				strings.Contains(body, `carillon_leader{group="1",node="`+l.Name()+`"} 1`)
		})
	}
	until := time.Now()
	for id, first := range began {
		for due := first; due.Before(until.Add(-time.Second)); due = due.Add(every) {
			if n := counted.count(id, due); n != 1 {
				t.Errorf("%s ran %d times at %s", id, n, due)
			}
		}
	}
}

func etcdOf(t *testing.T) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: world.etcd.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// TestEventsSayWhichGroup: the log of the cluster has the group as the cause of an election, and in
// front of the cause of its loss.
func TestEventsSayWhichGroup(t *testing.T) {
	t.Parallel()
	name := clusterOf(t)
	n := lift(t, newNode(t, inGroups(t, name, "n", 2)))
	client := strange(t, name)
	causes := func(kind carillon.EventKind) map[string]int {
		seen := map[string]int{}
		for _, e := range must(client.Events(t.Context()))(t) {
			if e.Kind == kind {
				seen[e.Cause]++
			}
		}
		return seen
	}
	eventually(t, 10*time.Second, "both groups took office in their two partitions", func() bool {
		seen := causes(job.LeaderElected)
		return seen["group 0"] == 2 && seen["group 1"] == 2 && len(seen) == 2
	})
	term := must(cluster.CurrentLeader(t.Context(), etcdOf(t), name, 1))(t).Term
	if err := cluster.StepDown(t.Context(), etcdOf(t), name, 1, term); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the loss is told", func() bool {
		for cause := range causes(job.LeaderLost) {
			if strings.HasPrefix(cause, "group 1: ") {
				return true
			}
		}
		return false
	})
	n.stop(t, 5*time.Second)
}

func TestNodeWithOtherGroupsDoesNotStart(t *testing.T) {
	t.Parallel()
	name := clusterOf(t)
	lift(t, newNode(t, inGroups(t, name, "a", 1)))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := newNode(t, inGroups(t, name, "b", 2)).Run(ctx)
	if !errors.Is(err, cluster.ErrGroups) || !strings.Contains(err.Error(), "--groups 1") {
		t.Errorf("it ended with %v", err)
	}
	cfg := inGroups(t, name, "c", 200)
	if _, err := carillon.NewNode(cfg); err == nil || !strings.Contains(err.Error(), "groups 200") {
		t.Errorf("200 groups: %v", err)
	}
}
