package carillon

import (
	"encoding/json"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// Verdict is what became of one due time of a job, in a word for programs: one of the constants
// below, the outcome of its history row (job.Executed, job.Missed, …), or the state of its run
// (RunQueued, RunRunning, RunDelayed, RunWaiting).
type Verdict string

// The verdicts of times that have neither a history row nor a run that waits.
const (
	VerdictAhead           Verdict = "ahead"            // it lies in the future
	VerdictJobPaused       Verdict = "paused"           // the job is, or was then, paused
	VerdictJobParked       Verdict = "parked"           // the leader set the job aside
	VerdictSchedulerPaused Verdict = "scheduler_paused" // held back until the scheduler resumes
	VerdictNotDispatched   Verdict = "not_dispatched"   // due, and no leader has dispatched it
	VerdictSkippedByChange Verdict = "changed"          // a change of the job moved its next time beyond
	VerdictNoTime          Verdict = "not_a_time"       // the trigger has no such time
	VerdictExcluded        Verdict = "excluded"         // a calendar leaves it out of the trigger
	VerdictBeforeAdded     Verdict = "before_added"     // the job was added after it
	VerdictRemoved         Verdict = "removed"          // the job is gone
	VerdictUnknown         Verdict = "unknown"          // what is kept does not say
)

// ExplainedTime is what became of one time, or why nothing did.
type ExplainedTime struct {
	Time      time.Time // the due time; the time that was asked for when it is none
	Verdict   Verdict
	Sentences []string // at least one, in plain English, for people; they may change
}

// Explanation says how a job stands and what became of its times, earliest first.
type Explanation struct {
	Store string
	JobID string
	Job   []string        // how the job stands now
	Times []ExplainedTime // the verdict of a time that several runs were for is the latest's
}

// MarshalJSON prints the shape outside programs read; times are RFC 3339 UTC with milliseconds.
func (e Explanation) MarshalJSON() ([]byte, error) {
	type explained struct {
		Time      string   `json:"time"`
		Verdict   Verdict  `json:"verdict"`
		Sentences []string `json:"sentences"`
	}
	times := make([]explained, len(e.Times))
	for i, t := range e.Times {
		times[i] = explained{job.FormatTime(t.Time), t.Verdict, t.Sentences}
	}
	return json.Marshal(struct {
		Store string      `json:"store"`
		JobID string      `json:"job_id"`
		Job   []string    `json:"job"`
		Times []explained `json:"times"`
	}{e.Store, e.JobID, e.Job, times})
}

// jobFacts is what is known of a job when it is explained.
type jobFacts struct {
	now    time.Time // of Redis
	id     string
	gone   bool         // there is history, and no job
	entry  *store.Entry // nil when the job is gone or cannot be read
	broken error        // why the record or its trigger cannot be used
	pause  store.PauseState
	held   map[string]store.PauseState // executors that are paused, by name
	oldest time.Time                   // due time of the oldest history row; zero = no history
	events []job.Event                 // of the job's life and of the scheduler's pauses, oldest first
}

// timeFacts is what is known of one time.
type timeFacts struct {
	at            time.Time
	isTime        bool      // the trigger has it, or the job's next run is for it
	before, after time.Time // the trigger's nearest times; zero = none
	excludedBy    []string  // calendars that leave it out
	rows          []Row     // of this time, oldest first
	run           *RunInfo  // its run, while it has not ended
}

// explainTime says what became of one time. It is a pure function of the facts.
func explainTime(j jobFacts, t timeFacts) ExplainedTime {
	verdict, sentences := judgeTime(j, t)
	return ExplainedTime{Time: t.at, Verdict: verdict, Sentences: sentences}
}

func judgeTime(j jobFacts, t timeFacts) (Verdict, []string) {
	switch {
	case t.run != nil:
		return Verdict(t.run.State), append([]string{runSentence(j, *t.run)}, rowSentences(t.rows)...)
	case len(t.rows) > 0:
		last := t.rows[len(t.rows)-1]
		return Verdict(last.Outcome), append(rowSentences(t.rows), pauseOfScheduler(j, t.at, last)...)
	case j.gone:
		return goneTime(j, t)
	case j.entry == nil:
		return VerdictUnknown, []string{"The job's record cannot be read, so its times are not known."}
	case j.broken != nil && j.entry.State == store.Parked:
		return VerdictJobParked, []string{parkedSentence(j.entry.Reason)}
	case j.broken != nil:
		return VerdictUnknown, []string{"The job's trigger cannot be used, so its times are not known: " + j.broken.Error() + "."}
	case !t.isTime:
		return noTime(j, t)
	case t.at.Before(milliTime(j.entry.Created)) && t.at.UnixMilli() != j.entry.Next: // a date in the past is due
		return VerdictBeforeAdded, []string{"The job was added at " + stamp(milliTime(j.entry.Created)) + ", after this time."}
	}
	return dueTime(j, t)
}

// dueTime judges a time of a job that is there, when neither a row nor a run stands for it.
func dueTime(j jobFacts, t timeFacts) (Verdict, []string) {
	e := j.entry
	if s, ok := pauseOfJob(j, t.at); ok {
		return VerdictJobPaused, []string{s}
	}
	switch ms := t.at.UnixMilli(); {
	case ms <= e.Last:
		return accountedFor(j, t)
	case e.State == store.Paused:
		return VerdictJobPaused, []string{"The job is paused" + because(e.Reason) + "; its times do not run until it is resumed."}
	case e.State == store.Parked:
		return VerdictJobParked, []string{parkedSentence(e.Reason)}
	case ms < e.Next:
		return VerdictSkippedByChange, []string{"It did not run: the job was scheduled anew by a change or by its next_run_time, and its next time is " +
			stamp(milliTime(e.Next)) + "." + lastChange(j)}
	case t.at.After(j.now):
		return VerdictAhead, aheadSentences(j, t)
	case e.RunTime > j.now.UnixMilli():
		return VerdictAhead, []string{"It is delayed by jitter and runs at " + stamp(milliTime(e.RunTime)) + "."}
	case !j.pause.Since.IsZero():
		return VerdictSchedulerPaused, []string{"It waits: the scheduler has been paused since " + stamp(j.pause.Since) + because(j.pause.Reason) +
			". When it resumes, coalesce and misfire_grace_time decide whether it runs."}
	}
	return VerdictNotDispatched, undispatchedSentences(j, t)
}
