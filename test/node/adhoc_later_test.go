package node_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// stateOf asks where a run is.
func stateOf(t *testing.T, client *carillon.Client, runID string, opts ...carillon.CallOption) carillon.RunInfo {
	t.Helper()
	return must(client.GetRun(t.Context(), runID, opts...))(t)
}

func awaitState(t *testing.T, client *carillon.Client, runID string, want carillon.RunState) carillon.RunInfo {
	t.Helper()
	var got carillon.RunInfo
	eventually(t, 10*time.Second, "run "+runID+" is in state "+string(want), func() bool {
		var err error
		got, err = client.GetRun(t.Context(), runID)
		return err == nil && got.State == want
	})
	return got
}

func TestRunsForLater(t *testing.T) {
	t.Parallel()
	ran := make(chan time.Time, 1)
	for _, c := range []struct {
		name   string
		option func() (carillon.CallOption, time.Time)
	}{
		{"at a time", func() (carillon.CallOption, time.Time) {
			at := time.Now().Add(1500 * time.Millisecond)
			return carillon.RunAt(at), at
		}},
		{"after a while", func() (carillon.CallOption, time.Time) {
			return carillon.RunAfter(1500 * time.Millisecond), time.Now().Add(1500 * time.Millisecond)
		}},
		{"at a time that has passed", func() (carillon.CallOption, time.Time) {
			at := time.Now().Add(-time.Hour)
			return carillon.RunAt(at), at
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := act(t, func(_ context.Context, run carillon.Run) (any, error) {
				ran <- run.ScheduledTime
				return nil, nil
			})
			option, at := c.option()
			id := must(stage.client.Enqueue(t.Context(), "act", args, option))(t)
			if time.Until(at) > time.Second {
				if r := stateOf(t, stage.client, id); r.State != carillon.RunDelayed || r.Due.Sub(at).Abs() > 100*time.Millisecond {
					t.Errorf("until its time the run is %+v", r)
				}
			}
			scheduled := receive(t, ran, "the run")
			if early := at.Add(-2 * time.Millisecond); time.Now().Before(early) || scheduled.Sub(at).Abs() > 100*time.Millisecond {
				t.Errorf("it ran at %v with the scheduled time %v, want %v", time.Now(), scheduled, at)
			}
			// The next look of the leader without a wake would be a second late.
			if late := time.Since(at); at.After(time.Now().Add(-time.Minute)) && late > 700*time.Millisecond {
				t.Errorf("it ran %v late", late)
			}
			if r := rowOf(t, stage.client, "@act", id); r.Outcome != job.Executed {
				t.Errorf("history is %+v", r)
			}
		})
	}
}

func TestIdempotencyKeyOfARunForLater(t *testing.T) {
	t.Parallel()
	client := stage.client
	key := carillon.IdempotencyKeyFor(uuid.NewString(), time.Minute)
	first := must(client.Enqueue(t.Context(), "act", act(t, nothing), key, carillon.RunAfter(time.Hour)))(t)
	again := must(client.Enqueue(t.Context(), "act", act(t, nothing), key))(t)
	if first != again {
		t.Errorf("the key made the runs %s and %s", first, again)
	}
	if r := stateOf(t, client, first); r.State != carillon.RunDelayed {
		t.Errorf("the second call moved the run: %+v", r)
	}
	if err := client.CancelRun(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Enqueue(t.Context(), "act", nil, carillon.IdempotencyKeyFor("k", 0)); err == nil {
		t.Error("a key without a life was taken")
	}
}

func TestCancelBeforeTheStart(t *testing.T) {
	t.Parallel()
	client := stage.client
	never := act(t, func(context.Context, carillon.Run) (any, error) {
		t.Error("a cancelled run has started")
		return nil, nil
	})
	t.Run("delayed", func(t *testing.T) {
		id := must(client.Enqueue(t.Context(), "act", never, carillon.RunAfter(time.Hour)))(t)
		cancelled(t, client, "@act", id)
	})
	t.Run("in backoff", func(t *testing.T) {
		failing := act(t, func(context.Context, carillon.Run) (any, error) { return nil, errors.New("boom") })
		id := must(client.Enqueue(t.Context(), "act", failing, carillon.WithRetry(soon(2, time.Hour))))(t)
		awaitState(t, client, id, carillon.RunDelayed)
		cancelled(t, client, "@act", id)
	})
	t.Run("in line", func(t *testing.T) {
		args, begun, end := untilTold(t)
		release := sync.OnceFunc(func() { close(end) })
		defer release()
		j := hourly(uuid.NewString())
		j.Args, j.Overlap = args, carillon.OverlapQueue
		must(client.AddJob(t.Context(), j))(t)
		must(client.TriggerNow(t.Context(), j.ID))(t)
		receive(t, begun, "the first run")
		second := must(client.TriggerNow(t.Context(), j.ID))(t)
		awaitState(t, client, second, carillon.RunWaiting)
		third := must(client.TriggerNow(t.Context(), j.ID))(t)
		awaitState(t, client, third, carillon.RunWaiting)
		cancelled(t, client, j.ID, second)
		release()
		if run := receive(t, begun, "the run behind it"); run.ID != third {
			t.Errorf("after the cancelled run came %s, want %s", run.ID, third)
		}
	})
	t.Run("in a stream", func(t *testing.T) {
		_, lone := idle(t, config(t, clusterOf(t), "n"))
		id := must(lone.Enqueue(t.Context(), "act", never))(t)
		if r := stateOf(t, lone, id); r.State != carillon.RunQueued || r.Task != "act" {
			t.Errorf("the run is %+v", r)
		}
		cancelled(t, lone, "@act", id)
		if left := must(lone.Runs(t.Context(), carillon.RunQueued, 10))(t); len(left) != 0 {
			t.Errorf("the stream holds %+v", left)
		}
	})
}

// cancelled cancels a run that has not started, and wants one row, one event, and an error the
// second time.
func cancelled(t *testing.T, client *carillon.Client, jobID, runID string) {
	t.Helper()
	if err := client.CancelRun(t.Context(), runID); err != nil {
		t.Fatal(err)
	}
	r := rowOf(t, client, jobID, runID)
	if r.Outcome != job.Cancelled || r.Cause == "" {
		t.Errorf("history is %+v", r)
	}
	if got := stateOf(t, client, runID, carillon.OfJob(jobID)); got.State != carillon.RunEnded || got.Row.Outcome != job.Cancelled {
		t.Errorf("the run is %+v", got)
	}
	if err := client.CancelRun(t.Context(), runID); !errors.Is(err, carillon.ErrRunNotFound) {
		t.Errorf("cancelled again: %v", err)
	}
	n := 0
	for _, e := range must(client.Events(t.Context()))(t) {
		if e.RunID == runID && e.Kind == job.JobCancelled {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d events tell the cancellation", n)
	}
}
