package node_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

func hourly(id string) carillon.Job {
	return carillon.Job{ID: id, Task: "act", Trigger: carillon.Every(time.Hour)}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		name   string
		change func(*carillon.Job)
		want   error
		says   string
	}{
		{"no task", func(j *carillon.Job) { j.Task = "" }, carillon.ErrInvalidJob, "task"},
		{"id with a space", func(j *carillon.Job) { j.ID = "a b" }, carillon.ErrInvalidJob, `"a b"`},
		{"id too long", func(j *carillon.Job) { j.ID = long }, carillon.ErrInvalidJob, "256"},
		{"reserved id", func(j *carillon.Job) { j.ID = "@x" }, carillon.ErrInvalidJob, "@"},
		{"no trigger", func(j *carillon.Job) { j.Trigger = nil }, carillon.ErrInvalidJob, "trigger"},
		{"trigger no document", func(j *carillon.Job) { j.Trigger = json.RawMessage("soon") }, carillon.ErrInvalidTrigger, ""},
		{"trigger unknown type", func(j *carillon.Job) { j.Trigger = json.RawMessage(`{"type":"moon"}`) }, carillon.ErrInvalidTrigger, "moon"},
		{"interval of nothing", func(j *carillon.Job) { j.Trigger = carillon.Every(0) }, carillon.ErrInvalidTrigger, "every"},
		{"interval backwards", func(j *carillon.Job) { j.Trigger = carillon.Every(-time.Second) }, carillon.ErrInvalidTrigger, "every"},
		{"impossible cron", func(j *carillon.Job) { j.Trigger = carillon.Cron("0 0 30 2 *") }, carillon.ErrInvalidTrigger, ""},
		{"exhausted interval", func(j *carillon.Job) {
			j.Trigger = json.RawMessage(`{"type":"interval","every":"1s","start_date":"2020-01-01","end_date":"` + past + `"}`)
		}, carillon.ErrInvalidTrigger, "no time left"},
		{"exhausted and paused", func(j *carillon.Job) {
			j.Trigger = json.RawMessage(`{"type":"interval","every":"1s","start_date":"2020-01-01","end_date":"` + past + `"}`)
			j.NextRunTime = job.Paused()
		}, carillon.ErrInvalidTrigger, "no time left"},
		{"args no JSON", func(j *carillon.Job) { j.Args = json.RawMessage("{") }, carillon.ErrInvalidJob, "args"},
		{"max_instances", func(j *carillon.Job) { j.MaxInstances = -1 }, carillon.ErrInvalidJob, "max_instances"},
		{"coalesce", func(j *carillon.Job) { j.Coalesce = "sometimes" }, carillon.ErrInvalidJob, "coalesce"},
		{"overlap", func(j *carillon.Job) { j.Overlap = "perhaps" }, carillon.ErrInvalidJob, "overlap"},
		{"on_lost", func(j *carillon.Job) { j.OnLost = "weep" }, carillon.ErrInvalidJob, "on_lost"},
		{"timeout", func(j *carillon.Job) { j.Timeout = carillon.Duration(-time.Second) }, carillon.ErrInvalidJob, "negative"},
		{"grace below a millisecond", func(j *carillon.Job) { j.MisfireGraceTime = carillon.Grace(time.Microsecond) }, carillon.ErrInvalidJob, "misfire_grace_time"},
		{"unknown executor", func(j *carillon.Job) { j.Executor = "nowhere" }, carillon.ErrUnknownExecutor, `"nowhere"; known are default, redis`},
		{"unknown task", func(j *carillon.Job) { j.Task = "mystery" }, carillon.ErrUnknownTask, `"mystery"; known are act`},
		{"unknown store", func(j *carillon.Job) { j.Store = "attic" }, carillon.ErrUnknownStore, `"attic"; known are default, redis`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := hourly("refused-" + uuid.NewString())
			id := j.ID
			c.change(&j)
			_, err := stage.client.AddJob(t.Context(), j)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("add gave %v, want %v that says %q", err, c.want, c.says)
			}
			if _, err := stage.client.GetJob(t.Context(), id); !errors.Is(err, carillon.ErrJobNotFound) {
				t.Errorf("after a refused add get gave %v", err)
			}
		})
	}
}

func TestAddTakenID(t *testing.T) {
	t.Parallel()
	j := hourly("taken-" + uuid.NewString())
	must(stage.client.AddJob(t.Context(), j))(t)
	_, err := stage.client.AddJob(t.Context(), j)
	if !errors.Is(err, carillon.ErrConflictingID) || !strings.Contains(err.Error(), j.ID) {
		t.Errorf("adding again gave %v, want a conflict that names the job", err)
	}
	j.Store = "redis"
	if _, err := stage.client.AddJob(t.Context(), j); err != nil {
		t.Errorf("the id is free in another store, and gave %v", err)
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	c, ctx, id := stage.client, t.Context(), "absent"
	for _, call := range []struct {
		name string
		do   func() error
		want error
	}{
		{"get", func() error { _, err := c.GetJob(ctx, id); return err }, carillon.ErrJobNotFound},
		{"modify", func() error { _, err := c.ModifyJob(ctx, id, func(*carillon.Job) error { return nil }); return err }, carillon.ErrJobNotFound},
		{"reschedule", func() error { _, err := c.RescheduleJob(ctx, id, carillon.Every(time.Hour)); return err }, carillon.ErrJobNotFound},
		{"pause", func() error { _, err := c.PauseJob(ctx, id); return err }, carillon.ErrJobNotFound},
		{"resume", func() error { _, err := c.ResumeJob(ctx, id); return err }, carillon.ErrJobNotFound},
		{"remove", func() error { return c.RemoveJob(ctx, id) }, carillon.ErrJobNotFound},
		{"trigger", func() error { _, err := c.TriggerNow(ctx, id); return err }, carillon.ErrJobNotFound},
		{"cancel run", func() error { return c.CancelRun(ctx, uuid.NewString()) }, carillon.ErrRunNotFound},
		{"unknown store", func() error { _, err := c.GetJob(ctx, id, carillon.InStore("attic")); return err }, carillon.ErrUnknownStore},
		{"enqueue unknown task", func() error { _, err := c.Enqueue(ctx, "mystery", nil); return err }, carillon.ErrUnknownTask},
		{"enqueue unknown executor", func() error { _, err := c.Enqueue(ctx, "act", nil, carillon.OnExecutor("nowhere")); return err }, carillon.ErrUnknownExecutor},
	} {
		t.Run(call.name, func(t *testing.T) {
			if err := call.do(); !errors.Is(err, call.want) {
				t.Errorf("gave %v, want %v", err, call.want)
			}
		})
	}
	if rows, err := c.History(ctx, id, 10); err != nil || len(rows) != 0 {
		t.Errorf("history of a job that never was is %v, %v", rows, err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	cluster := clusterOf(t)
	node := carillon.Options{
		Coalesce: carillon.CoalesceAll, MaxInstances: 8, MisfireGraceTime: carillon.Grace(30 * time.Second), Overlap: carillon.OverlapQueue,
		OnLost: carillon.OnLostDrop, Retry: carillon.Retry{MaxAttempts: 3}, Timeout: carillon.Duration(time.Minute),
	}
	own := carillon.Options{
		Coalesce: carillon.CoalesceEarliest, MaxInstances: 2, MisfireGraceTime: carillon.GraceNone, Overlap: carillon.OverlapSkip,
		OnLost: carillon.OnLostRerun, Retry: carillon.Retry{MaxAttempts: 5}, Timeout: carillon.Duration(time.Second),
	}
	builtIn := carillon.Options{
		Coalesce: carillon.CoalesceLatest, MaxInstances: 1, MisfireGraceTime: carillon.GraceNone, Overlap: carillon.OverlapSkip,
		OnLost: carillon.OnLostRerun, Retry: carillon.Retry{MaxAttempts: 1},
	}
	for _, c := range []struct {
		name            string
		node, job, want carillon.Options
	}{
		{"built in", carillon.Options{}, carillon.Options{}, builtIn},
		{"of the node", node, carillon.Options{}, node},
		{"of the job", node, own, own},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, cluster, "n")
			cfg.Defaults = c.node
			_, client := idle(t, cfg)
			j := hourly("")
			j.Options = c.job
			added := must(client.AddJob(t.Context(), j))(t)
			if _, err := uuid.Parse(added.ID); err != nil {
				t.Errorf("id is %q, want a UUID", added.ID)
			}
			if added.Executor != "default" || added.Store != "default" || added.Name != "act" {
				t.Errorf("added is %+v", added)
			}
			got := must(client.GetJob(t.Context(), added.ID))(t)
			if diff := cmp.Diff(c.want, got.Options); diff != "" {
				t.Errorf("options as stored (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(added, got, cmp.Comparer(func(a, b job.NextRun) bool { x, _ := a.Time(); y, _ := b.Time(); return x.Equal(y) })); diff != "" {
				t.Errorf("get differs from what add returned (-add +get):\n%s", diff)
			}
		})
	}
}

func TestBadDefaultsAreRefused(t *testing.T) {
	t.Parallel()
	cfg := config(t, clusterOf(t), "n")
	cfg.Defaults.MaxInstances = -3
	if _, err := carillon.NewNode(cfg); err == nil || !strings.Contains(err.Error(), "max_instances") {
		t.Errorf("a node with max_instances -3 gave %v", err)
	}
}

func TestFirstTime(t *testing.T) {
	t.Parallel()
	_, client := idle(t, config(t, clusterOf(t), "n"))
	before := time.Now().Truncate(time.Millisecond)
	at := before.Add(42 * time.Minute)
	for _, c := range []struct {
		name     string
		trigger  json.RawMessage
		next     job.NextRun
		from, to time.Duration // of the next run time, from now; both zero = paused
	}{
		{"interval fires one interval later", carillon.Every(time.Hour), job.NextRun{}, time.Hour, time.Hour + 10*time.Second},
		{"explicit", carillon.Every(time.Hour), job.At(at), 42 * time.Minute, 42 * time.Minute},
		{"explicit in the past", carillon.Every(time.Hour), job.At(before.Add(-time.Minute)), -time.Minute, -time.Minute},
		{"null is paused", carillon.Every(time.Hour), job.Paused(), 0, 0},
		{"date to come", carillon.At(at), job.NextRun{}, 42 * time.Minute, 42 * time.Minute},
		{"date in the past is due at once", carillon.At(before.Add(-time.Hour)), job.NextRun{}, -time.Hour, -time.Hour},
		{"start to come", json.RawMessage(`{"type":"interval","every":"1h","start_date":"` + at.UTC().Format(time.RFC3339Nano) + `"}`), job.NextRun{}, 42 * time.Minute, 42 * time.Minute},
		{"start long ago", json.RawMessage(`{"type":"interval","every":"24h","start_date":"` + at.Add(-240*time.Hour).UTC().Format(time.RFC3339Nano) + `"}`), job.NextRun{}, 42 * time.Minute, 42 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			added := must(client.AddJob(t.Context(), carillon.Job{Task: "act", Trigger: c.trigger, NextRunTime: c.next}))(t)
			next, is := added.NextRunTime.Time()
			if is != (c.from != 0 || c.to != 0) {
				t.Fatalf("next run time is %v, %t", next, is)
			}
			if is && (next.Before(before.Add(c.from)) || next.After(before.Add(c.to))) {
				t.Errorf("next run time is %v after the start, want %v to %v", next.Sub(before), c.from, c.to)
			}
		})
	}
}

func TestPastDateRunsAtOnce(t *testing.T) {
	t.Parallel()
	id := "past-" + uuid.NewString()
	must(stage.client.AddJob(t.Context(), carillon.Job{ID: id, Task: "act", Args: act(t, nothing), Trigger: carillon.At(time.Now().Add(-time.Hour))}))(t)
	if r := rows(t, stage.client, id, 1)[0]; r.Outcome != job.Executed {
		t.Errorf("history is %+v", r)
	}
	if _, err := stage.client.GetJob(t.Context(), id); !errors.Is(err, carillon.ErrJobNotFound) {
		t.Errorf("a job without further times is still there: %v", err)
	}
	id += "-late"
	late := carillon.Job{ID: id, Task: "act", Trigger: carillon.At(time.Now().Add(-time.Hour))}
	late.MisfireGraceTime = carillon.Grace(time.Minute)
	must(stage.client.AddJob(t.Context(), late))(t)
	if r := rows(t, stage.client, id, 1)[0]; r.Outcome != job.Missed || !strings.Contains(r.Cause, "grace is 60000 ms") {
		t.Errorf("history is %+v", r)
	}
}
