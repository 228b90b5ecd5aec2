package carillontest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
	"github.com/carillon-project/carillon/job"
)

// out is a calendar that leaves out the given minutes after start.
func out(minutes ...int) map[string]any {
	items := []any{}
	for _, m := range minutes {
		items = append(items, map[string]any{"from": at(m).Format(time.RFC3339), "to": at(m).Format(time.RFC3339)})
	}
	return map[string]any{"exclude": items}
}

// except is every(…) without what calendars leave out.
func except(kit *carillontest.Kit, names ...string) func(*carillon.Job) {
	return func(j *carillon.Job) {
		items := []any{}
		for _, name := range names {
			items = append(items, map[string]string{"calendar": name})
		}
		j.Trigger = kit.Trigger(map[string]any{"type": "interval", "every": "10m", "start_date": start.Format(time.RFC3339), "exclude": items})
	}
}

// ranAt are the minutes after start for which a job ran.
func ranAt(kit *carillontest.Kit) []int {
	minutes := []int{}
	for _, r := range kit.Runs() {
		minutes = append(minutes, int(r.ScheduledTime.Sub(start)/time.Minute))
	}
	return minutes
}

func TestCalendarLeavesTimesOut(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.SetCalendar("closed", out(10, 30))
		kit.AddJob(every(except(kit, "closed")))
		kit.AdvanceTo(at(45))
		equal(t, "runs", ranAt(kit), []int{20, 40})
		equal(t, "skipped: what is excluded is none", len(kit.Skipped()), 0)
	})
}

func TestNextTimeFollowsACalendar(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.SetCalendar("closed", out())
		kit.AddJob(every(except(kit, "closed")))
		equal(t, "next", kit.NextRun("j"), at(10))
		kit.SetCalendar("closed", out(10, 20))
		equal(t, "next when it is left out", kit.NextRun("j"), at(30))
		kit.SetCalendar("closed", out(10))
		equal(t, "next when it is left in again", kit.NextRun("j"), at(20))
		kit.AdvanceTo(at(25))
		kit.SetCalendar("closed", out())
		equal(t, "next when what has passed is left in", kit.NextRun("j"), at(30))
		kit.AdvanceTo(at(35))
		equal(t, "runs", ranAt(kit), []int{20, 30})
	})
}

func TestCalendarChangesWhileNobodyLeads(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.SetCalendar("closed", out())
		kit.AddJob(every(except(kit, "closed"), func(j *carillon.Job) { j.Coalesce = carillon.CoalesceAll }))
		kit.Down()
		kit.AdvanceTo(at(35))
		kit.SetCalendar("closed", out(10, 30, 40))
		kit.Up()
		kit.AdvanceTo(at(55))
		equal(t, "runs", ranAt(kit), []int{20, 50})
		equal(t, "skipped", len(kit.Skipped()), 0)
	})
}

func TestCalendarThatLeavesNothingParks(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.SetCalendar("closed", out())
		kit.AddJob(every(except(kit, "closed")))
		kit.SetCalendar("closed", map[string]any{"exclude": []any{map[string]string{"type": "interval", "every": "10m", "start_date": start.Format(time.RFC3339)}}})
		kit.Advance(time.Hour)
		parked, err := kit.Client().JobsIn(context.Background(), carillon.JobIsParked)
		if err != nil || len(parked) != 1 {
			t.Fatalf("parked: %v, error %v", parked, err)
		}
		kit.SetCalendar("closed", out(70))
		kit.ResumeJob("j")
		equal(t, "next", kit.NextRun("j"), at(80))
	})
}

// A run that is due goes out; that the calendars leave no time after it removes nobody whose trigger
// goes on.
func TestCalendarThatLeavesNothingAfterADueRunParks(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*carillon.Job)
		left   int
	}{
		{"the trigger goes on", func(*carillon.Job) {}, 1},
		{"max_runs is reached", func(j *carillon.Job) { j.MaxRuns = 1 }, 0},
		{"the trigger has ended by itself", func(j *carillon.Job) {
			j.Trigger = []byte(strings.Replace(string(j.Trigger), `"every"`, `"end_date":"`+at(15).Format(time.RFC3339)+`","every"`, 1))
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, kit *carillontest.Kit) {
				kit.SetCalendar("closed", map[string]any{"exclude": []any{map[string]string{"type": "interval", "every": "10m", "start_date": at(20).Format(time.RFC3339)}}})
				kit.AddJob(every(except(kit, "closed"), c.change))
				kit.AdvanceTo(at(12))
				equal(t, "runs", ranAt(kit), []int{10})
				parked, err := kit.Client().JobsIn(context.Background(), carillon.JobIsParked)
				if err != nil || len(parked) != c.left {
					t.Fatalf("parked: %v, error %v; want %d", parked, err, c.left)
				}
				if c.left == 0 {
					_, err := kit.Client().GetJob(context.Background(), "j")
					if !errors.Is(err, carillon.ErrJobNotFound) {
						t.Errorf("a job that has ended by itself: %v", err)
					}
					return
				}
				kit.SetCalendar("closed", out(20))
				kit.ResumeJob("j")
				equal(t, "next when the calendar is mended", kit.NextRun("j"), at(30))
			})
		})
	}
}

func TestNextRunTimeThatWasAskedForStands(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.SetCalendar("closed", out())
		kit.AddJob(every(except(kit, "closed"), func(j *carillon.Job) { j.NextRunTime = job.At(at(15)) }))
		kit.SetCalendar("closed", out(15, 20))
		equal(t, "next", kit.NextRun("j"), at(15))
		kit.AdvanceTo(at(35))
		equal(t, "runs", ranAt(kit), []int{15, 30})
	})
}

func TestJobNeedsItsCalendars(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		ctx, client := context.Background(), kit.Client()
		_, err := client.AddJob(ctx, every(except(kit, "closed")))
		if !errors.Is(err, carillon.ErrCalendarNotFound) || !strings.Contains(err.Error(), `"closed"`) {
			t.Errorf("a job that refers to nothing gave %v", err)
		}
		kit.SetCalendar("closed", out(10))
		kit.AddJob(every(except(kit, "closed")))
		if err := client.RemoveCalendar(ctx, "closed"); !errors.Is(err, carillon.ErrCalendarInUse) || !strings.Contains(err.Error(), "jobs j;") {
			t.Errorf("removing a calendar in use gave %v", err)
		}
		_, err = client.ModifyJob(ctx, "j", func(j *carillon.Job) error { except(kit, "nobody")(j); return nil })
		if !errors.Is(err, carillon.ErrCalendarNotFound) {
			t.Errorf("a change to a calendar that is not there gave %v", err)
		}
		_, err = client.ModifyJob(ctx, "j", func(j *carillon.Job) error { except(kit)(j); return nil })
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "next without calendars", kit.NextRun("j"), at(10))
		kit.RemoveCalendar("closed")
	})
}

func TestBackfillAndExplainKnowCalendars(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		ctx, client := context.Background(), kit.Client()
		kit.SetCalendar("closed", out(10, 30))
		kit.SetCalendar("open", out())
		kit.AddJob(every(except(kit, "open", "closed")))
		kit.AdvanceTo(at(45))
		ids, err := client.Backfill(ctx, "j", at(5), at(40), 0, "")
		if err != nil || len(ids) != 2 {
			t.Errorf("backfilled %d runs, error %v; want those at 20 and 40", len(ids), err)
		}
		x, err := client.Explain(ctx, "j", at(30))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "verdict", x.Times[0].Verdict, carillon.VerdictExcluded)
		want := "2024-03-01T00:30:00.000Z is excluded by calendar closed; the nearest are "
		if got := x.Times[0].Sentences[0]; !strings.HasPrefix(got, want) {
			t.Errorf("explanation is %q, want %q", got, want)
		}
		if x, err = client.Explain(ctx, "j", at(31)); err != nil {
			t.Fatal(err)
		}
		equal(t, "verdict of what the trigger never had", x.Times[0].Verdict, carillon.VerdictNoTime)
	})
}

func TestCalendarIsChecked(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		for name, doc := range map[string]string{"a b": `{"exclude":[]}`, "": `{"exclude":[]}`, "c": `{}`, "d": `{"exclude":["soon"]}`} {
			if err := kit.Client().SetCalendar(context.Background(), name, []byte(doc)); !errors.Is(err, carillon.ErrInvalidCalendar) {
				t.Errorf("calendar %q %s gave %v", name, doc, err)
			}
		}
		kit.SetCalendar("z", out(1))
		kit.SetCalendar("a", out())
		all, err := kit.Client().Calendars(context.Background())
		if err != nil || len(all) != 2 || all[0].Name != "a" || string(all[0].Document) != `{"exclude":[]}` {
			t.Errorf("calendars are %v, error %v", all, err)
		}
		if _, err := kit.Client().GetCalendar(context.Background(), "nobody"); !errors.Is(err, carillon.ErrCalendarNotFound) {
			t.Errorf("a calendar that is not there gave %v", err)
		}
	})
}
