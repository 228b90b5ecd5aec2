package carillontest_test

import (
	"context"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
	"github.com/carillon-project/carillon/job"
)

// registerTasks is what the program itself calls with its node.
func registerTasks(n *carillon.Node) {
	carillon.Handle(n, "report", func(_ context.Context, who string) (string, error) { return "sent to " + who, nil })
}

// A month of a nightly job, with a night on which everything was down.
func ExampleRun() {
	TestNightly := func(t *testing.T) {
		opts := carillontest.Options{Start: time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC), Register: registerTasks}
		carillontest.Run(t, opts, func(t *testing.T, kit *carillontest.Kit) {
			nightly := carillon.Job{ID: "nightly", Task: "report", Args: carillon.Args("boss"), Trigger: carillon.Cron("30 2 * * *")}
			nightly.MisfireGraceTime = carillon.Grace(time.Hour)
			kit.AddJob(nightly)
			kit.Advance(10 * 24 * time.Hour)
			kit.Outage(24 * time.Hour)
			kit.Advance(20 * 24 * time.Hour)
			if n := len(kit.Runs("nightly")); n != 30 {
				t.Errorf("the report was sent %d times", n)
			}
			if s := kit.Skipped("nightly"); len(s) != 1 || s[0].Outcome != job.Missed {
				t.Errorf("skipped: %v; want the night of the outage", s)
			}
		})
	}
	_ = TestNightly // in a program: func TestNightly(t *testing.T)
}

// What a handler does with its second chance.
func ExampleKit_Enqueue() {
	_ = func(t *testing.T) {
		carillontest.Run(t, carillontest.Options{}, func(t *testing.T, kit *carillontest.Kit) {
			carillontest.Handle(kit, "mail", func(ctx context.Context, to string) (string, error) {
				run, _ := carillon.RunFrom(ctx)
				if run.Attempt == 1 {
					return "", context.DeadlineExceeded
				}
				return "sent to " + to, nil
			})
			kit.Enqueue("mail", "a@example.org", carillon.WithRetry(carillon.Retry{MaxAttempts: 2}))
			kit.Advance(time.Minute)
			if runs := kit.Runs(); len(runs) != 2 || runs[1].Outcome != job.Executed {
				t.Errorf("attempts: %+v", runs)
			}
		})
	}
}

func TestExamples(t *testing.T) {
	opts := carillontest.Options{Start: time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC), Register: registerTasks}
	carillontest.Run(t, opts, func(t *testing.T, kit *carillontest.Kit) {
		kit.AddJob(carillon.Job{ID: "nightly", Task: "report", Trigger: carillon.Cron("30 2 * * *")})
		kit.Outage(24 * time.Hour)
		equal(t, "runs", len(kit.Runs()), 1)
	})
}
