package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func (m Move) subject() string {
	return fmt.Sprintf("%s run %s step %d", instantOf(m.JobID, m.Scheduled), m.RunID, m.Step)
}

// runs reports whether the move is into, out of or within running.
func (m Move) runs() bool { return strings.Contains(m.From+m.To, "running") }

// checkPlaces: a run enters once, is in one place at a time, and leaves with one outcome, which it
// has no sooner.
func checkPlaces(h History) (bad []Breach) {
	ended := map[string]bool{}
	known := map[string]string{}
	for _, m := range h.Moves {
		was, seen := known[m.RunID]
		switch {
		case strings.Contains(m.To, "+"):
			bad = append(bad, breach(OnePlace, m.subject(), "is in %s at once", m.To))
		case m.From == "" && ended[m.RunID]:
			bad = append(bad, breach(SentOnce, m.subject(), "came to %q after it had ended", m.To))
		case seen && m.From != was || !seen && m.From != "":
			bad = append(bad, breach(OnePlace, m.subject(), "left %q, where it was not", m.From))
		case m.To == "" && len(m.Outcomes) != 1:
			bad = append(bad, breach(OneOutcome, m.subject(), "left %s with the outcomes %q", m.From, m.Outcomes))
		case m.To != "" && len(m.Outcomes) > 0:
			bad = append(bad, breach(OneOutcome, m.subject(), "is in %s with the outcomes %q", m.To, m.Outcomes))
		}
		known[m.RunID] = m.To
		ended[m.RunID] = ended[m.RunID] || m.To == ""
	}
	return bad
}

// checkFence: Redis accepts terms that rise and that etcd gave, and what is dispatched is dispatched
// under the one accepted last.
func checkFence(h History) (bad []Breach) {
	elected := map[int64]bool{}
	for _, t := range h.Terms {
		elected[t.Term] = true
	}
	last := map[string]int64{}
	for _, f := range h.Fences {
		subject := fmt.Sprintf("term %d in step %d", f.Term, f.Step)
		if f.Term < last[f.Part] {
			bad = append(bad, breach(Fenced, subject, "accepted after term %d", last[f.Part]))
		} else if len(elected) > 0 && !elected[f.Term] {
			bad = append(bad, breach(Fenced, subject, "accepted, yet etcd never gave it"))
		}
		last[f.Part] = max(last[f.Part], f.Term)
	}
	for _, m := range h.Moves {
		if m.From == "" && m.Term != 0 && m.Term != m.Fence {
			bad = append(bad, breach(Fenced, m.subject(), "dispatched in term %d while %d was accepted", m.Term, m.Fence))
		}
	}
	return bad
}

// checkStarts: attempts count up from 1, each starts once, and an attempt that is taken from its
// node had lost its lease, or its node was gone.
func checkStarts(h History) (bad []Breach) {
	attempts := map[string]int{}
	for _, m := range h.Moves {
		if m.To == "running" && m.From != "running" {
			if want := attempts[m.RunID] + 1; m.Attempt != want {
				bad = append(bad, breach(Contiguous, m.subject(), "attempt %d started, and %d was next", m.Attempt, want))
			}
			attempts[m.RunID] = m.Attempt
		}
		if m.Lost && m.From == "running" && m.Lease.After(m.At) && !h.gone(m.Node, m.At) {
			bad = append(bad, breach(LeaseOver, m.subject(), "taken from %q %s before its lease ended, and no process of that name was killed",
				m.Node, m.Lease.Sub(m.At)))
		}
	}
	return bad
}

// gone reports whether a process of the node was killed before t.
func (h History) gone(node string, t time.Time) bool {
	return slices.ContainsFunc(h.Faults, func(f Fault) bool {
		return f.Kind == Killed && f.Node == node && !f.At.After(t.Add(time.Millisecond))
	})
}

// checkSlots: after each step that starts or ends an attempt, the counter of its slot is what running
// holds of it, and no more than max_instances.
func checkSlots(h History) (bad []Breach) {
	for _, m := range h.Moves {
		if m.Max == 0 || !m.runs() {
			continue
		}
		if m.Counter != m.Held {
			bad = append(bad, breach(SlotsCount, m.subject(), "the counter is %d, and %d run", m.Counter, m.Held))
		}
		if m.Held > m.Max {
			bad = append(bad, breach(Limited, m.subject(), "%d run at once, more than %d", m.Held, m.Max))
		}
	}
	return bad
}

// checkDispatched: what is dispatched is of a known job, and by Redis's clock not before it is due.
func checkDispatched(h History) (bad []Breach) {
	known := map[string]bool{}
	for _, j := range h.Jobs {
		known[j.ID] = true
	}
	for _, m := range h.Moves {
		if m.From == "" && m.Term != 0 && !known[m.JobID] {
			bad = append(bad, breach(NoPhantom, m.subject(), "nobody defined this job"))
		}
		if m.From == "" && m.Term != 0 && m.At.Before(m.Due) {
			bad = append(bad, breach(NotEarly, m.subject(), "dispatched %s before it was due", m.Due.Sub(m.At)))
		}
	}
	return bad
}

// checkStopped: nothing is dispatched between the acknowledgement of a pause or a removal and the
// request of what undoes it.
func checkStopped(h History) (bad []Breach) {
	for _, m := range h.Moves {
		if m.From != "" || m.Term == 0 {
			continue
		}
		if done := h.Pause.Done; !done.IsZero() && m.At.After(done) {
			bad = append(bad, breach(Stopped, m.subject(), "dispatched %s after the schedule was paused", m.At.Sub(done)))
		}
		j, ok := h.job(m.JobID)
		if !ok {
			continue
		}
		for _, s := range h.spans(j) {
			if s.off && m.At.After(s.from) && (s.until.IsZero() || m.At.Before(s.until)) {
				bad = append(bad, breach(Stopped, m.subject(), "dispatched %s after its job was paused or removed", m.At.Sub(s.from)))
			}
		}
	}
	return bad
}

// checkLate: a due time that no fault is near has its first run within the limit.
func checkLate(h History) (bad []Breach) {
	if h.Limits.Calm == 0 {
		return nil
	}
	seen, behind := map[instant]bool{}, map[string]bool{}
	for _, j := range h.Jobs {
		behind[j.ID] = j.Behind
	}
	for _, e := range h.Executions {
		if seen[e.instant()] || behind[e.JobID] {
			continue
		}
		seen[e.instant()] = true
		late := e.Arrived.Sub(e.Scheduled)
		if late > h.Limits.Calm && !h.disturbed(e.Scheduled.Add(-h.Limits.Recover), e.Scheduled.Add(h.Limits.Calm)) {
			bad = append(bad, breach(OnTime, e.subject(), "began %s after it was due, and no fault was near", late.Round(time.Millisecond)))
		}
	}
	return bad
}

// checkLeft: nothing is left in the end that should have gone.
func checkLeft(h History) (bad []Breach) {
	for _, what := range h.Left {
		bad = append(bad, breach(NothingLeft, what, "should have gone"))
	}
	return bad
}
