package history

import (
	"slices"
	"time"
)

// OpKind says what an Op asked for.
type OpKind string

// The kinds of changes of a job.
const (
	OpChange OpKind = "change" // another first time and interval
	OpPause  OpKind = "pause"
	OpResume OpKind = "resume"
	OpRemove OpKind = "remove"
)

// Op is a change of a job as its client saw it. Failed is one whose outcome the client does not know.
type Op struct {
	JobID  string        `json:"job_id"`
	Kind   OpKind        `json:"kind"`
	Asked  time.Time     `json:"asked"`
	Done   time.Time     `json:"done"`
	Failed bool          `json:"failed,omitempty"`
	First  time.Time     `json:"first,omitzero"`    // of OpChange
	Every  time.Duration `json:"every_ns,omitzero"` // of OpChange
}

// span is a time for which a job was defined in one way, or not in force. From and until are
// exclusive; between the end of a span and the start of the next either may have held.
type span struct {
	job         Job
	off         bool
	from, until time.Time // zero = without end
}

// spans returns how the job was defined over time. After an op that failed nobody knows whether it took
// effect, until one of its kind succeeds: the spans between are empty, and nothing is asked of them.
func (h History) spans(j Job) []span {
	all := []span{{job: j}}
	definition, state := true, true // known for sure
	for _, op := range h.Ops {
		if op.JobID != j.ID {
			continue
		}
		last := &all[len(all)-1]
		if last.until.IsZero() {
			last.until = op.Asked
		}
		next := span{job: last.job, off: last.off, from: op.Done}
		switch op.Kind {
		case OpChange:
			next.job.First, next.job.Every = op.First, op.Every
			definition = !op.Failed
		case OpPause, OpRemove:
			next.off, state = true, !op.Failed
		case OpResume:
			next.off, state = false, !op.Failed
		}
		if !definition || !state {
			next.until = op.Done
		}
		all = append(all, next)
	}
	return all
}

// required returns the times up to end that must have run: those well within a span that is in
// force. Just before an op, or when a fault kept them until it, they may have been given up.
func (h History) required(j Job, end time.Time) []time.Time {
	var all []time.Time
	for _, s := range h.spans(j) {
		if s.off || j.Unseen {
			continue
		}
		last := end
		if !s.until.IsZero() && s.until.Before(end) {
			last = s.until.Add(-Settle)
		}
		for _, t := range s.job.Times(last) {
			kept := !s.until.IsZero() && (h.disturbed(t, s.until) || h.stoodStill(t, s.until))
			if (s.from.IsZero() || t.After(s.from)) && !kept {
				all = append(all, t)
			}
		}
	}
	return all
}

// permitted reports whether the job may run for t: it was due then by a definition that may have
// held at t, or after t, as a backlog does.
func (h History) permitted(j Job, t time.Time) bool {
	return slices.ContainsFunc(h.spans(j), func(s span) bool { return s.job.Due(t) })
}

// stoodStill reports whether Redis saw no dispatch of any job between two instants, as when a process
// that had just been killed stood next in line for the office, and its lease had to end. A change of the
// trigger then gives up what was due and not yet dispatched.
func (h History) stoodStill(from, to time.Time) bool {
	return len(h.Moves) > 0 && !slices.ContainsFunc(h.Moves, func(m Move) bool {
		return m.From == "" && m.Term != 0 && m.At.After(from) && m.At.Before(to)
	})
}

// disturbed reports whether any fault was there between two instants.
func (h History) disturbed(from, to time.Time) bool {
	return slices.ContainsFunc(h.Faults, func(f Fault) bool {
		return !f.At.After(to) && !f.end().Before(from)
	})
}

// end is when the fault was over.
func (f Fault) end() time.Time {
	if f.Until.After(f.At) {
		return f.Until
	}
	return f.At
}

// skipped reports whether a row of the store's history tells what became of a time that did not run.
func (h History) skipped(job string, t time.Time) bool {
	at := instantOf(job, t)
	row := slices.ContainsFunc(h.Outcomes, func(o Outcome) bool {
		return o.Outcome != "executed" && instantOf(o.JobID, o.Scheduled) == at
	})
	return row || slices.ContainsFunc(h.Skips, func(s Skip) bool {
		return s.JobID == job && !t.Before(s.From) && !t.After(s.Until)
	})
}
