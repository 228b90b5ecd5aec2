package pains_test

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
)

// 6. A restart resets next_run_time, makes duplicates, and loses the backlog and the pause.
func TestPain06RestartForgets(t *testing.T) {
	add := func(kit *carillontest.Kit) { kit.AddJob(every(time.Hour), carillon.ReplaceExisting()) }
	t.Run("restarted more often than the interval", func(t *testing.T) {
		simulate(t, func(t *testing.T, kit *carillontest.Kit) {
			for range 12 {
				add(kit)
				kit.Advance(20 * time.Minute)
				kit.Outage(time.Second)
			}
			equal(t, "runs in four hours", len(kit.Runs()), 4)
			jobs, err := kit.Client().Jobs(t.Context())
			must(t, err)
			equal(t, "jobs", len(jobs), 1)
		})
	})
	t.Run("backlog", func(t *testing.T) {
		simulate(t, func(t *testing.T, kit *carillontest.Kit) {
			add(kit)
			kit.Down()
			kit.Advance(90 * time.Minute)
			add(kit)
			kit.Up()
			equal(t, "runs that came due while it was down", kit.Times(), []time.Time{start.Add(time.Hour)})
		})
	})
	t.Run("pause", func(t *testing.T) {
		simulate(t, func(t *testing.T, kit *carillontest.Kit) {
			add(kit)
			kit.PauseJob("j")
			add(kit)
			kit.Advance(5 * time.Hour)
			equal(t, "runs of a paused job", len(kit.Runs()), 0)
		})
	})
	t.Run("same id without replacing", func(t *testing.T) {
		simulate(t, func(t *testing.T, kit *carillontest.Kit) {
			add(kit)
			_, err := kit.Client().AddJob(t.Context(), every(time.Hour))
			wantErr(t, err, carillon.ErrConflictingID)
		})
	})
}

// 10. The weekday numbers of a crontab: 0 was Monday, and 7 refused.
func TestPain10CrontabWeekdayNumbers(t *testing.T) {
	tests := []struct{ name, expr, want string }{
		{"0 is Sunday", "0 12 * * 0", "Sun 3 12:00, Sun 10 12:00"},
		{"7 is Sunday", "0 12 * * 7", "Sun 3 12:00, Sun 10 12:00"},
		{"1 to 5 are the working days", "0 12 4-8 * 1-5", "Fri 1 12:00, Mon 4 12:00, Tue 5 12:00, Wed 6 12:00, Thu 7 12:00, Fri 8 12:00, Mon 11 12:00, Tue 12 12:00, Wed 13 12:00, Thu 14 12:00"},
		{"sun#2", "0 12 * * sun#2", "Sun 10 12:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simulate(t, func(t *testing.T, kit *carillontest.Kit) {
				kit.AddJob(with(carillon.Cron(tt.expr)))
				kit.Advance(14 * 24 * time.Hour)
				equal(t, "days", local(t, "UTC", kit.Times()), tt.want)
			})
		})
	}
}

// 11. Changes of clocks: a midnight job lost on the day after, a daily job twice or not at all.
func TestPain11ChangesOfClocks(t *testing.T) {
	tests := []struct {
		name, expr string
		from       time.Time
		want       string
	}{
		{"midnight after the gap", "0 0 * * *", time.Date(2024, 3, 30, 12, 0, 0, 0, time.UTC), "Sun 31 00:00, Mon 1 00:00, Tue 2 00:00"},
		{"in the gap", "30 2 * * *", time.Date(2024, 3, 30, 12, 0, 0, 0, time.UTC), "Sun 31 03:30, Mon 1 02:30, Tue 2 02:30"},
		{"in the fold", "30 2 * * *", time.Date(2024, 10, 26, 12, 0, 0, 0, time.UTC), "Sun 27 02:30, Mon 28 02:30, Tue 29 02:30"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			carillontest.Run(t, carillontest.Options{Start: tt.from}, func(t *testing.T, kit *carillontest.Kit) {
				kit.Node().HandleFunc("work", done)
				kit.AddJob(with(kit.Trigger(map[string]string{"type": "cron", "expr": tt.expr, "timezone": "Europe/Berlin"})))
				kit.Advance(72 * time.Hour)
				equal(t, "times", local(t, "Europe/Berlin", kit.Times()), tt.want)
			})
		})
	}
}

// 13. And-triggers hang, and nothing leaves holidays out.
func TestPain13AndTriggersHang(t *testing.T) {
	both := func(kit *carillontest.Kit, a, b string) carillon.Job {
		return with(kit.Trigger(map[string]any{"type": "and", "triggers": []any{
			map[string]string{"type": "cron", "expr": a}, map[string]string{"type": "cron", "expr": b},
		}}))
	}
	t.Run("members that never agree", func(t *testing.T) {
		simulate(t, func(t *testing.T, kit *carillontest.Kit) {
			_, err := kit.Client().AddJob(t.Context(), both(kit, "0 3 * * *", "30 4 * * *"))
			wantErr(t, err, carillon.ErrInvalidTrigger)
		})
	})
	t.Run("members that agree late", func(t *testing.T) {
		simulate(t, func(t *testing.T, kit *carillontest.Kit) {
			kit.AddJob(both(kit, "0 */7 * * *", "0 */5 * * mon"))
			kit.Advance(7 * 24 * time.Hour)
			equal(t, "times", local(t, "UTC", kit.Times()), "Mon 4 00:00")
		})
	})
	t.Run("holidays", func(t *testing.T) {
		simulate(t, func(t *testing.T, kit *carillontest.Kit) {
			kit.AddJob(with(kit.Trigger(map[string]any{
				"type": "cron", "expr": "0 9 * * mon-fri", "exclude": []any{"2024-03-05", map[string]string{"from": "2024-03-07", "to": "2024-03-10"}},
			})))
			kit.Advance(11 * 24 * time.Hour)
			equal(t, "days", local(t, "UTC", kit.Times()), "Fri 1 09:00, Mon 4 09:00, Wed 6 09:00, Mon 11 09:00")
		})
	})
}

// 16. Backlogs that eat memory and time, drifting jitter, a paused job resumed by a reschedule.
func TestPain16BacklogOfAYear(t *testing.T) {
	simulate(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.AddJob(every(time.Second))
		kit.Down()
		kit.Advance(365 * 24 * time.Hour)
		kit.Up()
		equal(t, "runs", len(kit.Runs()), 1)
		equal(t, "accounted for", outcomes(kit.History("j")), map[string]int{"executed": 1, "coalesced": 365*24*3600 - 1})
	})
}

func TestPain16JitterDrifts(t *testing.T) {
	simulate(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.AddJob(with(kit.Trigger(map[string]any{"type": "interval", "every": "1h", "jitter": 600})))
		kit.Advance(100*time.Hour + 30*time.Minute)
		runs, moved := kit.Runs(), false
		for i, r := range runs {
			due := start.Add(time.Duration(i+1) * time.Hour)
			if late := r.Started.Sub(due); !r.ScheduledTime.Equal(due) || late < 0 || late > 10*time.Minute {
				t.Errorf("run %d of %s started at %s", i, r.ScheduledTime, r.Started)
			}
			moved = moved || !r.Started.Equal(due)
		}
		if len(runs) != 100 || !moved {
			t.Errorf("%d runs, moved by the jitter: %v", len(runs), moved)
		}
	})
}

func TestPain16RescheduleResumesAPausedJob(t *testing.T) {
	simulate(t, func(t *testing.T, kit *carillontest.Kit) {
		kit.AddJob(every(time.Hour))
		kit.PauseJob("j")
		_, err := kit.Client().RescheduleJob(t.Context(), "j", carillon.Every(time.Minute))
		must(t, err)
		kit.Advance(3 * time.Hour)
		equal(t, "runs of a paused job", len(kit.Runs()), 0)
	})
}
