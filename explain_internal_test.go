package carillon

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// hourlyEntry is an active job of each hour, added at 6, that has dispatched up to 11 o'clock.
func hourlyEntry(changes ...func(*store.Entry)) *store.Entry {
	e := &store.Entry{
		Header:  store.Header{State: store.Active, Last: oclock(11).UnixMilli(), Next: oclock(12).UnixMilli()},
		Record:  store.Record{Created: oclock(6).UnixMilli()},
		RunTime: oclock(12).UnixMilli(),
	}
	for _, change := range changes {
		change(e)
	}
	return e
}

func oclock(h float64) time.Time {
	return noon.Add(time.Duration((h - 12) * float64(time.Hour)))
}

func happened(kind job.EventKind, h float64, cause string) job.Event {
	return job.Event{Kind: kind, Time: oclock(h), Cause: cause}
}

func TestExplainTime(t *testing.T) {
	paused := func(e *store.Entry) { e.State, e.Reason, e.RunTime = store.Paused, "repairs", 0 }
	parked := func(e *store.Entry) { e.State, e.Reason, e.RunTime = store.Parked, "bad trigger", 0 }
	ran := Row{RunID: "r1", ScheduledTime: oclock(10), Outcome: job.Executed, Attempt: 1, Node: "n", Started: oclock(10).Add(2 * time.Second), Finished: oclock(10).Add(5 * time.Second)}
	row := func(change func(*Row)) []Row { r := ran; change(&r); return []Row{r} }
	stretch := []Row{{ScheduledTime: oclock(8), Until: oclock(10), Count: 3, Outcome: job.Coalesced, Cause: "3 due times folded into the latest", Finished: oclock(11)}}
	stoppage := []job.Event{happened(job.SchedulerPaused, 7, "moving house"), happened(job.SchedulerResumed, 11, "")}
	holiday := []job.Event{happened(job.JobPaused, 7, "holiday"), happened(job.JobResumed, 9.5, "")}
	tests := []struct {
		name    string
		job     jobFacts
		time    timeFacts
		verdict Verdict
		words   []string
	}{
		{"executed", jobFacts{}, timeFacts{rows: []Row{ran}}, "executed", []string{"ran at 2026-03-01T10:00:02.000Z, 2s late", "node n", "took 3s", "Run r1"}},
		{"error", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome, r.Error, r.Attempt = job.Failed, "no disk.", 3 })}, "error", []string{"attempt 3", "failed: no disk."}},
		{"timeout", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome = job.TimedOut })}, "timeout", []string{"ended after 3s by its timeout"}},
		{"lost", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome, r.Cause = job.Lost, "lease expired" })}, "lost", []string{"was lost: lease expired"}},
		{"cancelled early", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome, r.Started = job.Cancelled, time.Time{} })}, "cancelled", []string{"before it started"}},
		{"cancelled", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome = job.Cancelled })}, "cancelled", []string{"ran at", "was cancelled"}},
		{"missed", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome, r.Cause = job.Missed, "late by 1800000 ms, grace is 5 ms" })}, "missed", []string{"misfire_grace_time", "late by 30m0s, grace is 5ms."}},
		{"missed, nobody served", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome, r.Cause = job.Missed, "no node serves it" })}, "missed", []string{"recorded as missed: no node serves it"}},
		{"missed in a pause", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome, r.Cause = job.Missed, "paused: holiday" })}, "missed", []string{"the job was paused: holiday. Its times"}},
		{"missed while parked", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome, r.Cause, r.Count, r.Until = job.Missed, "parked: bad", 2, oclock(11) })}, "missed", []string{"the job was parked: bad (one of 2 times"}},
		{"max_instances", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome, r.Cause = job.MaxInstances, "1 running, 0 in line" })}, "max_instances", []string{"every slot", "taken: 1 run without a reported outcome, 0 in line."}},
		{"max_instances, of many", jobFacts{}, timeFacts{rows: row(func(r *Row) { r.Outcome, r.Cause = job.MaxInstances, "unknown running, 3 in line" })}, "max_instances", []string{"taken: an unknown number of runs without a reported outcome, 3 in line."}},
		{"coalesced", jobFacts{}, timeFacts{rows: stretch}, "coalesced", []string{"several times were due at once", "one of 3 times from 2026-03-01T08"}},
		{"coalesced after a stoppage", jobFacts{events: stoppage}, timeFacts{rows: stretch}, "coalesced", []string{"scheduler was paused from 2026-03-01T07", "moving house"}},
		{"missed, then backfilled", jobFacts{}, timeFacts{rows: append(row(func(r *Row) { r.Outcome = job.Missed }), ran)}, "executed", []string{"recorded as missed", "It ran at"}},
		{"running", jobFacts{}, timeFacts{run: &RunInfo{RunID: "r", State: RunRunning, Node: "n", Started: oclock(10), Attempt: 2}}, "running", []string{"started on node n", "attempt 2", "not reported yet"}},
		{"asked to end", jobFacts{}, timeFacts{run: &RunInfo{RunID: "r", State: RunRunning, Node: "n", Started: oclock(10), Cancelling: true}}, "running", []string{"asked to end"}},
		{"in a stream", jobFacts{}, timeFacts{run: &RunInfo{State: RunQueued, Executor: "mail", ScheduledTime: oclock(10)}}, "stream", []string{`executor "mail"`, "2h30m0s after its time"}},
		{"in a stream that nobody reads", jobFacts{}, timeFacts{run: &RunInfo{State: RunQueued, Executor: "mail", Unserved: true}}, "stream", []string{`no node serves executor "mail"`, "--executor mail="}},
		{"in the stream of a paused executor", jobFacts{held: map[string]store.PauseState{"mail": {Since: oclock(9), Reason: "no relay"}}}, timeFacts{run: &RunInfo{State: RunQueued, Executor: "mail", ScheduledTime: oclock(10)}}, "stream", []string{`executor "mail" has been paused since 2026-03-01T09:00:00.000Z (no relay)`}},
		{"in line", jobFacts{}, timeFacts{run: &RunInfo{State: RunWaiting}}, "waiting", []string{"in line for a slot"}},
		{"in backoff", jobFacts{}, timeFacts{run: &RunInfo{State: RunDelayed, Due: oclock(13), Attempt: 2}}, "delayed", []string{"until 2026-03-01T13", "attempt 2"}},
		{"behind another", jobFacts{}, timeFacts{run: &RunInfo{State: RunRunning, Follows: "r0"}}, "running", []string{"after run r0"}},
		{"gone", jobFacts{gone: true, events: []job.Event{happened(job.JobRemoved, 9, "finished")}}, timeFacts{}, "removed", []string{"removed at 2026-03-01T09:00:00.000Z (finished)"}},
		{"gone, before that", jobFacts{gone: true, oldest: oclock(11), events: []job.Event{happened(job.JobRemoved, 11, "")}}, timeFacts{}, "unknown", []string{"not known", "oldest row that is kept is of 2026-03-01T11"}},
		{"unreadable", jobFacts{broken: errors.New("x")}, timeFacts{}, "unknown", []string{"record cannot be read"}},
		{"trigger of no use", jobFacts{entry: hourlyEntry(), broken: errors.New("no such zone")}, timeFacts{}, "unknown", []string{"no such zone"}},
		{"parked with a trigger of no use", jobFacts{entry: hourlyEntry(parked), broken: errors.New("x")}, timeFacts{}, "parked", []string{"bad trigger"}},
		{"no time", jobFacts{entry: hourlyEntry()}, timeFacts{before: oclock(9), after: oclock(11)}, "not_a_time", []string{"nearest are 2026-03-01T09:00:00.000Z and 2026-03-01T11"}},
		{"no time before", jobFacts{entry: hourlyEntry()}, timeFacts{after: oclock(11)}, "not_a_time", []string{"its first is"}},
		{"no time after", jobFacts{entry: hourlyEntry()}, timeFacts{before: oclock(9)}, "not_a_time", []string{"its last is"}},
		{"no time since a change", jobFacts{entry: hourlyEntry(), events: []job.Event{happened(job.JobModified, 11, "")}}, timeFacts{before: oclock(9)}, "not_a_time", []string{"last changed at 2026-03-01T11"}},
		{"excluded", jobFacts{entry: hourlyEntry()}, timeFacts{before: oclock(9), excludedBy: []string{"holidays", "sundays"}}, "excluded",
			[]string{"2026-03-01T10:00:00.000Z is excluded by calendar holidays and by calendar sundays", "its last is"}},
		{"a date in the past is due when it is added", jobFacts{entry: hourlyEntry(func(e *store.Entry) { e.Last, e.Next, e.RunTime = 0, oclock(5).UnixMilli(), oclock(5).UnixMilli() })},
			timeFacts{isTime: true, at: oclock(5)}, "not_dispatched", nil},
		{"before it was added", jobFacts{entry: hourlyEntry()}, timeFacts{isTime: true, at: oclock(5)}, "before_added", []string{"added at 2026-03-01T06"}},
		{"in a pause that has ended", jobFacts{entry: hourlyEntry(), events: holiday}, timeFacts{isTime: true, at: oclock(8)}, "paused", []string{"paused from 2026-03-01T07", "(holiday)", "until 2026-03-01T09:30"}},
		{"after a pause", jobFacts{entry: hourlyEntry(), events: holiday}, timeFacts{isTime: true}, "unknown", []string{"not known", "no row", "last resumed"}},
		{"history is trimmed", jobFacts{entry: hourlyEntry(), oldest: oclock(11)}, timeFacts{isTime: true}, "unknown", []string{"oldest row", "2026-03-01T11"}},
		{"before the next_run_time", jobFacts{entry: hourlyEntry(func(e *store.Entry) { e.Asked = oclock(10.5).UnixMilli() })}, timeFacts{isTime: true}, "changed", []string{"given the next_run_time 2026-03-01T10:30", "do not count"}},
		{"at the next_run_time", jobFacts{entry: hourlyEntry(func(e *store.Entry) { e.Asked = oclock(10).UnixMilli() })}, timeFacts{isTime: true}, "unknown", []string{"not known"}},
		{"before a next_run_time that came later", jobFacts{entry: hourlyEntry(func(e *store.Entry) { e.Asked = oclock(11).UnixMilli() }), events: []job.Event{happened(job.JobModified, 10.5, "")}},
			timeFacts{isTime: true}, "unknown", []string{"not known"}},
		{"paused", jobFacts{entry: hourlyEntry(paused)}, timeFacts{isTime: true, at: oclock(12)}, "paused", []string{"is paused (repairs)"}},
		{"parked", jobFacts{entry: hourlyEntry(parked)}, timeFacts{isTime: true, at: oclock(12)}, "parked", []string{"set it aside", "(bad trigger)"}},
		{"skipped by a change", jobFacts{entry: hourlyEntry(func(e *store.Entry) { e.Next = oclock(15).UnixMilli() })}, timeFacts{isTime: true, at: oclock(12)}, "changed", []string{"next time is 2026-03-01T15"}},
		{"ahead", jobFacts{entry: hourlyEntry()}, timeFacts{isTime: true, at: oclock(13)}, "ahead", []string{"30m0s ahead"}},
		{"ahead of a pause", jobFacts{entry: hourlyEntry(), pause: store.PauseState{Since: oclock(12)}}, timeFacts{isTime: true, at: oclock(13)}, "ahead", []string{"will not run while the scheduler is paused"}},
		{"jittered", jobFacts{entry: hourlyEntry(func(e *store.Entry) { e.RunTime = oclock(12.75).UnixMilli() })}, timeFacts{isTime: true, at: oclock(12)}, "ahead", []string{"jitter", "2026-03-01T12:45"}},
		{"scheduler paused", jobFacts{entry: hourlyEntry(), pause: store.PauseState{Since: oclock(11.5), Reason: "moving"}}, timeFacts{isTime: true, at: oclock(12)}, "scheduler_paused", []string{"paused since 2026-03-01T11:30:00.000Z (moving)", "coalesce"}},
		{"no leader", jobFacts{entry: hourlyEntry()}, timeFacts{isTime: true, at: oclock(12)}, "not_dispatched", []string{"due for 30m0s", "no node leads"}},
		{"no leader, or a backlog", jobFacts{entry: hourlyEntry(func(e *store.Entry) { e.Job.Coalesce = job.CoalesceAll })}, timeFacts{isTime: true, at: oclock(12)}, "not_dispatched", []string{"1,000"}},
		{"just due", jobFacts{entry: hourlyEntry(), now: oclock(12).Add(5 * time.Millisecond)}, timeFacts{isTime: true, at: oclock(12)}, "not_dispatched", []string{"5ms ago", "about to"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.job.now.IsZero() {
				test.job.now = oclock(12.5)
			}
			if test.time.at.IsZero() {
				test.time.at = oclock(10)
			}
			got := explainTime(test.job, test.time)
			if got.Verdict != test.verdict {
				t.Errorf("verdict is %s, want %s", got.Verdict, test.verdict)
			}
			text := strings.Join(got.Sentences, " ")
			for _, w := range test.words {
				if !strings.Contains(text, w) {
					t.Errorf("%q is missing in %q", w, text)
				}
			}
			if len(got.Sentences) == 0 || strings.Contains(text, "..") || strings.Contains(text, "0001-") || strings.Contains(text, "1970-") {
				t.Errorf("sentences are %q", got.Sentences)
			}
		})
	}
}

func TestExplainJob(t *testing.T) {
	tests := []struct {
		name string
		job  jobFacts
		want []string
	}{
		{"active", jobFacts{entry: hourlyEntry()}, []string{"Job j is active; its next run is at 2026-03-01T12:00:00.000Z."}},
		{"paused", jobFacts{entry: hourlyEntry(func(e *store.Entry) { e.State, e.Reason = store.Paused, "x" }), events: []job.Event{happened(job.JobPaused, 11, "x")}},
			[]string{"Job j is paused (x) since 2026-03-01T11:00:00.000Z."}},
		{"parked", jobFacts{entry: hourlyEntry(func(e *store.Entry) { e.State, e.Reason = store.Parked, "x" })},
			[]string{"The job is parked: the leader set it aside because it cannot be used (x). Mend it, then resume it."}},
		{"unreadable", jobFacts{broken: errors.New("bad")}, []string{"Job j is there, and its record cannot be read: bad."}},
		{"gone", jobFacts{gone: true}, []string{"Job j is gone; its history outlives it by some days."}},
		{"removed", jobFacts{gone: true, events: []job.Event{happened(job.JobRemoved, 11, "finished")}},
			[]string{"Job j was removed at 2026-03-01T11:00:00.000Z (finished); its history outlives it by some days."}},
		{"scheduler paused", jobFacts{entry: hourlyEntry(), pause: store.PauseState{Since: oclock(11)}},
			[]string{"Job j is active; its next run is at 2026-03-01T12:00:00.000Z.", "The scheduler has been paused since 2026-03-01T11:00:00.000Z; no schedule time is dispatched."}},
		{"executor paused", jobFacts{entry: hourlyEntry(func(e *store.Entry) { e.Job.Executor = "mail" }), held: map[string]store.PauseState{"mail": {Since: oclock(11), Reason: "x"}, "other": {}}},
			[]string{"Job j is active; its next run is at 2026-03-01T12:00:00.000Z.", `Executor "mail" has been paused since 2026-03-01T11:00:00.000Z (x); no node starts its runs.`}},
		{"another executor paused", jobFacts{entry: hourlyEntry(), held: map[string]store.PauseState{"mail": {}}},
			[]string{"Job j is active; its next run is at 2026-03-01T12:00:00.000Z."}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.job.id = "j"
			if diff := cmp.Diff(test.want, explainJob(test.job)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTimeBefore(t *testing.T) {
	tests := []struct {
		name string
		doc  string
		at   time.Time
		want time.Time
	}{
		{"interval", `{"type":"interval","every":"90m","start_date":"2026-01-01T00:00:00Z"}`, noon, oclock(10.5)},
		{"strictly", `{"type":"cron","expr":"0 * * * *"}`, noon, oclock(11)},
		{"burst", `{"type":"cron","expr":"* * 9 1 1 *","timezone":"UTC"}`, noon, time.Date(2026, 1, 1, 9, 59, 59, 0, time.UTC)},
		{"leap day", `{"type":"cron","expr":"0 0 29 2 *","timezone":"UTC"}`, noon, time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"the first", `{"type":"date","run_date":"2026-03-01T12:00:00Z"}`, noon, time.Time{}},
		{"date", `{"type":"date","run_date":"1970-03-01T12:00:00Z"}`, noon, time.Date(1970, 3, 1, 12, 0, 0, 0, time.UTC)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resolved, err := trigger.Resolve(json.RawMessage(test.doc), noon)
			if err != nil {
				t.Fatal(err)
			}
			when, err := trigger.Parse(resolved)
			if err != nil {
				t.Fatal(err)
			}
			if got := timeBefore(when, test.at); !got.Equal(test.want) {
				t.Errorf("it is %v, want %v", got, test.want)
			}
		})
	}
}
