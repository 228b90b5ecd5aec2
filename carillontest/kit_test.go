package carillontest_test

import (
	"context"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
)

func nothing(context.Context, any) (any, error) { return nil, nil }

func TestMonthOfADailyCronOverAChangeOfClocks(t *testing.T) {
	began := time.Now()
	carillontest.Run(t, carillontest.Options{Start: time.Date(2024, 3, 15, 0, 0, 0, 0, time.UTC)}, func(t *testing.T, kit *carillontest.Kit) {
		carillontest.Handle(kit, "report", nothing)
		kit.AddJob(carillon.Job{ID: "nightly", Task: "report", Trigger: kit.Trigger(map[string]any{
			"type": "cron", "expr": "30 2 * * *", "timezone": "Europe/Berlin",
		})})
		kit.Advance(31 * 24 * time.Hour)
		runs := kit.Runs("nightly")
		if len(runs) != 31 {
			t.Fatalf("it ran %d times in 31 days", len(runs))
		}
	})
	t.Log(time.Since(began))
}
