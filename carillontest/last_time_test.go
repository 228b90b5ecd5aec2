package carillontest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
	"github.com/carillon-project/carillon/job"
)

// date fires once, min minutes after the start.
func date(min int, edits ...func(*carillon.Job)) carillon.Job {
	return every(append([]func(*carillon.Job){func(j *carillon.Job) { j.Trigger = carillon.At(at(min)) }}, edits...)...)
}

// until fires each ten minutes and last min minutes after the start.
func until(min int, edits ...func(*carillon.Job)) carillon.Job {
	doc := fmt.Sprintf(`{"type":"interval","every":"10m","start_date":%q,"end_date":%q}`, at(10).Format(time.RFC3339), at(min).Format(time.RFC3339))
	return every(append([]func(*carillon.Job){func(j *carillon.Job) { j.Trigger = []byte(doc) }}, edits...)...)
}

func addedPaused(j *carillon.Job) { j.NextRunTime = job.Paused() }

// rowTexts are the rows of a job, oldest first: outcome, minutes of the first and the last time, count, cause.
func rowTexts(kit *carillontest.Kit, id string) []string {
	var texts []string
	for _, r := range kit.History(id) {
		last := r.Until
		if r.Count <= 1 {
			last = r.ScheduledTime
		}
		texts = append(texts, fmt.Sprintf("%s %d-%d %d %s", r.Outcome, minute(r.ScheduledTime), minute(last), max(r.Count, 1), r.Cause))
	}
	return texts
}

func minute(t time.Time) int { return int(t.Sub(start).Minutes()) }

// endings are the causes of the events job_removed.
func endings(t *testing.T, kit *carillontest.Kit) []string {
	events, err := kit.Client().Events(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var causes []string
	for _, e := range events {
		if e.Kind == job.JobRemoved {
			causes = append(causes, e.Cause)
		}
	}
	return causes
}

// A job whose last time passed while it was stopped ends when it is resumed, and the time is recorded.
func TestLastTimeThatPassesWhilePausedIsRecorded(t *testing.T) {
	for _, c := range []struct {
		name string
		job  carillon.Job
		stop func(*carillontest.Kit)
		rows []string
		why  string
	}{
		{"a date", date(20), pause, []string{"missed 20-20 1 paused: closed"}, "passed while it was paused: closed"},
		{"the last before end_date", until(30), pause, []string{"executed 10-10 1 ", "missed 20-30 2 paused: closed"}, "passed while it was paused: closed"},
		{"a date that was added paused", date(20, addedPaused), nil, []string{"missed 20-20 1 paused"}, "passed while it was paused"},
		{"an interval that was added paused", until(30, addedPaused), nil, []string{"missed 10-30 3 paused"}, "passed while it was paused"},
		{"paused by next_run_time", until(30), func(kit *carillontest.Kit) {
			modify(kit, func(j *carillon.Job) { j.NextRunTime = job.Paused() })
		}, []string{"executed 10-10 1 ", "missed 20-30 2 paused"}, "passed while it was paused"},
		{"modified while paused", until(30), func(kit *carillontest.Kit) {
			pause(kit)
			modify(kit, func(j *carillon.Job) { j.MaxInstances = 3 })
			modify(kit, func(j *carillon.Job) { j.NextRunTime = job.Paused() })
		}, []string{"executed 10-10 1 ", "missed 20-30 2 paused: closed"}, "passed while it was paused: closed"},
		{"replaced while paused", until(30), func(kit *carillontest.Kit) {
			pause(kit)
			kit.AddJob(until(30), carillon.ReplaceExisting())
			kit.AddJob(until(30, addedPaused), carillon.ReplaceExisting())
		}, []string{"executed 10-10 1 ", "missed 20-30 2 paused: closed"}, "passed while it was paused: closed"},
		{"max_runs is reached", until(500, func(j *carillon.Job) { j.MaxRuns = 2 }), func(kit *carillontest.Kit) {
			pause(kit)
			modify(kit, func(j *carillon.Job) { j.MaxRuns = 1 })
		}, []string{"executed 10-10 1 "}, "it has had its 1 runs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, kit *carillontest.Kit) {
				ctx := context.Background()
				kit.AddJob(c.job)
				kit.AdvanceTo(at(15))
				if c.stop != nil {
					c.stop(kit)
				}
				kit.AdvanceTo(at(65))
				j, err := kit.Client().ResumeJob(ctx, "j")
				if err != nil || !strings.Contains(j.Ended, c.why) {
					t.Fatalf("resume: ended %q, error %v; want %q in it", j.Ended, err, c.why)
				}
				if _, err := kit.Client().GetJob(ctx, "j"); !errors.Is(err, carillon.ErrJobNotFound) {
					t.Errorf("the job that has ended: %v", err)
				}
				equal(t, "rows", rowTexts(kit, "j"), c.rows)
				equal(t, "causes of its removal", endings(t, kit), []string{"finished"})
				kit.Advance(time.Hour)
				kit.AddJob(date(200))
				kit.AdvanceTo(at(201))
				equal(t, "the next job of that id has run", len(kit.Times("j")) > 0, true)
			})
		})
	}
}

func pause(kit *carillontest.Kit) {
	if _, err := kit.Client().PauseJob(context.Background(), "j", carillon.Because("closed")); err != nil {
		panic(err)
	}
}

func modify(kit *carillontest.Kit, f func(*carillon.Job)) {
	if _, err := kit.Client().ModifyJob(context.Background(), "j", func(j *carillon.Job) error { f(j); return nil }); err != nil {
		panic(err)
	}
}

// Whatever gives a stopped job another next time records the times that passed while it was stopped.
func TestTimesOfAPauseAreRecordedWhenAnotherTriggerComes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*carillontest.Kit)
		next   time.Time
	}{
		{"reschedule", func(kit *carillontest.Kit) {
			modify(kit, func(j *carillon.Job) { j.Trigger = carillon.At(at(90)) })
			kit.ResumeJob("j")
		}, at(90)},
		{"replace", func(kit *carillontest.Kit) { kit.AddJob(date(90), carillon.ReplaceExisting()); kit.ResumeJob("j") }, at(90)},
		{"next_run_time", func(kit *carillontest.Kit) {
			modify(kit, func(j *carillon.Job) { j.NextRunTime = job.At(at(90)) })
		}, at(90)},
		{"apply", func(kit *carillontest.Kit) {
			client, ctx := kit.Client(), context.Background()
			plan, err := client.Plan(ctx, carillon.JobSet{Jobs: []carillon.Job{date(90)}, Adopt: true})
			if err == nil {
				_, err = client.Apply(ctx, plan)
			}
			if err != nil {
				panic(err)
			}
			kit.ResumeJob("j")
		}, at(90)},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, kit *carillontest.Kit) {
				kit.AddJob(until(30))
				kit.AdvanceTo(at(15))
				pause(kit)
				kit.AdvanceTo(at(65))
				c.change(kit)
				equal(t, "rows", rowTexts(kit, "j"), []string{"executed 10-10 1 ", "missed 20-30 2 paused: closed"})
				equal(t, "next", kit.NextRun("j"), c.next)
				kit.AdvanceTo(at(95))
				equal(t, "runs", ranAt(kit), []int{10, 90})
			})
		})
	}
}

// Calendars that leave a stopped job no time may be a mistake: it stays, and is resumed once they are mended.
func TestResumeOfAJobThatItsCalendarsEnd(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		ctx := context.Background()
		kit.SetCalendar("closed", out())
		kit.AddJob(every(except(kit, "closed")))
		pause(kit)
		kit.SetCalendar("closed", map[string]any{"exclude": []any{map[string]string{"type": "interval", "every": "10m", "start_date": start.Format(time.RFC3339)}}})
		kit.AdvanceTo(at(35))
		for range 2 {
			if _, err := kit.Client().ResumeJob(ctx, "j"); !errors.Is(err, carillon.ErrInvalidTrigger) || !strings.Contains(err.Error(), "calendars") {
				t.Fatalf("resume: %v", err)
			}
		}
		kit.SetCalendar("closed", out(40))
		kit.ResumeJob("j")
		equal(t, "next", kit.NextRun("j"), at(50))
	})
}

// What store export prints of a paused job is taken by import, whatever time is left.
func TestImportOfAPausedJobWithoutTime(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		ctx := context.Background()
		kit.AddJob(until(30))
		pause(kit)
		kit.AdvanceTo(at(65))
		docs, err := kit.Client().Export(ctx)
		if err != nil {
			t.Fatal(err)
		}
		kit.RemoveJob("j")
		for range 2 { // an import that failed is repeated
			if _, err := kit.Client().Import(ctx, docs, carillon.ReplaceExisting()); err != nil {
				t.Fatal(err)
			}
		}
		j, err := kit.Client().ResumeJob(ctx, "j")
		if err != nil || !strings.Contains(j.Ended, "no time left") {
			t.Errorf("resume: ended %q, error %v", j.Ended, err)
		}
	})
}

// Times that pass while the scheduler is paused, or down, are decided when it goes on, the last one too.
func TestLastTimeWhileTheSchedulerIsPaused(t *testing.T) {
	for _, c := range []struct {
		name     string
		off, on  func(*carillontest.Kit)
		outcomes []string
	}{
		{"paused", func(kit *carillontest.Kit) { must(kit.Client().Pause(context.Background())) },
			func(kit *carillontest.Kit) { must(kit.Client().Resume(context.Background())) }, nil},
		{"down", (*carillontest.Kit).Down, (*carillontest.Kit).Up, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, kit *carillontest.Kit) {
				kit.AddJob(until(20))
				kit.AddJob(date(20, func(j *carillon.Job) { j.ID, j.MisfireGraceTime = "late", job.Grace(time.Minute) }))
				kit.AdvanceTo(at(15))
				c.off(kit)
				kit.AdvanceTo(at(65))
				c.on(kit)
				kit.Advance(time.Minute)
				equal(t, "runs", ranAt(kit), []int{10, 20})
				rows := rowTexts(kit, "late")
				equal(t, "rows of the late one", len(rows) == 1 && strings.HasPrefix(rows[0], "missed 20-20 1 late by"), true)
				equal(t, "causes of removals", endings(t, kit), []string{"finished", "finished"})
			})
		})
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
