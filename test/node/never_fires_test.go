package node_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// A record that an earlier version has left active without a run time is told of, and resume has it fire.
func TestJobThatLostItsRunTimeIsRevived(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := config(t, clusterOf(t), "n")
	n := lift(t, newNode(t, cfg))
	must(n.AddJob(ctx, carillon.Job{ID: "ahead", Task: "act", Args: act(t, nothing), Trigger: carillon.At(time.Now().Add(time.Hour))}))(t)
	opts, err := redis.ParseURL(cfg.Redis)
	if err != nil {
		t.Fatal(err)
	}
	raw := redis.NewClient(opts)
	t.Cleanup(func() { _ = raw.Close() })
	if err := raw.ZRem(ctx, "{"+cfg.Cluster+":0}:run_times", "ahead").Err(); err != nil {
		t.Fatal(err)
	}
	s := must(n.Standing(ctx, "ahead"))(t)
	if s.State != carillon.JobIsActive || !strings.Contains(s.Reason, "never fires") {
		t.Errorf("it stands as %s, %q", s.State, s.Reason)
	}
	found := 0
	err = storeOf(t, cfg).Check(ctx, func(f store.Finding) {
		if f.Fault == store.JobWithoutTime && strings.Contains(f.Remedy, "carillon job resume") {
			found++
		}
	})
	if err != nil || found != 1 {
		t.Errorf("store check finds it %d times (%v)", found, err)
	}
	before := time.Now()
	j := must(n.ResumeJob(ctx, "ahead"))(t)
	at, ok := j.NextRunTime.Time()
	if !ok || at.Before(before.Add(50*time.Minute)) {
		t.Errorf("after resume its next run is %v, %t", at, ok)
	}
	if s := must(n.Standing(ctx, "ahead"))(t); s.Reason != "" {
		t.Errorf("after resume it is said that %q", s.Reason)
	}

	// One whose time has passed since is due at once, as after an outage.
	past := carillon.Job{ID: "past", Task: "act", Args: act(t, func(context.Context, carillon.Run) (any, error) { return "ran", nil }), Trigger: carillon.At(time.Now().Add(-time.Hour))}
	if err := n.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	must(n.AddJob(ctx, past))(t)
	if err := raw.ZRem(ctx, "{"+cfg.Cluster+":0}:run_times", "past").Err(); err != nil {
		t.Fatal(err)
	}
	if err := n.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	must(n.ResumeJob(ctx, "past"))(t)
	if row := rows(t, n.Client, "past", 1)[0]; row.Outcome != job.Executed {
		t.Errorf("outcome %s", row.Outcome)
	}
}

// storeOf opens a store that a node has made.
func storeOf(t *testing.T, cfg carillon.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: cfg.Redis, Namespace: cfg.Cluster, Node: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
