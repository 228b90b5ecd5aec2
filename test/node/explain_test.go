package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// explained asks for one time and checks verdict and words.
func explained(t *testing.T, client *carillon.Client, id string, at time.Time, want carillon.Verdict, words ...string) {
	t.Helper()
	e := must(client.Explain(t.Context(), id, at))(t)
	if len(e.Times) != 1 || len(e.Job) == 0 {
		t.Fatalf("explanation of %s is %+v", id, e)
	}
	got := e.Times[0]
	if got.Verdict != want {
		t.Errorf("%s at %s is %s, want %s: %q", id, at, got.Verdict, want, got.Sentences)
	}
	text := strings.Join(append(e.Job, got.Sentences...), " ")
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s at %s: %q is missing in %q", id, at, w, text)
		}
	}
}

// A cluster that was down for some hours: what ran, what was missed or folded, and what was no time.
func TestExplainWhatAnOutageLeft(t *testing.T) {
	t.Parallel()
	node, client := idle(t, config(t, clusterOf(t), "n"))
	start := time.Now().Add(-4 * time.Hour).UTC().Truncate(time.Millisecond)
	j := carillon.Job{ID: "j", Task: "act", Args: act(t, nothing), Trigger: every(time.Hour, start), NextRunTime: job.At(start)}
	j.MisfireGraceTime = carillon.Grace(150 * time.Minute)
	must(client.AddJob(t.Context(), j))(t)
	explained(t, client, "j", start.Add(30*time.Minute), carillon.VerdictNoTime, "nearest are", job.FormatTime(start.Add(time.Hour)))
	explained(t, client, "j", start.Add(9*time.Hour), carillon.VerdictAhead, "ahead")
	explained(t, client, "j", start, carillon.VerdictNotDispatched, "no node leads")
	lift(t, node)
	eventually(t, 10*time.Second, "a run", func() bool {
		return tallied(must(client.History(t.Context(), "j", 100))(t))["executed"] == 1
	})
	for hour, want := range []carillon.Verdict{"missed", "missed", "coalesced", "coalesced", "executed"} {
		explained(t, client, "j", start.Add(time.Duration(hour)*time.Hour), want, "Job j is active")
	}
	explained(t, client, "j", start.Add(time.Hour), "missed", "misfire_grace_time", "one of 2 times")
	explained(t, client, "j", start.Add(4*time.Hour).Truncate(time.Second), "executed", "on node n")
	explained(t, client, "j", start.Add(5*time.Hour), carillon.VerdictAhead)
	whole := must(client.Explain(t.Context(), "j", time.Time{}))(t)
	var verdicts []carillon.Verdict
	for _, at := range whole.Times {
		verdicts = append(verdicts, at.Verdict)
	}
	if diff := cmp.Diff([]carillon.Verdict{"coalesced", "coalesced", "executed", "ahead"}, verdicts); diff != "" {
		t.Errorf("without a time (-want +got):\n%s", diff)
	}
	if err := client.RemoveJob(t.Context(), "j"); err != nil {
		t.Fatal(err)
	}
	explained(t, client, "j", start.Add(4*time.Hour), "executed", "was removed at")
	explained(t, client, "j", start.Add(5*time.Hour), carillon.VerdictRemoved)
}

func TestExplainPauses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	n := liftNew(t, clusterOf(t), "n")
	j := carillon.Job{ID: "tick", Task: "act", Args: act(t, nothing), Trigger: carillon.Every(50 * time.Millisecond)}
	added := must(n.AddJob(ctx, j))(t)
	first, _ := added.NextRunTime.Time()
	rows(t, n.Client, "tick", 2)
	must(n.PauseJob(ctx, "tick", carillon.Because("holiday")))(t)
	paused := time.Now()
	inPause := first.Add(paused.Sub(first).Truncate(50*time.Millisecond) + 100*time.Millisecond)
	explained(t, n.Client, "tick", inPause, carillon.VerdictJobPaused, "Job tick is paused (holiday) since")
	eventually(t, 5*time.Second, "the pause to last", func() bool { return time.Since(paused) > 300*time.Millisecond })
	must(n.ResumeJob(ctx, "tick"))(t)
	rows(t, n.Client, "tick", len(must(n.History(ctx, "tick", 1000))(t))+2)
	explained(t, n.Client, "tick", inPause, "missed", "job was paused", "holiday", "are not made up for")

	if err := n.Pause(ctx, carillon.Because("moving house")); err != nil {
		t.Fatal(err)
	}
	at := first.Add(time.Since(first).Truncate(50*time.Millisecond) + 50*time.Millisecond)
	eventually(t, 5*time.Second, "a time of the stoppage to pass", func() bool { return time.Since(at) > 100*time.Millisecond })
	last := must(n.Explain(ctx, "tick", time.Time{}))(t)
	if len(last.Times) != 4 || last.Times[2].Verdict != carillon.VerdictSchedulerPaused || last.Times[3].Verdict != carillon.VerdictAhead {
		t.Errorf("the last times and the next are %+v", last.Times)
	}
	explained(t, n.Client, "tick", last.Times[2].Time, carillon.VerdictSchedulerPaused, "moving house", "coalesce")
}

func TestExplainFullSlots(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	n := liftNew(t, clusterOf(t), "n")
	args, begun, end := untilTold(t)
	j := carillon.Job{ID: "busy", Task: "act", Args: args, Trigger: carillon.Every(500 * time.Millisecond)}
	must(n.AddJob(ctx, j))(t)
	run := receive(t, begun, "a run")
	explained(t, n.Client, "busy", run.ScheduledTime, "running", "started on node n", "outcome is not reported yet", run.ID)
	refused := rows(t, n.Client, "busy", 1)[0]
	explained(t, n.Client, "busy", refused.ScheduledTime, "max_instances", "every slot")
	must(n.ModifyJob(ctx, "busy", func(j *carillon.Job) error { j.Overlap = carillon.OverlapQueue; return nil }))(t)
	eventually(t, 10*time.Second, "a run in line", func() bool {
		waiting := must(n.Runs(ctx, carillon.RunWaiting, 1))(t)
		if len(waiting) == 0 {
			return false
		}
		explained(t, n.Client, "busy", waiting[0].ScheduledTime, "waiting", "in line")
		return true
	})
	if err := n.RemoveJob(ctx, "busy"); err != nil {
		t.Fatal(err)
	}
	close(end)
}

func TestExplainWithoutALeader(t *testing.T) {
	t.Parallel()
	_, client := idle(t, config(t, clusterOf(t), "n"))
	at := time.Now().Add(20 * time.Millisecond).Truncate(time.Millisecond)
	j := carillon.Job{ID: "j", Task: "act", Args: act(t, nothing), Trigger: carillon.At(at)}
	must(client.AddJob(context.WithoutCancel(t.Context()), j))(t)
	eventually(t, 5*time.Second, "it to be late", func() bool { return time.Since(at) > 1200*time.Millisecond })
	explained(t, client, "j", at, carillon.VerdictNotDispatched, "no node leads")
	if _, err := client.Explain(t.Context(), uuid.NewString(), at); !errors.Is(err, carillon.ErrJobNotFound) {
		t.Errorf("a job that never was: %v", err)
	}
}
