package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func TestResultsAreKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		result any
		err    error
		want   string
	}{
		{"nothing", nil, nil, ""},
		{"a value", map[string]any{"n": 1, "s": "a\tb <c>"}, nil, `{"n":1,"s":"a\tb <c>"}`},
		{"raw JSON over several lines", json.RawMessage("{\n\t\"a\": 1\n}"), nil, `{"a":1}`},
		{"as long as may be", strings.Repeat("x", store.ResultLimit-2), nil, `"` + strings.Repeat("x", store.ResultLimit-2) + `"`},
		{"too long", strings.Repeat("x", store.ResultLimit-1), nil, `{"omitted":"4097 bytes, at most 4096 are kept"}`},
		{"no JSON", func() {}, nil, `{"omitted":"it cannot be encoded as JSON: json: unsupported type: func()"}`},
		{"of a run that fails", "x", errors.New("boom"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := act(t, func(context.Context, carillon.Run) (any, error) { return c.result, c.err })
			id := must(stage.client.Enqueue(t.Context(), "act", args))(t)
			if got := string(rowOf(t, stage.client, "@act", id).Result); got != c.want {
				t.Errorf("result is %q, want %q", got, c.want)
			}
			if got := stateOf(t, stage.client, id); got.Row == nil || string(got.Row.Result) != c.want || got.Dead != (c.err != nil) {
				t.Errorf("the run is %+v", got)
			}
		})
	}
}

func TestLinesAreKept(t *testing.T) {
	t.Parallel()
	args := act(t, func(ctx context.Context, run carillon.Run) (any, error) {
		log := carillon.Logger(ctx)
		log.Debug("not kept")
		log.Info("fetched", "rows", 3, "from", "a b")
		log.With("part", 2).Named("sub").Warn("slow\nvery")
		carillon.Progress(ctx, 0.5, "half")
		carillon.Progress(ctx, 7, strings.Repeat("é", 3000))
		if run.Attempt == 1 {
			return nil, errors.New("again")
		}
		return nil, nil
	})
	id := must(stage.client.Enqueue(t.Context(), "act", args, carillon.WithRetry(soon(2, 10*time.Millisecond))))(t)
	rowOf(t, stage.client, "@act", id)
	var got []string
	err := stage.client.RunLog(t.Context(), id, true, func(l carillon.LogLine) {
		if len(l.Text) > 2000 {
			l.Text = fmt.Sprintf("%d bytes", len(l.Text))
		} else if len(l.Text) > 1900 {
			l.Text = "cut" + l.Text[len(l.Text)-3:]
		}
		got = append(got, fmt.Sprintf("%d-%d %s %v %s", l.Attempt, l.Number, l.Level, l.Fraction, l.Text))
		if time.Since(l.Time).Abs() > time.Minute || l.RunID != id {
			t.Errorf("line is %+v", l)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for attempt := range 2 {
		for i, line := range []string{`info 0 fetched rows=3 from="a b"`, "warn 0 slow ⏎ very part=2", "progress 0.5 half", "progress 1 cut…"} {
			want = append(want, fmt.Sprintf("%d-%d %s", attempt+1, i+1, line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestFollowingARun(t *testing.T) {
	t.Parallel()
	next := make(chan string)
	args := act(t, func(ctx context.Context, _ carillon.Run) (any, error) {
		for text := range next {
			carillon.Logger(ctx).Info(text)
		}
		return nil, nil
	})
	id := must(stage.client.Enqueue(t.Context(), "act", args))(t)
	lines, ended := make(chan carillon.LogLine, 10), make(chan error, 1)
	go func() {
		ended <- stage.client.RunLog(t.Context(), id, true, func(l carillon.LogLine) { lines <- l })
	}()
	for i := range 3 {
		next <- fmt.Sprint("line ", i)
		if l := receive(t, lines, "a line while it runs"); l.Text != fmt.Sprint("line ", i) {
			t.Errorf("line is %+v", l)
		}
	}
	select {
	case err := <-ended:
		t.Errorf("following ended while the run goes on: %v", err)
	default:
	}
	next <- "last"
	close(next)
	if l := receive(t, lines, "the last line"); l.Text != "last" {
		t.Errorf("line is %+v", l)
	}
	if err := receive(t, ended, "the end of following"); err != nil {
		t.Error(err)
	}
	err := stage.client.RunLog(t.Context(), uuid.NewString(), true, func(carillon.LogLine) {})
	if !errors.Is(err, carillon.ErrRunNotFound) {
		t.Errorf("the log of no run: %v", err)
	}
}

func TestDeadRunsAreRetriedOnce(t *testing.T) {
	t.Parallel()
	l := liftNew(t, clusterOf(t), "n")
	fail := make(chan bool, 1)
	fail <- true
	args := act(t, func(context.Context, carillon.Run) (any, error) {
		select {
		case <-fail:
			return nil, errors.New("boom")
		default:
			return "well", nil
		}
	})
	j := hourly("j")
	j.Args, j.MisfireGraceTime = args, carillon.Grace(time.Millisecond)
	must(l.AddJob(t.Context(), j))(t)
	old := ""
	// A run that the grace of a millisecond spares.
	eventually(t, 10*time.Second, "a run fails", func() bool {
		old = must(l.TriggerNow(t.Context(), "j"))(t)
		return rowOf(t, l.Client, "j", old).Outcome == job.Failed
	})
	dead := must(l.DeadRuns(t.Context(), 10))(t)
	if len(dead) != 1 || dead[0].RunID != old || dead[0].Row == nil || dead[0].Row.Error != "boom" || !dead[0].Dead || dead[0].Task != "act" {
		t.Fatalf("dead runs are %+v", dead)
	}
	id := must(l.RetryRun(t.Context(), old))(t)
	r := rowOf(t, l.Client, "j", id)
	if r.Outcome != job.Executed || string(r.Result) != `"well"` || !r.ScheduledTime.Equal(dead[0].ScheduledTime) || r.Attempt != 1 {
		t.Errorf("the retry is %+v of %+v", r, dead[0])
	}
	if _, err := l.RetryRun(t.Context(), old); !errors.Is(err, carillon.ErrRunNotFound) {
		t.Errorf("retried again: %v", err)
	}
	if left := must(l.DeadRuns(t.Context(), 10))(t); len(left) != 0 {
		t.Errorf("dead runs are still %+v", left)
	}
	told := ""
	for _, e := range must(l.Events(t.Context()))(t) {
		if e.RunID == id && e.Kind == job.JobSubmitted {
			told += e.Cause
		}
	}
	if told != "retry of "+old {
		t.Errorf("the retry was submitted with the cause %q", told)
	}
}
