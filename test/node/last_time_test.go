package node_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
)

// Of several clients that resume a job whose last time has passed at once, one ends it and the others learn that
// it is gone; the time is recorded once, also in a store of several partitions.
func TestLastTimeIsRecordedOnceHoweverManyResume(t *testing.T) {
	t.Parallel()
	cfg := config(t, clusterOf(t), "n")
	cfg.Partitions = 4
	_, client := idle(t, cfg)
	ctx := t.Context()
	j := carillon.Job{ID: "last", Task: "act", Trigger: carillon.At(time.Now().Add(200 * time.Millisecond))}
	must(client.AddJob(ctx, j))(t)
	must(client.PauseJob(ctx, j.ID, carillon.Because("closed")))(t)
	late := time.Now().Add(250 * time.Millisecond)
	eventually(t, 5*time.Second, "the date to pass", func() bool { return time.Now().After(late) })

	const callers = 8
	var all sync.WaitGroup
	answers := make([]carillon.Job, callers)
	faults := make([]error, callers)
	for i := range callers {
		all.Go(func() { answers[i], faults[i] = client.ResumeJob(ctx, j.ID) })
	}
	all.Wait()
	ended := 0
	for i := range callers {
		switch {
		case faults[i] == nil && answers[i].Ended != "":
			ended++
		case !errors.Is(faults[i], carillon.ErrJobNotFound):
			t.Errorf("a caller got %+v, %v", answers[i], faults[i])
		}
	}
	if ended != 1 {
		t.Errorf("%d callers ended the job, want 1", ended)
	}
	rows := must(client.History(ctx, j.ID, 10))(t)
	if len(rows) != 1 || rows[0].Outcome != "missed" || rows[0].Count != 1 || rows[0].Cause != "paused: closed" {
		t.Errorf("history: %+v", rows)
	}
}
