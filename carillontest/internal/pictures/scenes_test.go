package pictures_test

import (
	"context"
	"errors"
	"time"

	"github.com/carillon-project/carillon"
)

// lasting is a handler that takes so long, and succeeds.
func lasting(d time.Duration) func(carillon.Run) (time.Duration, error) {
	return func(carillon.Run) (time.Duration, error) { return d, nil }
}

// firstTakes is a handler that takes long for the time at ten past, and four minutes else.
func firstTakes(long time.Duration) func(carillon.Run) (time.Duration, error) {
	return func(r carillon.Run) (time.Duration, error) {
		if r.ScheduledTime.Minute() == 10 {
			return long, nil
		}
		return 4 * time.Minute, nil
	}
}

// outage is a play in which no node is up between two minutes.
func outage(from, to float64) func(*stage) {
	return func(s *stage) {
		s.addAll()
		s.outage(from, to)
	}
}

// scenes are the pictures of the page, in its order.
var scenes = []scene{
	{
		name: "start-end", title: "start_date and end_date are inclusive", desc: "Runs at 09:20, 09:30, 09:40 and 09:50; none before or after.",
		play: func(s *stage) {
			s.addAll()
			end := s.band("before start_date")
			s.minute(20)
			end()
			s.minute(50)
			end = s.band("after end_date")
			s.minute(64)
			end()
		},
	},
	{
		name: "dst-gap", title: "dst auto in spring: 02:30 does not exist, and is an hour later",
		desc:  "The nightly job runs once, at 03:30; the half-hourly job goes on without a hole.",
		start: time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), lasts: 3 * time.Hour, tick: time.Hour, zone: "Europe/Berlin",
	},
	{
		name: "dst-fold", title: "dst auto in autumn: 02:30 exists twice, and runs the first time",
		desc:  "The nightly job runs once, at the first 02:30; the half-hourly job goes on through both hours.",
		start: time.Date(2026, 10, 24, 23, 0, 0, 0, time.UTC), lasts: 4 * time.Hour, tick: time.Hour, zone: "Europe/Berlin",
	},
	{
		name: "exclude", title: "exclude leaves times out", desc: "Runs each day but from 24 to 27 December.",
		start: time.Date(2026, 12, 22, 0, 0, 0, 0, time.UTC), lasts: 8 * 24 * time.Hour, tick: 24 * time.Hour, takes: lasting(6 * time.Hour),
	},
	{
		name: "jitter", title: "jitter delays each run, and the due times keep their phase",
		desc:  "Due times lie ten minutes apart; each run starts some minutes after its own.",
		takes: lasting(2 * time.Minute),
	},
	{
		name: "coalesce-latest", title: "coalesce: latest", desc: "Of three times in an outage, the last runs when it is over.",
		play: outage(15, 45),
	},
	{
		name: "coalesce-earliest", title: "coalesce: earliest", desc: "Of three times in an outage, the first runs when it is over.",
		play: outage(15, 45),
	},
	{
		name: "coalesce-all", title: "coalesce: all", desc: "Three times in an outage run one after another when it is over.",
		takes: lasting(90 * time.Second), play: outage(15, 45),
	},
	{
		name: "misfire-grace", title: "misfire_grace_time: 20m, coalesce: all",
		desc:  "When the outage ends at 09:50, the time of 09:20 is too late; 09:30, just as late as the grace, runs, and so do the later ones.",
		takes: lasting(2 * time.Minute), play: outage(15, 50),
	},
	{
		name: "misfire-missed", title: "misfire_grace_time: 5m", desc: "When the outage ends, all of its times are too late.",
		play: outage(15, 47),
	},
	{
		name: "max-instances", title: "max_instances: 2", desc: "Runs of 25 minutes hold two slots; a time that finds both taken does not run.",
		takes: lasting(25 * time.Minute),
	},
	{
		name: "overlap-skip", title: "overlap: skip", desc: "Times that find the slot taken do not run.",
		takes: lasting(25 * time.Minute),
	},
	{
		name: "overlap-queue", title: "overlap: queue", desc: "Times that find the slot taken wait, and run in their order.",
		takes: firstTakes(25 * time.Minute),
	},
	{
		name: "overlap-queue-grace", title: "overlap: queue, misfire_grace_time: 12m",
		desc:  "The time of 09:20 waited for longer than its grace when the slot is free; that of 09:30 runs.",
		takes: firstTakes(25 * time.Minute),
	},
	{
		name: "overlap-replace", title: "overlap: replace", desc: "A time that finds the slot taken cancels the run that has it.",
		takes: firstTakes(25 * time.Minute),
	},
	{
		name: "key", title: "key: two jobs, one limit", desc: "The jobs import and export take turns in one slot.",
		takes: lasting(8 * time.Minute),
	},
	{
		name: "on-lost-rerun", title: "on_lost: rerun, leases of 3m", desc: "The node dies during the run; when its lease has ended the run starts again on another node.",
		takes: lasting(8 * time.Minute), loss: true,
	},
	{
		name: "on-lost-drop", title: "on_lost: drop", desc: "The node dies during the run, which is lost; the next time runs on another node.",
		takes: lasting(8 * time.Minute), loss: true,
	},
	{
		name: "retry", title: "retry: 3 attempts, backoff 8m, then twice that", desc: "Two attempts fail; the third, after longer and longer pauses, succeeds.",
		takes: func(r carillon.Run) (time.Duration, error) {
			if r.Attempt < 3 {
				return 6 * time.Minute, errors.New("disk full")
			}
			return 6 * time.Minute, nil
		},
	},
	{
		name: "timeout", title: "timeout: 8m", desc: "A run that hangs is ended after eight minutes; the next one is well.",
		takes: firstTakes(25 * time.Minute),
	},
	{
		name: "next-run-time", title: "next_run_time sets the first run", desc: "The first run is at 09:25; then the times are the trigger's.",
		play: func(s *stage) {
			s.addAll()
			s.minute(25)
			s.ask("next_run_time")
		},
	},
	{
		name: "next-run-time-null", title: "next_run_time: null adds the job paused", desc: "Nothing runs until the job is resumed; then it runs at the trigger's next time.",
		play: func(s *stage) {
			s.addAll()
			end := s.band("paused")
			s.minute(35)
			end()
			s.ResumeJob("report")
		},
	},
	{name: "max-runs", title: "max_runs: 3", desc: "After its third run the job is removed."},
	{
		name: "pause-job", title: "A job is paused: its times are dropped", desc: "The times of the pause do not run; after it the job goes on with the next time.",
		play: func(s *stage) {
			s.addAll()
			s.minute(15)
			end := s.band("job paused")
			s.PauseJob("report")
			s.minute(45)
			end()
			s.ResumeJob("report")
		},
	},
	{
		name: "pause-scheduler", title: "The scheduler is paused: times are kept", desc: "When the scheduler resumes, the last of the times runs and the others are coalesced.",
		play: func(s *stage) {
			s.addAll()
			s.minute(15)
			end := s.band("scheduler paused")
			s.must(s.Client().Pause(context.Background()))
			s.minute(45)
			end()
			s.must(s.Client().Resume(context.Background()))
			s.Settle()
		},
	},
	{
		name: "trigger-now", title: "job trigger: a run beside the schedule", desc: "A run that is asked for at 09:21 holds the slot at 09:30, which does not run.",
		takes: func(r carillon.Run) (time.Duration, error) {
			if r.ScheduledTime.Minute() == 21 {
				return 10 * time.Minute, nil
			}
			return time.Minute, nil
		},
		play: func(s *stage) {
			s.addAll()
			s.minute(21)
			s.ask("job trigger")
			_, err := s.Client().TriggerNow(context.Background(), "report")
			s.must(err)
		},
	},
	{
		name: "backfill", title: "job backfill: times that have passed", desc: "A job is added at 09:35; at 09:44 its times from 09:00 to 09:30 run one after another.",
		takes: lasting(75 * time.Second),
		play: func(s *stage) {
			s.minute(35)
			s.addAll()
			s.ask("added")
			s.minute(44)
			s.ask("backfill")
			from := s.scene.from()
			_, err := s.Client().Backfill(context.Background(), "report", from, from.Add(30*time.Minute), 0, "")
			s.must(err)
		},
	},
}
