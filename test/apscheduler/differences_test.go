package apscheduler_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// difference is a place where Carillon means to do something else than APScheduler. Sections are
// those of the design contract.
type difference struct {
	scenario string
	differs  []string // exactly these lines
	why      string
}

// Reasons that several scenarios share.
const (
	accounted     = "every time that does not run is accounted for, with a count and a cause (section 5)"
	slotAtStart   = "a slot is taken when a run starts, across all nodes: the leader dispatches, start refuses (section 3, rule 5). The outcome is the same"
	keepsPhase    = "an interval keeps its phase, whatever its next_run_time was set to (section 5, triggers)"
	strictlyAfter = "the first time is strictly after the call (section 5)"
	noPending     = "a job is stored when it is added, whether or not a node runs: there are no pending jobs (section 6)"
)

var differences = []difference{
	{
		"default_grace_is_1s",
		[]string{
			"sent: theirs [], ours [a@00:10]",
			"executed: theirs [], ours [a@00:10]",
			"missed: theirs [a@00:10], ours []",
		},
		"without a misfire_grace_time no run is ever too late (section 5, options)",
	},
	{
		"backlog_coalesce_grace_none",
		[]string{"coalesced: theirs [], ours [a@00:10 a@00:20 a@00:30 a@00:40]"},
		accounted,
	},
	{
		"backlog_coalesce_last_is_too_late",
		[]string{"missed: theirs [a@00:50], ours [a@00:10 a@00:20 a@00:30 a@00:40 a@00:50]"},
		"times beyond the grace are dropped before coalesce picks, and each is accounted for (section 5)",
	},
	{
		"pause_resume_job_no_backlog",
		[]string{"missed: theirs [], ours [a@00:10 a@00:20 a@00:30 a@00:40 a@00:50]"},
		"what a job's pause dropped is recorded when it resumes, with the cause paused (section 5)",
	},
	{
		"max_instances_drops_whole_batch",
		[]string{"sent: theirs [a@00:10 a@01:00], ours [a@00:10 a@00:20 a@00:30 a@00:40 a@00:50 a@01:00]"},
		slotAtStart,
	},
	{
		"max_instances_counts_queued_not_running",
		[]string{"sent: theirs [a@00:10], ours [a@00:10 a@00:20]"},
		slotAtStart,
	},
	{
		"max_instances_missed_frees_slot",
		[]string{
			"sent: theirs [a@00:20], ours [a@00:10 a@00:20]",
			"executed: theirs [], ours [a@00:10]",
			"missed: theirs [a@00:10], ours []",
		},
		"a node that has room starts a run at once, so it waits in no queue until it is too late; what does wait is judged when it starts (section 3, rule 5)",
	},
	{
		"no_trigger_runs_now",
		[]string{
			"sent: theirs [d@01:00], ours []",
			"executed: theirs [d@01:00], ours []",
			"step 2 add_job: refused: theirs false, ours true",
			"step 2 add_job: next of d: theirs 01:00:00, ours gone",
		},
		"a job has a trigger; to run a task once is Client.Enqueue (section 6, Job)",
	},
	{
		"add_with_exhausted_trigger",
		[]string{
			"step 2 add_job: refused: theirs false, ours true",
			"step 2 add_job: next of z: theirs none, ours gone",
			"step 3 process: next of z: theirs none, ours gone",
			"step 4 resume_job: refused: theirs false, ours true",
		},
		"an exhausted trigger is refused when added (section 5)",
	},
	{
		"reschedule_to_exhausted_trigger",
		[]string{
			"sent: theirs [], ours [a@02:00]",
			"coalesced: theirs [], ours [a@01:10 a@01:20 a@01:30 a@01:40 a@01:50]",
			"step 2 add_job: next of a: theirs 01:00:00, ours 01:10:00",
			"step 3 reschedule_job: refused: theirs false, ours true",
			"step 3 reschedule_job: next of a: theirs none, ours 01:10:00",
			"step 4 process: next of a: theirs none, ours 02:10:00",
		},
		"an exhausted trigger is refused, and the job stays as it was; the first time is strictly after the add (section 5)",
	},
	{
		"scheduler_pause_keeps_backlog",
		[]string{"coalesced: theirs [], ours [a@00:10 a@00:20 a@00:30 a@00:40]"},
		accounted,
	},
	{
		"start_paused",
		[]string{
			"coalesced: theirs [], ours [a@00:10 a@00:20]",
			"step 1 add_job: next of a: theirs none, ours 00:10:00",
		},
		noPending + "; every time that does not run is accounted for",
	},
	{
		"modify_trigger_keeps_next_run_time",
		[]string{"step 4 modify_job: next of a: theirs 00:10:00, ours 05:00:00"},
		"a change applies to times not yet dispatched, so a new trigger gives a new next time (section 5)",
	},
	{
		"modify_next_run_time_shifts_interval_phase",
		[]string{
			"step 4 process: next of a: theirs 00:23:00, ours 00:20:00",
			"step 5 run: next of a: theirs 00:23:00, ours 00:20:00",
		},
		keepsPhase,
	},
	{
		"modify_next_run_time_cron_keeps_grid",
		[]string{"step 2 add_job: next of a: theirs 00:00:00, ours 00:10:00"},
		strictlyAfter,
	},
	{
		"add_next_run_time_none_is_paused",
		[]string{
			"missed: theirs [], ours [a@00:10 a@00:20 a@00:30 a@00:40 a@00:50 a@01:00]",
			"step 4 resume_job: next of a: theirs 01:00:00, ours 01:10:00",
		},
		strictlyAfter + "; the times that pass while a job is paused are recorded when it is resumed (section 5)",
	},
	{
		"add_next_run_time_explicit",
		[]string{
			"step 3 process: next of a: theirs 00:11:00, ours 00:10:00",
			"step 4 run: next of a: theirs 00:11:00, ours 00:10:00",
		},
		keepsPhase,
	},
	{
		"restart_backlog_coalesce",
		[]string{"missed: theirs [], ours [a@00:10 a@00:20 a@00:30 a@00:40]"},
		"times beyond the grace are dropped before coalesce picks, and each is accounted for (section 5)",
	},
	{
		"restart_replace_existing_forgets_backlog",
		[]string{
			"sent: theirs [], ours [a@00:50]",
			"coalesced: theirs [], ours [a@00:10 a@00:20 a@00:30 a@00:40]",
			"step 4 add_job: next of a: theirs 01:00:00, ours 00:10:00",
		},
		"replacing a job keeps its pending backlog unless the trigger as given changed (section 5)",
	},
	{
		"restart_run_in_progress_is_lost",
		[]string{"again: theirs [], ours [a@00:10]"},
		"a run that was interrupted is run again as the next attempt, unless on_lost is drop (section 3, rule 8)",
	},
	{
		"pending_conflict_at_start",
		[]string{
			"step 3 restart: next of a: theirs gone, ours 00:10:00",
			"step 4 add_job: refused: theirs false, ours true",
			"step 4 add_job: next of a: theirs none, ours 00:10:00",
			"step 5 add_job: next of a: theirs none, ours 00:10:00",
			"step 5 add_job: next of b: theirs none, ours 00:10:00",
			"step 6 start: refused: theirs true, ours false",
			"step 6 start: next of a: theirs none, ours 00:10:00",
			"step 6 start: next of b: theirs none, ours 00:10:00",
			"step 7 get_jobs: next of a: theirs none, ours 00:10:00",
			"step 7 get_jobs: next of b: theirs none, ours 00:10:00",
		},
		noPending + ", so a conflict is told by the add itself",
	},
	{
		"unknown_executor_deletes_job",
		[]string{
			"step 2 add_job: refused: theirs false, ours true",
			"step 2 add_job: next of a: theirs 00:10:00, ours gone",
		},
		"an executor that nobody has ever served is refused when the job is added; no job is deleted for it (section 5)",
	},
	{
		"submit_error_loses_run",
		[]string{
			"sent: theirs [a@00:20], ours [a@00:10 a@00:20]",
			"max_instances: theirs [], ours [a@00:20]",
		},
		"a dispatch cannot be refused by an executor: the run waits in the stream and is not lost (section 2). It holds the slot at the second time since no step lets it end",
	},
	{
		"modify_while_queued_runs_new_args_memory",
		[]string{"args: theirs [new], ours [old]"},
		"a change applies to times not yet dispatched: a run carries all that it needs (section 5; section 3, stream)",
	},
	{
		"readd_same_id_shares_instance_count",
		[]string{"sent: theirs [a@00:10], ours [a@00:10 a@00:20]"},
		slotAtStart,
	},
	{
		"store_write_error_after_submit_duplicates",
		[]string{
			"executed: theirs [a@00:10 a@00:10], ours [a@00:10]",
			"step 4 process: refused: theirs true, ours false",
			"step 4 process: next of a: theirs 00:10:00, ours 00:20:00",
			"step 5 break_store: next of a: theirs 00:10:00, ours 00:20:00",
		},
		"sending the run and advancing the job are one script: there is nothing between them that can fail (section 3, rules 1 and 2)",
	},
	{
		"modify_validation",
		[]string{
			"step 4 modify_job: refused: theirs true, ours false",
			"step 6 modify_job: refused: theirs true, ours false",
			"step 7 modify_job: refused: theirs true, ours false",
			"step 9 modify_job: refused: theirs true, ours false",
			"step 10 modify_job: refused: theirs true, ours false",
		},
		"a zero max_instances and an empty name are not said, so their defaults apply; durations may be parts of a second; args are any JSON, since handlers are elsewhere (section 6, Job)",
	},
	{
		"job_defaults_applied_at_add",
		[]string{"step 1 add_job: next of a: theirs none, ours 00:10:00"},
		noPending,
	},
}

func TestDueRunsOfAPScheduler(t *testing.T) {
	listed := map[string]difference{}
	for _, d := range differences {
		listed[d.scenario] = d
	}
	scenarios := load(t)
	if len(scenarios) != 38 {
		t.Errorf("%d scenarios, want 38", len(scenarios))
	}
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			got := compare(theirs(s), replay(t, s))
			if d := cmp.Diff(listed[s.Name].differs, got); d != "" {
				t.Errorf("%s; listed: %s\nwhat differs (-listed +found):\n%s", s.Why, listed[s.Name].why, d)
			}
		})
	}
	for _, s := range scenarios {
		delete(listed, s.Name)
	}
	for name := range listed {
		t.Errorf("a difference is listed for %q, which is no scenario", name)
	}
}
