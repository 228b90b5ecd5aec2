package node_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/job"
)

func TestShutdownWaitsForHandlers(t *testing.T) {
	t.Parallel()
	name := clusterOf(t)
	n := liftNew(t, name, "n")
	args, begun, end := untilTold(t)
	id := must(n.Enqueue(t.Context(), "act", args))(t)
	receive(t, begun, "the run")
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.stop(t, 10*time.Second)
	}()
	select {
	case <-done:
		t.Error("shutdown did not wait for the handler")
	case <-time.After(300 * time.Millisecond):
	}
	close(end)
	receive(t, done, "the shutdown")
	// The node's client is closed; another looks.
	if r := rowOf(t, strange(t, name), "@act", id); r.Outcome != job.Executed || r.Attempt != 1 {
		t.Errorf("history is %+v", r)
	}
}

// strange is a client without a node, on the default store of a cluster.
func strange(t *testing.T, cluster string) *carillon.Client {
	t.Helper()
	client, err := carillon.NewClient(t.Context(), carillon.ClientConfig{Redis: world.redis.URL(), Namespace: cluster})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestShutdownWithoutWaiting(t *testing.T) {
	t.Parallel()
	name := clusterOf(t)
	a := liftNew(t, name, "a")
	causes := make(chan error, 1)
	begun, again := make(chan carillon.Run, 1), make(chan carillon.Run, 1)
	args := act(t, func(ctx context.Context, run carillon.Run) (any, error) {
		if run.Attempt > 1 {
			again <- run
			return nil, nil
		}
		begun <- run
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	})
	id := must(a.Enqueue(t.Context(), "act", args))(t)
	receive(t, begun, "the first attempt")
	b := liftNew(t, name, "b")
	at := time.Now()
	a.stop(t, 0)
	if took := time.Since(at); took > 4*time.Second {
		t.Errorf("shutdown without waiting took %v", took)
	}
	receive(t, causes, "the handler to be cancelled")
	if run := receive(t, again, "the run on the other node"); run.ID != id || run.Attempt != 2 || run.Node != "b" {
		t.Errorf("run is %+v, want %s as attempt 2 on b", run, id)
	}
	if r := rowOf(t, b.Client, "@act", id); r.Outcome != job.Executed || r.Attempt != 2 {
		t.Errorf("history is %+v", r)
	}
}

func TestShutdownOfANodeThatIsNotRunning(t *testing.T) {
	t.Parallel()
	node := newNode(t, config(t, clusterOf(t), "n"))
	if err := node.Shutdown(t.Context()); err == nil {
		t.Error("no error")
	}
	l := lift(t, node)
	l.stop(t, 5*time.Second)
	if err := node.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown after the end gave %v", err)
	}
	if err := node.Run(t.Context()); err == nil {
		t.Error("running twice gave no error")
	}
}

// terms are those that a listener heard of.
type terms struct {
	mu  sync.Mutex
	all []carillon.Event
}

func (e *terms) add(ev carillon.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *terms) last() carillon.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.all) == 0 {
		return carillon.Event{}
	}
	return e.all[len(e.all)-1]
}

func TestLeaderLeavesAndNothingIsLost(t *testing.T) {
	t.Parallel()
	ctx, name := t.Context(), clusterOf(t)
	var elected terms
	nodes := map[string]*lifted{}
	for _, n := range []string{"a", "b", "c"} {
		node := newNode(t, config(t, name, n))
		node.AddListener(carillon.Mask(job.LeaderElected), elected.add)
		nodes[n] = lift(t, node)
	}
	eventually(t, 10*time.Second, "a leader", func() bool { return elected.last().Term > 0 })
	var ran sync.Map
	var doubled atomic.Int64
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) {
		if _, twice := ran.LoadOrStore(run.ScheduledTime.UnixMilli(), true); twice {
			doubled.Add(1)
		}
		return nil, nil
	})
	j := carillon.Job{ID: "tick", Task: "act", Args: args, Trigger: carillon.Every(50 * time.Millisecond)}
	j.Coalesce, j.MaxInstances = carillon.CoalesceAll, 100
	first := elected.last()
	var survivor *lifted
	for n, l := range nodes {
		if n != first.Node {
			survivor = l
		}
	}
	added := must(survivor.AddJob(ctx, j))(t)
	rows(t, survivor.Client, "tick", 5)
	nodes[first.Node].stop(t, 5*time.Second)
	eventually(t, 10*time.Second, "another leader", func() bool { return elected.last().Term > first.Term })
	if elected.last().Node == first.Node {
		t.Errorf("the leader is %+v after %+v left", elected.last(), first)
	}
	start, _ := added.NextRunTime.Time()
	within := time.Since(start)/(50*time.Millisecond) + 10
	rows(t, survivor.Client, "tick", int(within))
	if err := survivor.RemoveJob(ctx, "tick"); err != nil {
		t.Fatal(err)
	}
	for i := range int64(within) {
		if _, ok := ran.Load(start.UnixMilli() + i*50); !ok {
			t.Errorf("due time %d was lost", i)
		}
	}
	if doubled.Load() != 0 {
		t.Errorf("%d due times ran twice", doubled.Load())
	}
}

func TestNodeNameTaken(t *testing.T) {
	t.Parallel()
	name := clusterOf(t)
	liftNew(t, name, "n")
	second := newNode(t, config(t, name, "n"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := second.Run(ctx); !errors.Is(err, cluster.ErrNameTaken) {
		t.Errorf("a second node of the name ended with %v", err)
	}
}
