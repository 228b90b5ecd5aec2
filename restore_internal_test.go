package carillon

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func TestCarriedOn(t *testing.T) {
	added := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	stored := func(given string, change ...func(*store.Entry)) store.Entry {
		j := Job{ID: "j", Task: "t", Trigger: json.RawMessage(given)}.WithDefaults(Options{})
		e, err := newEntry(j, added.UnixMilli())
		if err == nil {
			err = schedule(&e, added, &almanac{})
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range change {
			f(&e)
		}
		return e
	}
	const hourly, nightly = `{"every":"1h","type":"interval"}`, `{"expr":"0 3 * * *","type":"cron"}`
	const anchoredHourly = `{"every":"1h","start_date":"2026-03-01T13:00:00Z","timezone":"UTC","type":"interval"}`
	asked := time.Date(2026, 3, 1, 18, 0, 0, 1_000_000, time.UTC)
	tests := []struct {
		name    string
		entry   store.Entry
		trigger string
		next    job.NextRun
		maxRuns int
	}{
		{"cron is as given", stored(nightly), nightly, job.NextRun{}, 0},
		{"interval keeps its phase", stored(hourly), anchoredHourly, job.NextRun{}, 0},
		{"paused", stored(nightly, func(e *store.Entry) { e.State = store.Paused }), nightly, job.Paused(), 0},
		{"parked", stored(nightly, func(e *store.Entry) { e.State = store.Parked }), nightly, job.Paused(), 0},
		{"asked for a time", stored(nightly, func(e *store.Entry) { e.Next = asked.UnixMilli() }), nightly, job.At(asked), 0},
		{"runs are left", stored(nightly, func(e *store.Entry) { e.Job.MaxRuns, e.Runs = 5, 2 }), nightly, job.NextRun{}, 3},
		{"no run is left", stored(nightly, func(e *store.Entry) { e.Job.MaxRuns, e.Runs = 5, 5 }), nightly, job.NextRun{}, 1},
		{"runs without a limit", stored(nightly, func(e *store.Entry) { e.Runs = 5 }), nightly, job.NextRun{}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := carriedOn(tt.entry)
			if diff := cmp.Diff(tt.trigger, string(got.Trigger)); diff != "" || got.MaxRuns != tt.maxRuns {
				t.Errorf("max_runs %d, want %d; %s", got.MaxRuns, tt.maxRuns, diff)
			}
			at, said := got.NextRunTime.Time()
			want, wanted := tt.next.Time()
			if !at.Equal(want) || said != wanted || got.NextRunTime.IsPaused() != tt.next.IsPaused() {
				t.Errorf("next_run_time %+v, want %+v", got.NextRunTime, tt.next)
			}
		})
	}
}
