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
