package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

func nextOf(t *testing.T, client *carillon.Client, id string) (next time.Time, active bool) {
	t.Helper()
	return must(client.GetJob(t.Context(), id))(t).NextRunTime.Time()
}

// every counts its times from start.
func every(d time.Duration, start time.Time) json.RawMessage {
	return json.RawMessage(`{"type":"interval","every":"` + d.String() + `","start_date":"` + start.UTC().Format(time.RFC3339Nano) + `"}`)
}

func TestReplaceWithTheSameTrigger(t *testing.T) {
	t.Parallel()
	_, client := idle(t, config(t, clusterOf(t), "n"))
	ctx := t.Context()
	for _, c := range []struct {
		name   string
		before func(id string) error
		paused bool
	}{
		{"active", func(string) error { return nil }, false},
		{"paused", func(id string) error { _, err := client.PauseJob(ctx, id); return err }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := hourly("kept-" + c.name)
			must(client.AddJob(ctx, j))(t)
			phase, _ := nextOf(t, client, j.ID)
			if err := c.before(j.ID); err != nil {
				t.Fatal(err)
			}
			j.MaxInstances, j.Args = 7, carillon.Args("new")
			j.Trigger = json.RawMessage(` {"every" : "1h0m0s", "type":"interval"}`) // the same, spelt differently
			got := must(client.AddJob(ctx, j, carillon.ReplaceExisting()))(t)
			next, active := got.NextRunTime.Time()
			if active == c.paused || (active && !next.Equal(phase)) {
				t.Errorf("next run time is %v, %t; before it was %v", next, active, phase)
			}
			if got.MaxInstances != 7 || string(got.Args) != `"new"` {
				t.Errorf("replaced job is %+v", got)
			}
		})
	}
}

func TestReplaceWithAnotherTrigger(t *testing.T) {
	t.Parallel()
	_, client := idle(t, config(t, clusterOf(t), "n"))
	ctx := t.Context()
	at := time.Now().Add(17 * time.Minute).Truncate(time.Millisecond)
	for _, c := range []struct {
		name    string
		trigger json.RawMessage
		next    job.NextRun
		want    time.Duration // roughly, from now; 0 = paused
	}{
		{"rescheduled", carillon.Every(2 * time.Hour), job.NextRun{}, 2 * time.Hour},
		{"explicit with another", carillon.Every(2 * time.Hour), job.At(at), 17 * time.Minute},
		{"explicit with the same", carillon.Every(time.Hour), job.At(at), 17 * time.Minute},
		{"null with the same", carillon.Every(time.Hour), job.Paused(), 0},
		{"null with another", carillon.Every(2 * time.Hour), job.Paused(), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := hourly(uuid.NewString())
			must(client.AddJob(ctx, j))(t)
			j.Trigger, j.NextRunTime = c.trigger, c.next
			must(client.AddJob(ctx, j, carillon.ReplaceExisting()))(t)
			next, active := nextOf(t, client, j.ID)
			if active != (c.want != 0) {
				t.Fatalf("next run time is %v, %t", next, active)
			}
			if off := time.Until(next) - c.want; active && off.Abs() > time.Minute {
				t.Errorf("next run time is %v, want about %v", time.Until(next), c.want)
			}
		})
	}
}

// A restart that adds its jobs again must not lose what came due while nobody ran.
func TestReplaceKeepsTheBacklog(t *testing.T) {
	t.Parallel()
	cluster := clusterOf(t)
	node, client := idle(t, config(t, cluster, "n"))
	start := time.Now().Add(-time.Hour)
	ended := json.RawMessage(`{"type":"interval","every":"20m","start_date":"` + start.UTC().Format(time.RFC3339Nano) +
		`","end_date":"` + time.Now().Add(200*time.Millisecond).UTC().Format(time.RFC3339Nano) + `"}`)
	going := carillon.Job{ID: "going", Task: "act", Args: act(t, nothing), Trigger: every(20*time.Minute, start), NextRunTime: job.At(start)}
	over := carillon.Job{ID: "over", Task: "act", Args: act(t, nothing), Trigger: ended, NextRunTime: job.At(start)}
	going.Coalesce, over.Coalesce = carillon.CoalesceAll, carillon.CoalesceAll
	for _, j := range []carillon.Job{going, over} {
		must(client.AddJob(t.Context(), j))(t)
	}
	eventually(t, 5*time.Second, "the trigger to end", func() bool { return time.Since(start) > time.Hour+300*time.Millisecond })
	for _, j := range []carillon.Job{going, over} {
		j.NextRunTime = job.NextRun{}
		must(client.AddJob(t.Context(), j, carillon.ReplaceExisting()))(t)
		if next, _ := nextOf(t, client, j.ID); !next.Equal(start.Truncate(time.Millisecond)) && next.Sub(start) > time.Millisecond {
			t.Errorf("%s: next run time is %v, want the backlog from %v", j.ID, next, start)
		}
	}
	lift(t, node)
	for id, want := range map[string]int{"going": 4, "over": 4} {
		if got := tallied(rows(t, client, id, want)); got["executed"] != want {
			t.Errorf("%s: history is %v, want %d executed", id, got, want)
		}
	}
}

func TestReplaceAddsWhatIsNotThere(t *testing.T) {
	t.Parallel()
	j := hourly("new-" + uuid.NewString())
	must(stage.client.AddJob(t.Context(), j, carillon.ReplaceExisting()))(t)
	must(stage.client.GetJob(t.Context(), j.ID))(t)
}

func TestModify(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	at := time.Now().Add(5 * time.Minute).Truncate(time.Millisecond)
	refusal := errors.New("no")
	for _, c := range []struct {
		name   string
		change func(*carillon.Job) error
		want   time.Duration // roughly, from now; 0 = paused
		err    error
		check  func(carillon.Job) bool
	}{
		{"option keeps the phase", func(j *carillon.Job) error { j.MaxInstances = 9; return nil }, time.Hour, nil, func(j carillon.Job) bool { return j.MaxInstances == 9 }},
		{"id and store stay", func(j *carillon.Job) error { j.ID, j.Store = "x", "redis"; return nil }, time.Hour, nil, func(j carillon.Job) bool { return j.ID != "x" && j.Store == "default" }},
		{"trigger", func(j *carillon.Job) error { j.Trigger = carillon.Every(3 * time.Hour); return nil }, 3 * time.Hour, nil, nil},
		{"explicit time", func(j *carillon.Job) error { j.NextRunTime = job.At(at); return nil }, 5 * time.Minute, nil, nil},
		{"null pauses", func(j *carillon.Job) error { j.NextRunTime = job.Paused(); return nil }, 0, nil, nil},
		{"refused by the function", func(*carillon.Job) error { return refusal }, time.Hour, refusal, nil},
		{"unknown executor", func(j *carillon.Job) error { j.Executor = "nowhere"; return nil }, time.Hour, carillon.ErrUnknownExecutor, nil},
		{"bad trigger", func(j *carillon.Job) error { j.Trigger = carillon.Cron("* *"); return nil }, time.Hour, carillon.ErrInvalidTrigger, nil},
		{"exhausted trigger", func(j *carillon.Job) error {
			j.Trigger = json.RawMessage(`{"type":"interval","every":"1s","start_date":"2020-01-01","end_date":"2020-01-02"}`)
			return nil
		}, time.Hour, carillon.ErrInvalidTrigger, nil},
		{"bad option", func(j *carillon.Job) error { j.MaxInstances = -1; return nil }, time.Hour, carillon.ErrInvalidJob, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := hourly(uuid.NewString())
			must(client.AddJob(ctx, j))(t)
			got, err := client.ModifyJob(ctx, j.ID, c.change)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("modify gave %v, want %v", err, c.err)
			}
			if c.check != nil && !c.check(got) {
				t.Errorf("modified job is %+v", got)
			}
			next, active := nextOf(t, client, j.ID)
			if off := time.Until(next) - c.want; active != (c.want != 0) || (active && off.Abs() > time.Minute) {
				t.Errorf("next run time is %v, %t, want about %v", time.Until(next), active, c.want)
			}
		})
	}
}

func TestRescheduleKeepsThePause(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	j := hourly(uuid.NewString())
	must(client.AddJob(ctx, j))(t)
	must(client.PauseJob(ctx, j.ID, carillon.Because("repairs")))(t)
	must(client.RescheduleJob(ctx, j.ID, carillon.Every(2*time.Hour)))(t)
	if next, active := nextOf(t, client, j.ID); active {
		t.Errorf("a paused job was rescheduled and is to run at %v", next)
	}
	must(client.ResumeJob(ctx, j.ID))(t)
	if next, active := nextOf(t, client, j.ID); !active || (time.Until(next)-2*time.Hour).Abs() > time.Minute {
		t.Errorf("after resume it is to run in %v, %t", time.Until(next), active)
	}
}

func TestPauseDropsAndResumeCountsFromNow(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	seen := make(chan carillon.Run, 100)
	j := carillon.Job{ID: uuid.NewString(), Task: "act", Trigger: carillon.Every(100 * time.Millisecond)}
	j.Args = act(t, func(_ context.Context, run carillon.Run) (any, error) { seen <- run; return nil, nil })
	j.Coalesce = carillon.CoalesceAll
	must(client.AddJob(ctx, j))(t)
	receive(t, seen, "a first run")
	must(client.PauseJob(ctx, j.ID))(t)
	paused := time.Now()
	eventually(t, 5*time.Second, "five intervals to pass", func() bool { return time.Since(paused) > 500*time.Millisecond })
	must(client.ResumeJob(ctx, j.ID))(t)
	for {
		run := receive(t, seen, "a run after resume")
		if run.ScheduledTime.Before(paused) {
			continue
		}
		if run.ScheduledTime.Before(paused.Add(450 * time.Millisecond)) {
			t.Errorf("time %v came due during the pause from %v and ran", run.ScheduledTime, paused)
		}
		break
	}
	if err := client.RemoveJob(ctx, j.ID); err != nil {
		t.Error(err)
	}
}

func TestResumeOfAnActiveJobKeepsItsBacklog(t *testing.T) {
	t.Parallel()
	_, client := idle(t, config(t, clusterOf(t), "n"))
	due := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	must(client.AddJob(t.Context(), carillon.Job{ID: "late", Task: "act", Trigger: carillon.Every(time.Hour), NextRunTime: job.At(due)}))(t)
	must(client.ResumeJob(t.Context(), "late"))(t)
	if next, _ := nextOf(t, client, "late"); !next.Equal(due) {
		t.Errorf("next run time is %v, want it left at %v", next, due)
	}
}

func TestRemoveCancelsWaitingRuns(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	args, begun, end := untilTold(t)
	j := hourly(uuid.NewString())
	j.Args, j.Overlap = args, carillon.OverlapQueue
	must(client.AddJob(ctx, j))(t)
	first := must(client.TriggerNow(ctx, j.ID))(t)
	receive(t, begun, "the first run")
	waiting := must(client.TriggerNow(ctx, j.ID))(t)
	if err := client.RemoveJob(ctx, j.ID); err != nil {
		t.Fatal(err)
	}
	close(end)
	outcomes := map[string]job.Outcome{}
	for _, r := range rows(t, client, j.ID, 2) {
		outcomes[r.RunID] = r.Outcome
	}
	if outcomes[first] != job.Executed || outcomes[waiting] != job.Cancelled {
		t.Errorf("outcomes are %v, want %s executed and %s cancelled", outcomes, first, waiting)
	}
	if len(begun) != 0 {
		t.Error("a run of a removed job has begun")
	}
}

func TestRemoveWithCancelRunning(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	args, begun, _ := untilTold(t)
	j := hourly(uuid.NewString())
	j.Args = args
	must(client.AddJob(ctx, j))(t)
	must(client.TriggerNow(ctx, j.ID))(t)
	receive(t, begun, "the run")
	if err := client.RemoveJob(ctx, j.ID, carillon.CancelRunning()); err != nil {
		t.Fatal(err)
	}
	if r := rows(t, client, j.ID, 1)[0]; r.Outcome != job.Cancelled {
		t.Errorf("history is %+v", r)
	}
}

func TestCancelRun(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	args, begun, _ := untilTold(t)
	j := hourly(uuid.NewString())
	j.Args = args
	must(client.AddJob(ctx, j))(t)
	id := must(client.TriggerNow(ctx, j.ID))(t)
	receive(t, begun, "the run")
	if err := client.CancelRun(ctx, id); err != nil {
		t.Fatal(err)
	}
	if r := rows(t, client, j.ID, 1)[0]; r.Outcome != job.Cancelled || r.RunID != id {
		t.Errorf("history is %+v", r)
	}
	must(client.GetJob(ctx, j.ID))(t)
}

func TestRemoveAllJobs(t *testing.T) {
	t.Parallel()
	_, client := idle(t, config(t, clusterOf(t), "n"))
	for _, id := range []string{"a", "b", "c"} {
		must(client.AddJob(t.Context(), hourly(id)))(t)
	}
	if n := must(client.RemoveAllJobs(t.Context()))(t); n != 3 {
		t.Errorf("removed %d, want 3", n)
	}
	if left := must(client.Jobs(t.Context()))(t); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}

func TestJobsAreListedByNextRunTime(t *testing.T) {
	t.Parallel()
	_, client := idle(t, config(t, clusterOf(t), "n"))
	for id, d := range map[string]time.Duration{"c": 3 * time.Hour, "a": time.Hour, "b": 2 * time.Hour} {
		must(client.AddJob(t.Context(), carillon.Job{ID: id, Task: "act", Trigger: carillon.Every(d)}))(t)
	}
	must(client.AddJob(t.Context(), carillon.Job{ID: "0", Task: "act", Trigger: carillon.Every(time.Minute), NextRunTime: job.Paused()}))(t)
	got := ""
	for _, j := range must(client.Jobs(t.Context()))(t) {
		got += j.ID
	}
	if got != "abc0" {
		t.Errorf("order is %s, want abc0", got)
	}
}

// TestPausedTimesAreRecorded: what a pause drops is one row with its count and cause.
func TestPausedTimesAreRecorded(t *testing.T) {
	t.Parallel()
	n := liftNew(t, clusterOf(t), "a")
	j := carillon.Job{ID: "resting", Task: "act", Trigger: carillon.Every(100 * time.Millisecond), Args: act(t, func(context.Context, carillon.Run) (any, error) { return nil, nil })}
	must(n.AddJob(t.Context(), j))(t)
	must(n.PauseJob(t.Context(), "resting", carillon.Because("holiday")))(t)
	before := len(must(n.History(t.Context(), "resting", 100))(t))
	time.Sleep(time.Second)
	must(n.ResumeJob(t.Context(), "resting"))(t)
	must(n.PauseJob(t.Context(), "resting"))(t) // nothing more fires while we look
	skipped := 0
	for _, r := range must(n.History(t.Context(), "resting", 100))(t) {
		if r.Outcome == job.Missed && r.Cause == "paused: holiday" {
			skipped += r.Count
			if r.Until.Sub(r.ScheduledTime) != time.Duration(r.Count-1)*100*time.Millisecond {
				t.Errorf("row %+v does not count its stretch", r)
			}
		}
	}
	if skipped < 9 || skipped > 40 {
		t.Errorf("%d times are recorded as skipped by the pause (%d rows before), want about 10", skipped, before)
	}
}
