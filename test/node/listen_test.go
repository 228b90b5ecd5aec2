package node_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// heard gathers events.
type heard struct {
	mu     sync.Mutex
	events []carillon.Event
}

func (h *heard) add(e carillon.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// kinds are those heard of a job, in order.
func (h *heard) kinds(jobID string) []carillon.EventKind {
	h.mu.Lock()
	defer h.mu.Unlock()
	var kinds []carillon.EventKind
	for _, e := range h.events {
		if e.JobID == jobID {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func (h *heard) all() []carillon.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]carillon.Event{}, h.events...)
}

func TestListeners(t *testing.T) {
	t.Parallel()
	ctx, node := t.Context(), stage.node
	var all, ends, none, removed heard
	defer node.AddListener(carillon.AllEvents, all.add)()
	defer node.AddListener(carillon.Mask(carillon.JobExecuted, carillon.JobError), ends.add)()
	defer node.AddListener(0, none.add)()
	node.AddListener(carillon.AllEvents, removed.add)()
	j := hourly(uuid.NewString())
	defer node.AddListener(carillon.AllEvents, func(e carillon.Event) {
		if e.JobID == j.ID {
			panic("a listener's own fault")
		}
	})()
	fails := act(t, func(_ context.Context, run carillon.Run) (any, error) {
		if run.Attempt == 1 {
			return nil, errors.New("first")
		}
		return nil, nil
	})
	j.Args, j.Store, j.Retry = fails, "redis", soon(2, time.Millisecond)
	must(stage.client.AddJob(ctx, j))(t)
	id := must(stage.client.TriggerNow(ctx, j.ID, carillon.InStore("redis")))(t)
	eventually(t, 5*time.Second, "the end to be heard", func() bool { return len(ends.kinds(j.ID)) == 1 && len(all.kinds(j.ID)) == 4 })
	want := []carillon.EventKind{carillon.JobStarted, job.JobRetrying, carillon.JobStarted, carillon.JobExecuted}
	if diff := cmp.Diff(want, all.kinds(j.ID)); diff != "" {
		t.Errorf("all events of the run (-want +got):\n%s", diff)
	}
	for _, e := range ends.all() {
		if e.JobID == j.ID && (e.RunID != id || e.Store != "redis" || e.Attempt != 2 || e.Node != "stage" || e.ScheduledTime.IsZero()) {
			t.Errorf("event is %+v", e)
		}
	}
	if len(none.all())+len(removed.all()) != 0 {
		t.Error("a listener heard what it did not ask for")
	}
}

// What the leader decides without a run is heard by the leader's listeners too.
func TestListenersHearOfOneNodesLife(t *testing.T) {
	t.Parallel()
	node := newNode(t, config(t, clusterOf(t), "n"))
	var all heard
	node.AddListener(carillon.AllEvents, all.add)
	l := lift(t, node)
	has := func(kind carillon.EventKind) bool {
		for _, e := range all.all() {
			if e.Kind == kind && e.Node == "n" {
				return true
			}
		}
		return false
	}
	eventually(t, 5*time.Second, "leader_elected", func() bool { return has(job.LeaderElected) })
	l.stop(t, 5*time.Second)
	for _, kind := range []carillon.EventKind{carillon.SchedulerStarted, job.LeaderLost, carillon.SchedulerShutdown} {
		if !has(kind) {
			t.Errorf("%s was not heard: %v", kind, all.all())
		}
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var got, masked heard
	ended := make(chan error, 2)
	for mask, h := range map[carillon.EventMask]*heard{carillon.AllEvents: &got, carillon.Mask(carillon.JobExecuted): &masked} {
		hearing := make(chan struct{})
		go func() {
			ended <- stage.client.Subscribe(ctx, mask, h.add, carillon.OnceHearing(func() { close(hearing) }))
		}()
		<-hearing
	}
	j := carillon.Job{ID: uuid.NewString(), Task: "act", Args: act(t, nothing), Trigger: carillon.At(time.Now().Add(50 * time.Millisecond)), Store: "redis", Executor: "redis"}
	must(stage.client.AddJob(ctx, j))(t)
	want := []carillon.EventKind{carillon.JobAdded, carillon.JobSubmitted, carillon.JobRemoved, carillon.JobStarted, carillon.JobExecuted}
	eventually(t, 10*time.Second, "the job's events", func() bool { return len(got.kinds(j.ID)) == len(want) && len(masked.kinds(j.ID)) == 1 })
	if diff := cmp.Diff(want, got.kinds(j.ID)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]carillon.EventKind{carillon.JobExecuted}, masked.kinds(j.ID)); diff != "" {
		t.Errorf("masked events (-want +got):\n%s", diff)
	}
	cancel()
	for range 2 {
		if err := receive(t, ended, "the subscription to end"); !errors.Is(err, context.Canceled) {
			t.Errorf("subscription ended with %v", err)
		}
	}
}

// Within one run the order is submitted < started < outcome, on every attempt, in the cluster's log.
func TestOrderInTheLog(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cluster := clusterOf(t)
	a := liftNew(t, cluster, "a")
	liftNew(t, cluster, "b")
	j := carillon.Job{ID: "tick", Task: "act", Args: act(t, nothing), Trigger: carillon.Every(20 * time.Millisecond)}
	j.MaxInstances, j.Coalesce = 100, carillon.CoalesceAll
	must(a.AddJob(ctx, j))(t)
	rows(t, a.Client, "tick", 20)
	if err := a.RemoveJob(ctx, "tick"); err != nil {
		t.Fatal(err)
	}
	steps := map[string][]carillon.EventKind{}
	for _, e := range must(a.Events(ctx))(t) {
		if e.RunID != "" {
			steps[e.RunID] = append(steps[e.RunID], e.Kind)
		}
	}
	want := []carillon.EventKind{carillon.JobSubmitted, carillon.JobStarted, carillon.JobExecuted}
	whole := 0
	for id, got := range steps {
		if len(got) == 3 {
			whole++
		}
		if diff := cmp.Diff(want[:min(len(got), 3)], got); diff != "" && got[len(got)-1] != job.JobCancelled {
			t.Errorf("run %s (-want +got):\n%s", id, diff)
		}
	}
	if whole < 20 {
		t.Errorf("%d runs are whole in the log, want 20 at least", whole)
	}
}
