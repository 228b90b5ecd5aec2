package pains_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
	"github.com/carillon-project/carillon/job"
)

// 2. "Run time of job was missed by 0:00:01": the default grace of a second.
func TestPain02DefaultGraceDropsRuns(t *testing.T) {
	simulate(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.AddJob(every(time.Hour))
		kit.Advance(59*time.Minute + 59*time.Second)
		kit.Outage(3 * time.Second)
		equal(t, "runs two seconds late", len(kit.Runs()), 1)
		kit.Advance(50 * time.Minute)
		kit.Outage(48 * time.Hour)
		equal(t, "runs two days late", len(kit.Runs()), 2)
		equal(t, "missed", outcomes(kit.History("j"))["missed"], 0)
	})
}

// 3. "Maximum number of running instances reached": runs skipped, no queue, no replacing.
func TestPain03MaxInstancesSkipsWithoutChoice(t *testing.T) {
	tests := []struct {
		name    string
		overlap job.Overlap
		want    map[string]int
	}{
		{"skip is recorded", job.OverlapSkip, map[string]int{"executed": 1, "max_instances": 2}},
		{"queue runs them all", job.OverlapQueue, map[string]int{"executed": 4}},
		{"replace cancels the oldest", job.OverlapReplace, map[string]int{"cancelled": 3, "executed": 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulate(t, func(t *testing.T, kit *carillontest.Kit) {
				kit.Node().HandleFunc("work", lasting(25*time.Minute))
				kit.AddJob(every(10*time.Minute, func(j *carillon.Job) { j.Overlap = tt.overlap }))
				kit.Advance(39 * time.Minute)
				if tt.overlap == job.OverlapSkip {
					equal(t, "outcomes", outcomes(kit.History("j")), tt.want)
					return
				}
				kit.Advance(time.Minute)
				kit.PauseJob("j")
				kit.Advance(3 * time.Hour)
				equal(t, "outcomes", outcomes(kit.History("j")), tt.want)
			})
		})
	}
}

// 4. No timeout, no kill: a hung run blocks its job for ever.
func TestPain04HungRunBlocksItsJob(t *testing.T) {
	simulate(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.Node().HandleFunc("work", hang)
		kit.AddJob(every(time.Hour, func(j *carillon.Job) { j.Timeout = carillon.Duration(time.Minute) }))
		kit.Advance(3*time.Hour + 2*time.Minute)
		equal(t, "with a timeout", outcomes(kit.History("j")), map[string]int{"timeout": 3})
		kit.RemoveJob("j")
		kit.AddJob(every(time.Hour, func(j *carillon.Job) { j.ID = "k" }))
		kit.Advance(time.Hour)
		must(t, kit.Client().CancelRun(t.Context(), kit.Runs("k")[0].ID))
		kit.Advance(time.Hour)
		equal(t, "runs when the hung one was killed", len(kit.Runs("k")), 2)
	})
}

// 5. No retries, no backoff; a crash loses the run.
func TestPain05NoRetries(t *testing.T) {
	simulate(t, func(t *testing.T, kit *carillontest.Kit) {
		none := 0.0
		kit.Node().HandleFunc("work", func(_ context.Context, r carillon.Run) (any, error) {
			if r.Attempt < 3 {
				return nil, errors.New("not yet")
			}
			return nil, nil
		})
		kit.AddJob(every(time.Hour, func(j *carillon.Job) {
			j.Retry = carillon.Retry{MaxAttempts: 3, Backoff: job.Backoff{Initial: carillon.Duration(time.Minute), Jitter: &none}}
		}))
		kit.Advance(90 * time.Minute)
		var got []string
		for _, r := range kit.Runs() {
			got = append(got, fmt.Sprint(r.Started.Sub(start), " ", r.Outcome))
		}
		equal(t, "attempts", got, []string{"1h0m0s error", "1h1m0s error", "1h3m0s executed"})
	})
}

func TestPain05ShutdownLosesTheRun(t *testing.T) {
	simulate(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.Node().HandleFunc("work", lasting(10*time.Minute))
		kit.AddJob(every(time.Hour))
		kit.Advance(65 * time.Minute)
		kit.Outage(time.Minute)
		kit.Advance(15 * time.Minute)
		equal(t, "outcomes", outcomes(kit.History("j")), map[string]int{"executed": 1})
		equal(t, "attempts", len(kit.Runs()), 2)
	})
}

// 12. No history, no run id, no started event, and no order of events.
func TestPain12NoHistoryNoRunIDNoOrder(t *testing.T) {
	simulate(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.Node().HandleFunc("work", lasting(15*time.Minute))
		kit.AddJob(every(10*time.Minute, func(j *carillon.Job) { j.MaxInstances, j.MaxRuns = 2, 2 }))
		kit.Advance(time.Hour)
		rows := kit.History("j")
		if len(rows) != 2 || rows[0].RunID == rows[1].RunID || rows[0].Finished.Sub(rows[0].Started) != 15*time.Minute {
			t.Fatalf("history: %+v", rows)
		}
		events, err := kit.Client().Events(t.Context())
		must(t, err)
		order := map[string][]job.EventKind{}
		for _, e := range events {
			order[e.RunID] = append(order[e.RunID], e.Kind)
		}
		for _, r := range rows { // they overlapped, and can be told apart
			equal(t, "events", order[r.RunID], []job.EventKind{job.JobSubmitted, job.JobStarted, job.JobExecuted})
		}
	})
}

// 14. "Reference to its callable could not be determined": what cannot be pickled cannot be scheduled.
func TestPain14CallablesThatCannotBeSerialised(t *testing.T) {
	simulate(t, func(t *testing.T, kit *carillontest.Kit) {
		type order struct {
			ID    int      `json:"id"`
			Items []string `json:"items"`
		}
		var got []order // a closure over local state is a fine handler: jobs name tasks, not code
		carillontest.Handle(kit, "bill", func(_ context.Context, o order) (any, error) {
			got = append(got, o)
			return nil, nil
		})
		want := order{17, []string{"<a>", "ü"}}
		kit.AddJob(with(carillon.Every(time.Hour), func(j *carillon.Job) { j.Task, j.Args = "bill", carillon.Args(want) }))
		kit.Advance(time.Hour)
		equal(t, "args", got, []order{want})
		equal(t, "outcome of args that do not fit", outcome(kit, "bill", "a text"), job.Failed)
	})
}

func outcome(kit *carillontest.Kit, task string, args any) job.Outcome {
	kit.Enqueue(task, args)
	runs := kit.History("@" + task)
	return runs[len(runs)-1].Outcome
}
