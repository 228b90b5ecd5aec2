package history

import "time"

// Due reports whether t is a due time of the job.
func (j Job) Due(t time.Time) bool {
	since := t.Sub(j.First)
	if j.Every == 0 {
		return since == 0
	}
	return since >= 0 && since%j.Every == 0
}

// Times returns the due times of the job up to and including end, in order.
func (j Job) Times(end time.Time) []time.Time {
	var times []time.Time
	for t := j.First; !t.After(end); t = t.Add(j.Every) {
		times = append(times, t)
		if j.Every == 0 {
			break
		}
	}
	return times
}

// From returns the history of what was due after t: as if its jobs had begun then. Faults, terms and
// what says nothing of one due time are kept.
func (h History) From(t time.Time) History {
	var jobs []Job
	for _, j := range h.Jobs {
		if j.Every > 0 && !j.First.After(t) {
			j.First = j.First.Add((t.Sub(j.First)/j.Every + 1) * j.Every)
		}
		if j.Unseen || j.First.After(t) {
			jobs = append(jobs, j)
		}
	}
	h.Jobs = jobs
	h.Executions = kept(h.Executions, func(e Execution) bool { return e.Scheduled.After(t) })
	h.Moves = kept(h.Moves, func(m Move) bool { return m.Scheduled.After(t) })
	h.Outcomes = kept(h.Outcomes, func(o Outcome) bool { return o.Scheduled.After(t) })
	h.Skips = kept(h.Skips, func(s Skip) bool { return s.Until.After(t) })
	return h
}

func kept[T any](all []T, keep func(T) bool) (some []T) {
	for _, one := range all {
		if keep(one) {
			some = append(some, one)
		}
	}
	return some
}

// demanded returns the last instant whose due times must have run.
func (h History) demanded() time.Time {
	if !h.Pause.Asked.IsZero() {
		return h.Pause.Asked.Add(-Settle)
	}
	var last time.Time
	for _, e := range h.Executions {
		if e.Arrived.After(last) {
			last = e.Arrived
		}
	}
	return last.Add(-Settle)
}

// instant names one due time of one job. Times are compared in milliseconds, as they are stored.
type instant struct {
	job string
	ms  int64
}

func instantOf(job string, t time.Time) instant { return instant{job, t.UnixMilli()} }

func (i instant) String() string {
	return i.job + " due " + time.UnixMilli(i.ms).UTC().Format("15:04:05.000")
}
