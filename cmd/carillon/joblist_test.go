package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// TestPageHoldsFew hands a page many jobs, in any order and each twice, as a walk through a store may.
func TestPageHoldsFew(t *testing.T) {
	t.Parallel()
	const limit, jobs = 50, 2000
	p := page{limit: limit}
	for _, i := range rand.Perm(2 * jobs) {
		p.add(carillon.Standing{Job: job.Job{ID: fmt.Sprintf("job-%04d", i/2), Store: "default"}})
		if len(p.jobs) > 2*limit {
			t.Fatalf("a page of %d holds %d jobs", limit, len(p.jobs))
		}
	}
	var want, got []string
	for i := range limit {
		want = append(want, fmt.Sprintf("job-%04d", i))
	}
	for _, s := range p.first() {
		got = append(got, s.Job.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the first jobs (-want +got):\n%s", diff)
	}
}

func TestPageTellsStoresApart(t *testing.T) {
	t.Parallel()
	var p page
	for _, store := range []string{"b", "a", "b"} {
		p.add(carillon.Standing{Job: job.Job{ID: "j", Store: store}})
	}
	var got string
	for _, s := range p.first() {
		got += s.Job.Store
	}
	if got != "ab" {
		t.Errorf("the stores of the jobs are %q, want ab", got)
	}
}

func TestListSaysWhy(t *testing.T) {
	t.Parallel()
	at := func(id string, edit func(*carillon.Standing)) carillon.Standing {
		s := carillon.Standing{State: carillon.JobIsActive, Job: job.Job{
			ID: id, Task: "log", Trigger: []byte(`{"type":"cron","expr":"0 3 * * *"}`),
			NextRunTime: job.At(time.Date(2026, 1, 5, 3, 0, 0, 0, time.UTC)),
		}}
		edit(&s)
		return s
	}
	stop := func(state carillon.JobState, reason string) func(*carillon.Standing) {
		return func(s *carillon.Standing) { s.Job.NextRunTime, s.State, s.Reason = job.Paused(), state, reason }
	}
	var b strings.Builder
	writeJobs(&b, []carillon.Standing{
		at("a", func(*carillon.Standing) {}),
		at("b", stop(carillon.JobIsPaused, "holiday")),
		at("c", stop(carillon.JobIsPaused, "")),
		at("d", stop(carillon.JobIsParked, "trigger: invalid:\n"+strings.Repeat("x", 100))),
	})
	want := `ID  TASK  NEXT RUN                  TRIGGER
a   log   2026-01-05T03:00:00.000Z  cron 0 3 * * *
b   log   paused                    cron 0 3 * * *
  because holiday
c   log   paused                    cron 0 3 * * *
d   log   parked                    cron 0 3 * * *
  because trigger: invalid: ` + strings.Repeat("x", 51) + "…\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
}
