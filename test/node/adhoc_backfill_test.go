package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// nightly is a job with a time at three every night.
func nightly(args json.RawMessage) carillon.Job {
	return carillon.Job{ID: uuid.NewString(), Task: "act", Args: args, Trigger: carillon.Cron("0 3 * * *")}
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	var mu sync.Mutex
	var ran []time.Time
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		ran = append(ran, run.ScheduledTime)
		return nil, nil
	})
	j := must(client.AddJob(ctx, nightly(args)))(t)
	from := time.Date(2024, 3, 1, 3, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return from.AddDate(0, 0, n) }
	ids := must(client.Backfill(ctx, j.ID, from, day(2), 0, "r"))(t)
	if len(ids) != 3 {
		t.Fatalf("both ends count, but the runs are %v", ids)
	}
	rows(t, client, j.ID, 3)
	again := must(client.Backfill(ctx, j.ID, from, day(2), 0, "r"))(t)
	if diff := cmp.Diff(ids, again); diff != "" {
		t.Errorf("the repeat names other runs:\n%s", diff)
	}
	// A repeat over more adds only what is new; another request runs them all again.
	wider := must(client.Backfill(ctx, j.ID, from, day(149), 0, "r"))(t)
	if !slices.Equal(wider[:3], ids) || len(wider) != 150 {
		t.Errorf("the wider range has %d runs, %v first", len(wider), wider[:3])
	}
	rows(t, client, j.ID, 150)
	other := must(client.Backfill(ctx, j.ID, from, from, 0, "s"))(t)
	if len(other) != 1 || other[0] == ids[0] {
		t.Errorf("another request has the runs %v", other)
	}
	all := rows(t, client, j.ID, 151)
	if diff := cmp.Diff(map[string]int{"executed": 151}, tallied(all)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, at := range ran[:150] {
		if !at.Equal(day(i)) {
			t.Fatalf("run %d is for %v, want %v: one after another in the order of times", i, at, day(i))
		}
	}
	for _, e := range must(client.Events(ctx))(t) {
		if e.RunID == ids[1] && e.Kind == job.JobSubmitted && e.Cause != "backfill r" {
			t.Errorf("event %v", e)
		}
	}
}

func TestBackfillIsRefused(t *testing.T) {
	t.Parallel()
	client := stage.client
	j := must(client.AddJob(t.Context(), nightly(act(t, nothing))))(t)
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	const year = 365 * 24 * time.Hour
	for _, c := range []struct {
		name     string
		id       string
		from, to time.Time
		limit    int
		request  string
		is       error
		says     string
	}{
		{"of no job", "none", ago(year), ago(0), 0, "", carillon.ErrJobNotFound, "none"},
		{"in the future", j.ID, ago(year), time.Now().Add(time.Hour), 0, "", nil, "lies ahead"},
		{"backwards", j.ID, ago(0), ago(year), 0, "", nil, "before from"},
		{"beyond the limit", j.ID, ago(year), ago(time.Hour), 100, "", nil, "more than 100"},
		{"too many", j.ID, ago(40 * year), ago(time.Hour), 0, "", nil, "more than 10000"},
		{"with a request id of two words", j.ID, ago(year), ago(time.Hour), 0, "a b", nil, "request id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := client.Backfill(t.Context(), c.id, c.from, c.to, c.limit, c.request)
			if err == nil || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("the error is %v, want %q", err, c.says)
			}
		})
	}
	if none := must(client.Backfill(t.Context(), j.ID, ago(time.Second), ago(time.Second), 0, ""))(t); len(none) != 0 {
		t.Errorf("a range without times has the runs %v", none)
	}
	if got := must(client.History(t.Context(), j.ID, 10))(t); len(got) != 0 {
		t.Errorf("refused runs ran: %+v", got)
	}
}

// What follows another run in its slot cannot be cancelled alone, and is found with it.
func TestRunsThatFollow(t *testing.T) {
	t.Parallel()
	client := stage.client
	begun, end := make(chan carillon.Run, 150), make(chan struct{})
	release := sync.OnceFunc(func() { close(end) })
	defer release()
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) {
		begun <- run
		<-end
		return nil, nil
	})
	j := must(client.AddJob(t.Context(), nightly(args)))(t)
	from := time.Date(2024, 3, 1, 3, 0, 0, 0, time.UTC)
	ids := must(client.Backfill(t.Context(), j.ID, from, from.AddDate(0, 0, 149), 0, ""))(t) // two by two
	if run := receive(t, begun, "the first run"); run.ID != ids[0] {
		t.Fatalf("the first run is %+v", run)
	}
	if r := stateOf(t, client, ids[1]); r.Follows != ids[0] || r.State != carillon.RunRunning || r.Node != "" || r.Attempt != 1 {
		t.Errorf("what follows is %+v", r)
	}
	if err := client.CancelRun(t.Context(), ids[1]); !errors.Is(err, carillon.ErrRunFollows) {
		t.Errorf("cancelled: %v", err)
	}
	awaitState(t, client, ids[3], carillon.RunWaiting)
	for _, id := range []string{ids[3], ids[4]} { // the second of its message, the first of its
		cancelled(t, client, j.ID, id)
	}
	if r := stateOf(t, client, ids[5]); r.State != carillon.RunWaiting || r.Follows != "" {
		t.Errorf("what stays of a message is %+v", r)
	}
	release()
	got := tallied(rows(t, client, j.ID, 150))
	if diff := cmp.Diff(map[string]int{"executed": 148, "cancelled": 2}, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}
