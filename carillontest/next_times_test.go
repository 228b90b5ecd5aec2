package carillontest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
)

// nextAt are the next times of the job "j", in minutes after start.
func nextAt(t *testing.T, kit *carillontest.Kit, count int) []int {
	t.Helper()
	times, err := kit.Client().NextTimes(context.Background(), "j", count)
	if err != nil {
		t.Fatal(err)
	}
	minutes := []int{}
	for _, next := range times {
		minutes = append(minutes, int(next.Sub(start)/time.Minute))
	}
	return minutes
}

func TestNextTimesEndWithMaxRuns(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.AddJob(every(func(j *carillon.Job) { j.MaxRuns = 3 }))
		equal(t, "fewer than are left", nextAt(t, kit, 2), []int{10, 20})
		equal(t, "more than are left", nextAt(t, kit, 5), []int{10, 20, 30})
		kit.AdvanceTo(at(15))
		equal(t, "after the first", nextAt(t, kit, 5), []int{20, 30})
		kit.PauseJob("j")
		equal(t, "paused", nextAt(t, kit, 5), []int{})
		kit.AdvanceTo(at(35))
		kit.ResumeJob("j")
		equal(t, "resumed: times that passed were no runs", nextAt(t, kit, 5), []int{40, 50})
		kit.AdvanceTo(at(55))
		_, err := kit.Client().NextTimes(context.Background(), "j", 1)
		if !errors.Is(err, carillon.ErrJobNotFound) {
			t.Errorf("next times of a job that has had its runs: %v", err)
		}
	})
}

func TestNextTimesFollowCalendars(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.SetCalendar("closed", out(10, 30))
		kit.SetCalendar("repairs", out(40))
		kit.AddJob(every(except(kit, "closed", "repairs"), func(j *carillon.Job) { j.MaxRuns = 3 }))
		equal(t, "what is left out counts as no run", nextAt(t, kit, 5), []int{20, 50, 60})
		kit.SetCalendar("closed", out(50))
		equal(t, "what was left in again", nextAt(t, kit, 5), []int{10, 20, 30})
		kit.AdvanceTo(at(12))
		kit.SetCalendar("closed", out(20))
		equal(t, "when the next is left out", nextAt(t, kit, 5), []int{30, 50})
	})
}

func TestNextTimesEndWithTheTrigger(t *testing.T) {
	run(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.SetCalendar("closed", out(20))
		kit.AddJob(every(except(kit, "closed"), func(j *carillon.Job) {
			j.Trigger = []byte(strings.Replace(string(j.Trigger), `"every"`, `"end_date":"`+at(30).Format(time.RFC3339)+`","every"`, 1))
		}))
		equal(t, "up to the end", nextAt(t, kit, 5), []int{10, 30})
		kit.SetCalendar("closed", map[string]any{"exclude": []any{map[string]string{"type": "interval", "every": "10m", "start_date": start.Format(time.RFC3339)}}})
		kit.Settle()
		equal(t, "parked by its calendar", nextAt(t, kit, 5), []int{})
	})
}
