package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Rule names what a breach is a breach of.
type Rule string

// The rules that Check holds a history against.
const (
	NoPhantom   Rule = "phantom"          // every execution is of a due time of a known job
	NotEarly    Rule = "early"            // no run arrives before it is due
	NotPaused   Rule = "after pause"      // nothing due after an acknowledged pause runs
	NoneLost    Rule = "lost"             // every due time has a run that was answered
	NoneDoubled Rule = "doubled"          // one run per due time, one execution per attempt
	Contiguous  Rule = "attempt missing"  // attempts count up from 1
	Limited     Rule = "overlap"          // no more executions of a job at once than max_instances
	Explained   Rule = "unexplained"      // a rerun or a cut connection has a fault that explains it
	TermsRise   Rule = "term not risen"   // each term is higher than the one before
	OneLeader   Rule = "two leaders"      // each term has one holder
	Succeeded   Rule = "no successor"     // a killed leader is followed in a higher term
	Fenced      Rule = "fence"            // dispatches carry terms that the election knew, never falling
	SentOnce    Rule = "dispatched twice" // a run id is dispatched once
	OneOutcome  Rule = "outcome"          // each run ends once, as executed, with its last attempt
	OnePlace    Rule = "place"            // a run is in one place at a time, enters once and leaves with one outcome
	LeaseOver   Rule = "lease"            // a run is taken from a node when its lease is over or its process gone
	SlotsCount  Rule = "slots"            // a slot counter is what running holds, and at most max_instances
	OnTime      Rule = "late"             // without a fault, and some time after one, runs are on time
	Stopped     Rule = "after the end"    // nothing is dispatched after an acknowledged pause or removal
	NothingLeft Rule = "left over"        // nothing is left in the end that should have gone
)

// Breach is one way in which a history is bad.
type Breach struct {
	Rule    Rule
	Subject string
	Detail  string
}

// String is one line.
func (b Breach) String() string { return fmt.Sprintf("%s: %s: %s", b.Rule, b.Subject, b.Detail) }

// Check returns every breach of the rules, grouped by rule; none means that the history is good.
// A history without submissions, terms or outcomes is not judged by the rules about them.
func Check(h History) []Breach {
	var all []Breach
	for _, rule := range []func(History) []Breach{
		checkKnown, checkTimes, checkLost, checkDoubled, checkAttempts, checkCut, checkOverlap,
		checkTerms, checkSuccessors, checkSubmissions, checkOutcomes,
		checkPlaces, checkFence, checkStarts, checkSlots, checkDispatched, checkStopped, checkLate, checkLeft, checkLeaks,
	} {
		all = append(all, rule(h)...)
	}
	return all
}

func breach(rule Rule, subject, format string, args ...any) Breach {
	return Breach{Rule: rule, Subject: subject, Detail: fmt.Sprintf(format, args...)}
}

func (h History) job(id string) (Job, bool) {
	i := slices.IndexFunc(h.Jobs, func(j Job) bool { return j.ID == id })
	if i < 0 {
		return Job{}, false
	}
	return h.Jobs[i], true
}

func (e Execution) instant() instant { return instantOf(e.JobID, e.Scheduled) }

func (e Execution) subject() string {
	return fmt.Sprintf("%s run %s attempt %d", e.instant(), e.RunID, e.Attempt)
}

// checkKnown: every execution is of a due time of a known job.
func checkKnown(h History) (bad []Breach) {
	for _, e := range h.Executions {
		switch j, ok := h.job(e.JobID); {
		case !ok:
			bad = append(bad, breach(NoPhantom, e.subject(), "nobody defined this job"))
		case !h.permitted(j, e.Scheduled):
			bad = append(bad, breach(NoPhantom, e.subject(), "the job is not due then"))
		case e.RunID == "" || e.Attempt < 1:
			bad = append(bad, breach(NoPhantom, e.subject(), "not a run"))
		}
	}
	return bad
}

// checkTimes: no run is early, and none is due after the pause.
func checkTimes(h History) (bad []Breach) {
	for _, e := range h.Executions {
		if e.Arrived.Before(e.Scheduled) {
			bad = append(bad, breach(NotEarly, e.subject(), "arrived %s before it was due", e.Scheduled.Sub(e.Arrived)))
		}
		if done := h.Pause.Done; !done.IsZero() && e.Scheduled.After(done) {
			bad = append(bad, breach(NotPaused, e.subject(), "due %s after the pause was acknowledged", e.Scheduled.Sub(done)))
		}
	}
	return bad
}

// checkLost: every due time that is demanded has an execution that was answered.
func checkLost(h History) (bad []Breach) {
	answered := map[instant]bool{}
	for _, e := range h.Executions {
		if was, seen := answered[e.instant()]; !seen || !was {
			answered[e.instant()] = e.Answered
		}
	}
	end := h.demanded()
	for _, j := range h.Jobs {
		for _, t := range h.required(j, end) {
			ok, began := answered[instantOf(j.ID, t)]
			if !ok && j.MaySkip && h.skipped(j.ID, t) {
				continue
			}
			if !ok && began {
				bad = append(bad, breach(NoneLost, instantOf(j.ID, t).String(), "began and was never completed"))
			} else if !ok {
				bad = append(bad, breach(NoneLost, instantOf(j.ID, t).String(), "never ran"))
			}
		}
	}
	return bad
}

// checkDoubled: one run id per due time, one due time per run id, one execution per attempt.
func checkDoubled(h History) (bad []Breach) {
	type attempt struct {
		run string
		n   int
	}
	runs, times, seen := map[instant]string{}, map[string]instant{}, map[attempt]time.Time{}
	for _, e := range h.Executions {
		at := e.instant()
		if first, ok := runs[at]; ok && first != e.RunID {
			bad = append(bad, breach(NoneDoubled, e.subject(), "ran before as %s", first))
		} else if first, ok := times[e.RunID]; ok && first != at {
			bad = append(bad, breach(NoneDoubled, e.subject(), "the same run id stood for %s", first))
		}
		runs[at], times[e.RunID] = e.RunID, at
		a := attempt{e.RunID, e.Attempt}
		if first, ok := seen[a]; ok && !h.rolledBack(first, e.Arrived) {
			bad = append(bad, breach(NoneDoubled, e.subject(), "this attempt ran before"))
		}
		seen[a] = e.Arrived
	}
	return bad
}

// attempts groups executions by run, in order of arrival.
func (h History) attempts() map[string][]Execution {
	runs := map[string][]Execution{}
	for _, e := range h.Executions {
		runs[e.RunID] = append(runs[e.RunID], e)
	}
	for _, all := range runs {
		slices.SortStableFunc(all, func(a, b Execution) int { return a.Arrived.Compare(b.Arrived) })
	}
	return runs
}

// checkAttempts: attempts of a run count up, and each after the first is explained by a fault.
func checkAttempts(h History) (bad []Breach) {
	for _, all := range h.attempts() {
		before := Execution{Attempt: 0, Arrived: all[0].Scheduled}
		for _, e := range all {
			switch {
			case e.Attempt <= before.Attempt: // a repeated one is checkDoubled's
				if e.Attempt < before.Attempt {
					bad = append(bad, breach(Contiguous, e.subject(), "came after attempt %d", before.Attempt))
				}
				continue
			case e.Attempt > before.Attempt+1 && !h.struck("", before.Arrived, e.Arrived):
				bad = append(bad, breach(Contiguous, e.subject(), "came after attempt %d, and no fault hid those between", before.Attempt))
			case e.Attempt == before.Attempt+1 && before.Attempt > 0 && !h.struck(before.Node, before.Arrived, e.Arrived):
				bad = append(bad, breach(Explained, e.subject(), "no fault struck %q between the attempts", before.Node))
			}
			before = e
		}
	}
	slices.SortFunc(bad, func(a, b Breach) int { return cmp.Compare(a.Subject, b.Subject) })
	return bad
}

// checkCut: a connection that ended before its answer belonged to a node that was struck.
func checkCut(h History) (bad []Breach) {
	for _, e := range h.Executions {
		if e.Answered || e.Ended.IsZero() {
			continue
		}
		if !h.struck(e.Node, e.Arrived, e.Ended) {
			bad = append(bad, breach(Explained, e.subject(), "the connection was cut, and no fault struck %q", e.Node))
		}
	}
	return bad
}

// checkOverlap: when an execution arrives, no more of its job are under way than may be. Those of a
// node that was struck do not count: their lease may have ended while the connection lived on.
func checkOverlap(h History) (bad []Breach) {
	byJob := map[string][]Execution{}
	for _, e := range h.Executions {
		if !e.Ended.IsZero() && !h.struck(e.Node, e.Arrived, e.Ended) {
			byJob[e.JobID] = append(byJob[e.JobID], e)
		}
	}
	for _, j := range h.Jobs {
		for _, e := range byJob[j.ID] {
			together := 0
			for _, other := range byJob[j.ID] {
				if !other.Arrived.After(e.Arrived) && other.Ended.After(e.Arrived) {
					together++
				}
			}
			if j.MaxInstances > 0 && together > j.MaxInstances {
				bad = append(bad, breach(Limited, e.subject(), "%d at once, more than %d", together, j.MaxInstances))
			}
		}
	}
	return bad
}

// rolledBack reports whether Redis lost the end of what it had acknowledged between two instants.
func (h History) rolledBack(from, to time.Time) bool {
	return slices.ContainsFunc(h.Faults, func(f Fault) bool {
		return f.Kind == RedisBack && !f.At.After(to) && !f.At.Before(from.Add(-underway))
	})
}

// underway is how long after a fault a request, or the end of a connection, may still be noticed.
const underway = time.Second

// struck reports whether a fault that may cost a run hit the node, or any node if it is not known,
// between two instants.
func (h History) struck(node string, from, to time.Time) bool {
	return slices.ContainsFunc(h.Faults, func(f Fault) bool {
		if !f.Kind.excuses() || node != "" && f.Node != "" && f.Node != node {
			return false
		}
		until := f.At
		if f.Until.After(until) {
			until = f.Until
		}
		return !f.At.After(to) && !until.Before(from.Add(-underway))
	})
}
