package carillontest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
	"github.com/carillon-project/carillon/job"
)

var start = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)

// at is so many minutes after start.
func at(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }

// run is a test with a kit that begins at start and has the task "work", which ends at once.
func run(t *testing.T, f func(t *testing.T, kit *carillontest.Kit)) {
	t.Helper()
	carillontest.Run(t, carillontest.Options{Start: start}, func(t *testing.T, kit *carillontest.Kit) {
		carillontest.Handle(kit, "work", func(context.Context, any) (any, error) { return nil, nil })
		f(t, kit)
	})
}

// every is a job of the task "work" at every tenth minute.
func every(adjust ...func(*carillon.Job)) carillon.Job {
	j := carillon.Job{ID: "j", Task: "work", Trigger: carillon.Every(10 * time.Minute)}
	for _, a := range adjust {
		a(&j)
	}
	return j
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestMonthOverAChangeOfClocks(t *testing.T) {
	carillontest.Run(t, carillontest.Options{Start: time.Date(2024, 3, 15, 0, 0, 0, 0, time.UTC)}, func(t *testing.T, kit *carillontest.Kit) {
		carillontest.Handle(kit, "work", func(context.Context, any) (any, error) { return nil, nil })
		kit.AddJob(every(func(j *carillon.Job) {
			j.Trigger = kit.Trigger(map[string]string{"type": "cron", "expr": "30 2 * * *", "timezone": "Europe/Berlin"})
		}))
		kit.Advance(31 * 24 * time.Hour)
		runs := kit.Runs()
		if len(runs) != 31 {
			t.Fatalf("it ran %d times in 31 days", len(runs))
		}
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range runs {
			clock, day := "02:30", 15+i
			if day == 31 {
				clock = "03:30" // 02:30 is in the gap
			}
			local := r.ScheduledTime.In(berlin)
			if got := local.Format("15:04"); got != clock || local.YearDay() != time.Date(2024, 3, day, 0, 0, 0, 0, berlin).YearDay() {
				t.Errorf("run %d was at %s, want %s on day %d", i, local, clock, day)
			}
			if !r.Started.Equal(r.ScheduledTime) || r.Outcome != job.Executed {
				t.Errorf("run %d: %+v, want it started on time and executed", i, r)
			}
		}
	})
}

func TestRetriesWithBackoff(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		none := 0.0
		carillontest.Handle(kit, "fragile", func(ctx context.Context, _ any) (string, error) {
			if r, _ := carillon.RunFrom(ctx); r.Attempt < 4 {
				return "", fmt.Errorf("attempt %d failed", r.Attempt)
			}
			return "done", nil
		})
		kit.AddJob(every(func(j *carillon.Job) {
			j.Task = "fragile"
			j.Retry = carillon.Retry{MaxAttempts: 4, Backoff: job.Backoff{Initial: carillon.Duration(10 * time.Second), Jitter: &none}}
		}))
		kit.Advance(15 * time.Minute)
		var got []string
		for _, r := range kit.Runs() {
			got = append(got, fmt.Sprintf("%d %s %s %v %v", r.Attempt, r.Started.Sub(at(10)), r.Outcome, r.Retrying, r.Err))
		}
		equal(t, "attempts", got, []string{
			"1 0s error true attempt 1 failed", "2 10s error true attempt 2 failed",
			"3 30s error true attempt 3 failed", "4 1m10s executed false <nil>",
		})
		equal(t, "times", kit.Times(), []time.Time{at(10)})
		if rows := kit.History("j"); len(rows) != 1 || rows[0].Attempt != 4 || rows[0].Outcome != job.Executed {
			t.Errorf("history is %+v, want the last attempt", rows)
		}
	})
}

func TestPermanentErrorTimeoutAndCancel(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		carillontest.Handle(kit, "hangs", func(ctx context.Context, _ any) (any, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		})
		carillontest.Handle(kit, "hopeless", func(context.Context, any) (any, error) {
			return nil, carillon.Permanent(errors.New("no such account"))
		})
		kit.Enqueue("hopeless", nil, carillon.WithRetry(carillon.Retry{MaxAttempts: 9}))
		kit.Enqueue("hangs", nil, carillon.WithTimeout(carillon.Duration(time.Minute)))
		id := kit.Enqueue("hangs", 2)
		kit.Advance(2 * time.Minute)
		if r := kit.Runs("@hangs"); len(r) != 2 || r[0].Outcome != job.TimedOut || !r[1].Ended.IsZero() {
			t.Fatalf("runs are %+v, want one timed out after a minute and one that runs", r)
		}
		if err := kit.Client().CancelRun(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		kit.Settle()
		equal(t, "outcome", kit.Runs("@hangs")[1].Outcome, job.Cancelled)
		if r := kit.Runs("@hopeless"); len(r) != 1 || r[0].Outcome != job.Failed || r[0].Retrying {
			t.Errorf("runs are %+v, want one attempt that failed", r)
		}
	})
}

func TestMaxInstances(t *testing.T) {
	tests := []struct {
		name    string
		max     int
		overlap job.Overlap
		started []int // minutes
		skipped []int
	}{
		{"skip", 1, job.OverlapSkip, []int{10, 40, 70}, []int{20, 30, 50, 60}},
		{"two at once", 2, job.OverlapSkip, []int{10, 20, 40, 50, 70}, []int{30, 60}},
		{"queue", 1, job.OverlapQueue, []int{10, 35, 60}, nil},
		{"replace", 1, job.OverlapReplace, []int{10, 20, 30, 40, 50, 60, 70}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(t *testing.T, kit *carillontest.Kit) {
				carillontest.Handle(kit, "slow", func(ctx context.Context, _ any) (any, error) {
					select {
					case <-time.After(25 * time.Minute):
						return nil, nil
					case <-ctx.Done():
						return nil, context.Cause(ctx)
					}
				})
				kit.AddJob(every(func(j *carillon.Job) {
					j.Task, j.MaxInstances, j.Overlap = "slow", tt.max, tt.overlap
				}))
				kit.Advance(75 * time.Minute)
				var started, skipped []int
				for _, r := range kit.Runs() {
					started = append(started, int(r.Started.Sub(start).Minutes()))
				}
				for _, s := range kit.Skipped("j") {
					skipped = append(skipped, int(s.ScheduledTime.Sub(start).Minutes()))
					equal(t, "outcome", s.Outcome, job.MaxInstances)
				}
				equal(t, "started", started, tt.started)
				equal(t, "skipped", skipped, tt.skipped)
			})
		})
	}
}

// skips are the rows of due times that did not run: outcome, first minute, how many.
func skips(kit *carillontest.Kit) []string {
	var all []string
	for _, s := range kit.Skipped() {
		all = append(all, fmt.Sprintf("%s %d x%d", s.Outcome, int(s.ScheduledTime.Sub(start).Minutes()), s.Count))
	}
	return all
}

func TestOutage(t *testing.T) {
	tests := []struct {
		name     string
		coalesce job.Coalesce
		grace    time.Duration
		ran      []time.Time
		skipped  []string
	}{
		{"latest", job.CoalesceLatest, 0, []time.Time{at(10), at(50)}, []string{"coalesced 20 x3"}},
		{"earliest", job.CoalesceEarliest, 0, []time.Time{at(10), at(20)}, []string{"coalesced 30 x3"}},
		{"all", job.CoalesceAll, 0, []time.Time{at(10), at(20), at(30), at(40), at(50)}, nil},
		{"all within the grace", job.CoalesceAll, 20 * time.Minute, []time.Time{at(10), at(40), at(50)}, []string{"missed 20 x2"}},
		{"latest within the grace", job.CoalesceLatest, 20 * time.Minute, []time.Time{at(10), at(50)}, []string{"missed 20 x2", "coalesced 40 x1"}},
		{"too late for all", job.CoalesceLatest, time.Minute, []time.Time{at(10)}, []string{"missed 20 x4"}},
		{"as late as the grace", job.CoalesceLatest, 5 * time.Minute, []time.Time{at(10), at(50)}, []string{"missed 20 x3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(t *testing.T, kit *carillontest.Kit) {
				kit.AddJob(every(func(j *carillon.Job) {
					j.Coalesce, j.MisfireGraceTime = tt.coalesce, carillon.Grace(tt.grace)
				}))
				kit.Advance(10 * time.Minute)
				kit.Outage(45 * time.Minute)
				equal(t, "ran", kit.Times("j"), tt.ran)
				equal(t, "skipped", skips(kit), tt.skipped)
				equal(t, "next", kit.NextRun("j"), at(60))
			})
		})
	}
}

func TestOutageHandsBackWhatRuns(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		carillontest.Handle(kit, "slow", func(ctx context.Context, _ any) (any, error) {
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-time.After(time.Hour):
				return nil, nil
			}
		})
		kit.Enqueue("slow", nil)
		kit.Advance(10 * time.Minute)
		kit.Outage(time.Minute)
		kit.Advance(time.Hour)
		var got []string
		for _, r := range kit.Runs() {
			got = append(got, fmt.Sprint(r.Attempt, " ", r.Started.Sub(start), " ", r.Outcome))
		}
		equal(t, "attempts", got, []string{"1 0s error", "2 11m0s executed"})
	})
}

func TestPauseResumeRemove(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.AddJob(every())
		kit.Advance(15 * time.Minute)
		kit.PauseJob("j")
		kit.Advance(30 * time.Minute)
		equal(t, "next while paused", kit.NextRun("j"), time.Time{})
		kit.ResumeJob("j")
		equal(t, "next when resumed", kit.NextRun("j"), at(50))
		kit.Advance(10 * time.Minute)
		kit.RemoveJob("j")
		kit.Advance(time.Hour)
		equal(t, "ran", kit.Times(), []time.Time{at(10), at(50)})
	})
}

func TestRegisterHearsAndWraps(t *testing.T) {
	began := make(chan string, 10)
	register := func(n *carillon.Node) {
		carillon.Handle(n, "greet", func(_ context.Context, who string) (string, error) { return "hello " + who, nil })
		n.Use(func(task string, next carillon.TaskFunc) carillon.TaskFunc {
			return func(ctx context.Context, r carillon.Run) (any, error) {
				began <- task + " " + string(r.Args)
				return next(ctx, r)
			}
		})
		n.AddListener(carillon.Mask(carillon.JobExecuted), func(e carillon.Event) { began <- string(e.Kind) })
	}
	carillontest.Run(t, carillontest.Options{Register: register}, func(_ *testing.T, kit *carillontest.Kit) {
		kit.Enqueue("greet", "you")
	})
	close(began)
	var got []string
	for s := range began {
		got = append(got, s)
	}
	equal(t, "heard", got, []string{`greet "you"`, "job_executed"})
}

func TestLinesOfAHandlerAreKept(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		carillontest.Handle(kit, "chatty", func(ctx context.Context, _ any) (any, error) {
			carillon.Logger(ctx).Info("half done")
			return nil, nil
		})
		id := kit.Enqueue("chatty", nil)
		kit.Advance(time.Minute)
		var lines []string
		err := kit.Client().RunLog(t.Context(), id, false, func(l carillon.LogLine) { lines = append(lines, l.Text) })
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "lines", lines, []string{"half done"})
	})
}

func TestUnknownTaskIsRefused(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		_, err := kit.Client().AddJob(t.Context(), every(func(j *carillon.Job) { j.Task = "nobody" }))
		if !errors.Is(err, carillon.ErrUnknownTask) {
			t.Errorf("error is %v", err)
		}
	})
}

// Ten days of an hourly job take a test a fraction of a second, and so do many jobs at once.
func TestScale(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.AddJob(every(func(j *carillon.Job) { j.Trigger = carillon.Cron("@hourly") }))
		kit.Advance(10 * 24 * time.Hour)
		equal(t, "runs", len(kit.Runs()), 240)
		for i := range 200 {
			kit.AddJob(every(func(j *carillon.Job) { j.ID = fmt.Sprint("job-", i) }))
		}
		kit.Advance(10 * time.Minute)
		equal(t, "runs", len(kit.Runs()), 440)
	})
}

func TestPausedExecutorHoldsItsRuns(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.AddJob(every(func(j *carillon.Job) { j.Coalesce, j.MaxInstances = carillon.CoalesceAll, 10 }))
		kit.AdvanceTo(at(15))
		pause := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			kit.Settle()
		}
		pause(kit.Client().PauseExecutor(t.Context(), "default", carillon.Because("a test")))
		kit.AdvanceTo(at(45))
		equal(t, "runs while paused", len(kit.Runs()), 1)
		pause(kit.Client().ResumeExecutor(t.Context(), "default"))
		var late []time.Duration
		for _, r := range kit.Runs() {
			late = append(late, r.Started.Sub(r.ScheduledTime))
		}
		equal(t, "lateness at once after the resumption", late, []time.Duration{0, 25 * time.Minute, 15 * time.Minute, 5 * time.Minute})
	})
}
