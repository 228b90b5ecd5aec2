package carillon

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func stamp(t time.Time) string { return job.FormatTime(t) }

// span is a length of time, rounded to milliseconds, or to seconds when it is long.
func span(d time.Duration) string {
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

// because is the reason of a pause, in parentheses, or nothing.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

func rowSentences(rows []Row) []string {
	var sentences []string
	for _, r := range rows {
		sentences = append(sentences, rowSentence(r))
	}
	return sentences
}

// rowSentence says what a history row says.
func rowSentence(r Row) string {
	cause := ""
	if r.Cause != "" {
		cause = ": " + r.CauseText()
	}
	if r.Count > 1 {
		cause += fmt.Sprintf(" (one of %d times from %s to %s)", r.Count, stamp(r.ScheduledTime), stamp(r.Until))
	}
	switch r.Outcome {
	case job.Executed:
		return fmt.Sprintf("It ran%s, and took %s. Run %s.", startOf(r), span(r.Finished.Sub(r.Started)), r.RunID)
	case job.Failed:
		return fmt.Sprintf("It ran%s, and failed: %s. Run %s.", startOf(r), failure(r), r.RunID)
	case job.TimedOut:
		return fmt.Sprintf("It ran%s, and was ended after %s by its timeout. Run %s.", startOf(r), span(r.Finished.Sub(r.Started)), r.RunID)
	case job.Lost:
		return fmt.Sprintf("It started%s, and was lost%s. Run %s.", startOf(r), cause, r.RunID)
	case job.Cancelled:
		if r.Started.IsZero() {
			return "It was cancelled before it started" + cause + "."
		}
		return fmt.Sprintf("It ran%s, and was cancelled%s. Run %s.", startOf(r), cause, r.RunID)
	case job.Missed:
		for _, how := range []string{"paused", "parked"} {
			if reason, ok := strings.CutPrefix(cause, ": "+how); ok {
				return "It did not run because the job was " + how + reason + ". Its times until it is resumed are not made up for."
			}
		}
		if strings.Contains(r.Cause, "grace") {
			return "It did not run because it was too late for its misfire_grace_time" + cause + "."
		}
		return "It did not run, and was recorded as missed" + cause + "."
	case job.MaxInstances:
		return "It did not run because every slot that max_instances allows was taken" + slotsTaken(cause) + "."
	case job.Coalesced:
		return "It did not run by itself: several times were due at once, and coalesce picked another of them" + cause + "."
	}
	return fmt.Sprintf("Its outcome is %s%s.", r.Outcome, cause)
}

// slotsTaken says of the runs that held a slot only what the store knew of them: a run whose handler has ended holds its
// slot until its node has reported the outcome, and in an outage that takes a while.
func slotsTaken(cause string) string {
	held, line, ok := strings.Cut(cause, " running, ")
	if !ok {
		return cause
	}
	noun := " runs"
	if held == ": 1" {
		noun = " run"
	}
	return strings.Replace(held, ": unknown", ": an unknown number of", 1) + noun + " without a reported outcome, " + line
}

// startOf says when, where and as which attempt a run started.
func startOf(r Row) string {
	text := ""
	if !r.Started.IsZero() {
		text = fmt.Sprintf(" at %s", stamp(r.Started))
		if late := r.Started.Sub(r.ScheduledTime); late >= time.Second && r.Attempt <= 1 {
			text += fmt.Sprintf(", %s late,", span(late))
		}
	}
	if r.Node != "" {
		text += " on node " + r.Node
	}
	if r.Attempt > 1 {
		text += fmt.Sprintf(" as attempt %d", r.Attempt)
	}
	return text
}

func failure(r Row) string {
	for _, text := range []string{r.Error, r.Cause} {
		if text != "" {
			return strings.TrimRight(text, ".")
		}
	}
	return "the handler gave no reason"
}

// runSentence says where a run is that has not ended.
func runSentence(j jobFacts, r RunInfo) string {
	id := " Run " + r.RunID + "."
	switch {
	case r.Follows != "":
		return "It was dispatched together with earlier times and runs after run " + r.Follows + " in the same slot." + id
	case r.State == RunRunning:
		text := fmt.Sprintf("It started on node %s at %s, attempt %d, and its outcome is not reported yet", r.Node, stamp(r.Started), r.Attempt)
		if r.Cancelling {
			text += "; it was asked to end"
		}
		return text + "." + id
	case r.State == RunDelayed && r.Unserved:
		return fmt.Sprintf("It waits since %s: no live node of executor %q serves task %q. It runs when one does; start such a node, or end it with `carillon run cancel --task %s`. When its misfire_grace_time ends before that, it is missed.",
			stamp(r.UnservedSince), r.Executor, r.Task, r.Task) + id
	case r.State == RunDelayed:
		return fmt.Sprintf("It waits until %s for attempt %d: a retry in backoff, or handed back by a node that could not run it.", stamp(r.Due), r.Attempt) + id
	case r.State == RunWaiting:
		return "It waits in line for a slot: every slot that max_instances allows is taken, and overlap is queue or it is a further attempt." + id
	}
	if text, paused := pauseOfExecutor(j, r.Executor); paused {
		return "It was dispatched and waits: " + text + ". When it is resumed, misfire_grace_time decides whether it runs." + id
	}
	if r.Unserved {
		return fmt.Sprintf("It was dispatched, and no node serves executor %q: start one that does, such as `carillon node --executor %s=4`. When its misfire_grace_time ends before that, it is missed.",
			r.Executor, r.Executor) + id
	}
	return fmt.Sprintf("It was dispatched, and %s after its time no node has taken it up: those that serve executor %q are busy, or have just died.",
		span(j.now.Sub(r.ScheduledTime)), r.Executor) + id
}

// pauseOfExecutor says since when and why an executor is paused, if it is.
func pauseOfExecutor(j jobFacts, name string) (text string, paused bool) {
	p, paused := j.held[name]
	return fmt.Sprintf("executor %q has been paused since %s%s", name, stamp(p.Since), because(p.Reason)), paused
}

// undispatchedSentences say why a time may be due and not dispatched.
func undispatchedSentences(j jobFacts, t timeFacts) []string {
	due := j.now.Sub(t.at)
	if due < time.Second {
		return []string{"It became due " + span(due) + " ago and is about to be dispatched."}
	}
	s := []string{"It has been due for " + span(due) + " and no leader has dispatched it: no node leads, or the leader cannot write to this store. " +
		"`carillon cluster status` says who leads."}
	if j.entry.Job.Coalesce == job.CoalesceAll {
		s = append(s, "With coalesce all, at most 1,000 due times are dispatched at once; those beyond wait until these have ended.")
	}
	return s
}

// accountedFor judges a time that was dispatched or skipped and of which nothing is left.
func accountedFor(j jobFacts, t timeFacts) (Verdict, []string) {
	if asked := milliTime(j.entry.Asked); t.at.Before(asked) && !changedSince(j, t.at) {
		return VerdictSkippedByChange, []string{"It did not run: the job was given the next_run_time " + stamp(asked) + ", and the trigger's times before that do not count."}
	}
	text := "What became of it is not known: the job has gone on to later times, and no row of its history is for this one."
	if !j.oldest.IsZero() && j.oldest.After(t.at) {
		text = "What became of it is not known: the oldest row of the history that is kept is of " + stamp(j.oldest) + "."
	}
	return VerdictUnknown, []string{text + lastChange(j)}
}

// noTime says which times the trigger has near one that it does not have.
func noTime(j jobFacts, t timeFacts) (Verdict, []string) {
	verdict, near := VerdictNoTime, "The trigger has no time at "+stamp(t.at)
	if len(t.excludedBy) > 0 {
		verdict, near = VerdictExcluded, stamp(t.at)+" is excluded by calendar "+strings.Join(t.excludedBy, " and by calendar ")
	}
	switch {
	case t.before.IsZero() && t.after.IsZero():
		near += " or any other."
	case t.before.IsZero():
		near += "; its first is " + stamp(t.after) + "."
	case t.after.IsZero():
		near += "; its last is " + stamp(t.before) + "."
	default:
		near += "; the nearest are " + stamp(t.before) + " and " + stamp(t.after) + "."
	}
	return verdict, []string{near + lastChange(j)}
}

func goneTime(j jobFacts, t timeFacts) (Verdict, []string) {
	for _, e := range j.events {
		if e.Kind == job.JobRemoved && !e.Time.After(t.at) {
			return VerdictRemoved, []string{"It did not run: the job was removed at " + stamp(e.Time) + because(e.Cause) + "."}
		}
	}
	text := "What became of it is not known: the job is gone, and no row of its history is for this time."
	if j.oldest.After(t.at) {
		text += " The oldest row that is kept is of " + stamp(j.oldest) + "."
	}
	return VerdictUnknown, []string{text}
}

func aheadSentences(j jobFacts, t timeFacts) []string {
	s := []string{"It is " + span(t.at.Sub(j.now)) + " ahead."}
	if next := j.entry.RunTime; j.entry.Next == t.at.UnixMilli() && next != j.entry.Next {
		s[0] = "It is " + span(t.at.Sub(j.now)) + " ahead, and jitter delays it to " + stamp(milliTime(next)) + "."
	}
	if !j.pause.Since.IsZero() {
		s = append(s, "It will not run while the scheduler is paused.")
	}
	return s
}

func parkedSentence(reason string) string {
	return "The job is parked: the leader set it aside because it cannot be used" + because(reason) + ". Mend it, then resume it."
}

// pauseOfJob says that the job was paused at a time and has been resumed since.
func pauseOfJob(j jobFacts, at time.Time) (string, bool) {
	from, to, ok := pauseOver(j, at, job.JobPaused, job.JobResumed)
	if !ok || to.Time.IsZero() {
		return "", false
	}
	return "It did not run because the job was paused from " + stamp(from.Time) + because(from.Cause) + " until " + stamp(to.Time) +
		". Times of a pause are not made up for.", true
}

// pauseOfScheduler adds, to what did not run in time, that the scheduler was paused.
func pauseOfScheduler(j jobFacts, at time.Time, r Row) []string {
	if r.Outcome != job.Missed && r.Outcome != job.Coalesced {
		return nil
	}
	from, to, ok := pauseOver(j, at, job.SchedulerPaused, job.SchedulerResumed)
	if !ok || to.Time.IsZero() {
		return nil
	}
	return []string{"The scheduler was paused from " + stamp(from.Time) + because(from.Cause) + " until " + stamp(to.Time) + "."}
}

// pauseOver finds the pause that a time lies in. to is zero when it goes on.
func pauseOver(j jobFacts, at time.Time, begin, end job.EventKind) (from, to job.Event, ok bool) {
	for _, e := range j.events {
		switch {
		case e.Kind == begin && !e.Time.After(at):
			from, to, ok = e, job.Event{}, true
		case e.Kind == end && ok && to.Time.IsZero():
			if !e.Time.After(at) {
				ok = false
				continue
			}
			to = e
		}
	}
	return from, to, ok
}

// changedSince reports whether the job was changed after a time, as far as the events tell: its
// next_run_time may have come with that.
func changedSince(j jobFacts, at time.Time) bool {
	return slices.ContainsFunc(j.events, func(e job.Event) bool { return e.Kind == job.JobModified && e.Time.After(at) })
}

// lastChange names the last change of the job's definition, which may have had other times before.
func lastChange(j jobFacts) string {
	for i := len(j.events) - 1; i >= 0; i-- {
		if e := j.events[i]; e.Kind == job.JobModified || e.Kind == job.JobResumed {
			verb := "changed"
			if e.Kind == job.JobResumed {
				verb = "resumed"
			}
			return " It was last " + verb + " at " + stamp(e.Time) + "."
		}
	}
	return ""
}

// explainJob says how the job stands.
func explainJob(j jobFacts) []string {
	if j.gone {
		for i := len(j.events) - 1; i >= 0; i-- {
			if e := j.events[i]; e.Kind == job.JobRemoved {
				return []string{"Job " + j.id + " was removed at " + stamp(e.Time) + because(e.Cause) + "; its history outlives it by some days."}
			}
		}
		return []string{"Job " + j.id + " is gone; its history outlives it by some days."}
	}
	var s []string
	switch e := j.entry; {
	case e == nil:
		s = []string{"Job " + j.id + " is there, and its record cannot be read: " + j.broken.Error() + "."}
	case e.State == store.Paused:
		s = []string{"Job " + j.id + " is paused" + because(e.Reason) + sinceOf(j, job.JobPaused) + "."}
	case e.State == store.Parked:
		s = []string{parkedSentence(e.Reason)}
	case neverFires(*e):
		s = []string{"Job " + j.id + " is active and has no next run time, so that it never fires: give it that again with carillon job resume."}
	default:
		s = []string{"Job " + j.id + " is active; its next run is at " + stamp(milliTime(e.RunTime)) + "."}
	}
	if !j.pause.Since.IsZero() {
		s = append(s, "The scheduler has been paused since "+stamp(j.pause.Since)+because(j.pause.Reason)+"; no schedule time is dispatched.")
	}
	if j.entry != nil {
		if text, paused := pauseOfExecutor(j, j.entry.Job.Executor); paused {
			s = append(s, strings.ToUpper(text[:1])+text[1:]+"; no node starts its runs.")
		}
	}
	return s
}

func sinceOf(j jobFacts, kind job.EventKind) string {
	for i := len(j.events) - 1; i >= 0; i-- {
		if e := j.events[i]; e.Kind == kind {
			return " since " + stamp(e.Time)
		}
	}
	return ""
}
