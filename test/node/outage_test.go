package node_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
)

// handled notes when handlers of a job ran.
type handled struct {
	mu    sync.Mutex
	spans map[string][][2]time.Time
}

func (h *handled) lasting(d time.Duration) carillon.TaskFunc {
	return func(ctx context.Context, run carillon.Run) (any, error) {
		begin := time.Now()
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.spans[run.JobID] = append(h.spans[run.JobID], [2]time.Time{begin, time.Now()})
		return nil, context.Cause(ctx)
	}
}

// ran reports whether a handler of the job ran within slack of at.
func (h *handled) ran(id string, at time.Time, slack time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.spans[id] {
		if at.After(s[0].Add(-slack)) && at.Before(s[1].Add(slack)) {
			return true
		}
	}
	return false
}

// Redis goes away while handlers run that end before it is back. The times that come due meanwhile are caught up, and
// no time finds a slot that is taken by a run that has ended.
func TestNoTimeIsRefusedForARunThatEndedInAnOutage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		coalesce job.Coalesce
		signal   syscall.Signal
	}{
		{carillon.CoalesceLatest, syscall.SIGKILL},
		{carillon.CoalesceLatest, syscall.SIGTERM},
		{carillon.CoalesceAll, syscall.SIGKILL},
		{carillon.CoalesceAll, syscall.SIGTERM},
	} {
		t.Run(fmt.Sprintf("%s-%s", c.coalesce, c.signal), func(t *testing.T) {
			t.Parallel()
			endInOutage(t, c.coalesce, c.signal)
		})
	}
}

// endInOutage sends Redis a signal while eight jobs run, and brings it back when their handlers have ended.
func endInOutage(t *testing.T, coalesce job.Coalesce, signal syscall.Signal) {
	ctx, name := t.Context(), clusterOf(t)
	own := must(devstack.StartRedis(ctx, devstack.RedisConfig{AppendOnly: true, Args: []string{"--appendfsync", "always"}}))(t)
	t.Cleanup(func() {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &handled{spans: map[string][][2]time.Time{}}
	args := act(t, h.lasting(500*time.Millisecond))
	var nodes []*lifted
	for _, node := range []string{"a", "b"} {
		cfg := config(t, name, node)
		cfg.Redis, cfg.RunLease = own.URL(), 15*time.Second
		nodes = append(nodes, lift(t, newNode(t, cfg)))
	}
	const jobs = 8
	for i := range jobs {
		j := carillon.Job{ID: fmt.Sprintf("j%d", i), Task: "act", Args: args, Trigger: carillon.Every(time.Second)}
		j.Coalesce, j.MaxInstances = coalesce, 1
		must(nodes[0].AddJob(ctx, j))(t)
	}
	time.Sleep(1200 * time.Millisecond) // their handlers have begun, or are about to
	if err := must(os.FindProcess(own.Pid()))(t).Signal(signal); err != nil {
		t.Fatal(err)
	}
	<-own.Done()
	time.Sleep(4 * time.Second) // so long that reports are tried with long pauses
	if err := own.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	for i := range jobs {
		h.judge(t, nodes[1].Client, fmt.Sprintf("j%d", i), back)
	}
}

// judge waits until a job has run again after back, and holds each of its times that was refused to the handlers.
func (h *handled) judge(t *testing.T, client *carillon.Client, id string, back time.Time) {
	t.Helper()
	eventually(t, 10*time.Second, "a run of "+id+" that became due after the outage", func() bool {
		for _, r := range must(client.History(t.Context(), id, 1000))(t) {
			if r.Outcome == job.Executed && r.ScheduledTime.After(back) {
				return true
			}
		}
		return false
	})
	for _, r := range must(client.History(t.Context(), id, 1000))(t) {
		switch {
		case r.Outcome == job.Executed || r.Outcome == job.Coalesced:
		case r.Outcome != job.MaxInstances || !h.ran(id, r.Finished, 100*time.Millisecond):
			t.Errorf("%s: no handler ran at %s, and history says %+v", id, r.Finished, r)
		}
	}
}
