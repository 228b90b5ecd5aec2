package scheduler

import (
	"slices"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// MaxRuns is how many runs of one job one message may hold with coalesce "all". What lies beyond
// waits until those runs have ended.
const MaxRuns = 1000

// rules is what decisions need to know of a job.
type rules struct {
	trigger  trigger.Trigger
	uid      string
	coalesce job.Coalesce
	grace    time.Duration // below 0: never too late
	maxRuns  int64         // 0: no limit
}

// instant is one due time: the nominal time, and when its run is due, with jitter. Unix ms.
type instant struct{ nominal, due int64 }

// stretch is a row of consecutive nominal times that share a fate.
type stretch struct {
	count       int64
	first, last int64 // Unix ms
}

func (s stretch) extend(count, last int64) stretch {
	if count > 0 {
		s.count, s.last = s.count+count, last
	}
	return s
}

// decision says what becomes of a job's due times. With no runs and no stretches it only moves the
// run time.
type decision struct {
	runs      []instant
	missed    stretch
	coalesced stretch
	late      time.Duration // of the first of missed
	last      int64         // the last nominal time that is accounted for
	latest    int64         // the latest due time that is accounted for; 0 = none
	next      instant       // zero: the job has finished
	more      bool          // next was due already
}

// tally is how far a decision has come that takes several steps. The zero value is its beginning.
type tally struct {
	missed stretch   // beyond the grace
	kept   stretch   // within it; empty until missed is complete
	before int64     // the nominal time before the last of kept, when there are two or more
	runs   []instant // of kept, with coalesce "all"
}

// decide accounts for the times of a job that are due at now. header and runTime are as stored.
// Times beyond the grace are missed; of the others coalesce picks. When the budget ends first, done
// is false and the decision goes on with the tally that is returned; nothing is decided by then.
//
// Jitter never reorders: the due time of a run lies before the next nominal time. So the times that
// are due are the first ones, and among them those that are missed.
func decide(r rules, header store.Header, runTime, now int64, sofar tally, b *budget) (d decision, rest tally, done bool, err error) {
	w := &walk{rules: r, first: instant{header.Next, max(runTime, header.Next)}, budget: b}
	d = decision{last: header.Last}
	switch {
	case header.Next <= header.Last: // a time must not come again
		d.next = w.after(header.Last)
		return d, tally{}, true, w.err
	case w.first.due > now: // run_times had it too early
		d.next = w.first
		return d, tally{}, true, nil
	}
	rest = sofar
	if rest.kept.count == 0 {
		if rest, done = w.dropMissed(rest, now); !done || w.err != nil {
			return d, rest, done, w.err
		}
	}
	d.missed = rest.missed
	if d.missed.count > 0 {
		d.late = time.Duration(now-w.dueOf(d.missed.first)) * time.Millisecond
		d.last, d.latest = d.missed.last, w.dueOf(d.missed.last)
	}
	if rest.kept.count == 0 {
		head := w.head(rest.missed)
		if head.nominal == 0 || head.due > now || w.err != nil {
			d.next = head
			return d, tally{}, true, w.err
		}
		rest.kept = stretch{1, head.nominal, head.nominal}
	}
	rest, done = w.coalesce(&d, rest, now, left(r.maxRuns, header.Runs))
	d.more = done && d.next.nominal != 0 && d.next.due <= now
	return d, rest, done, w.err
}

// left is how many runs a job may still have.
func left(maxRuns, runs int64) int64 {
	if maxRuns == 0 {
		return MaxRuns + 1
	}
	return max(maxRuns-runs, 0)
}

// dropMissed counts the times that are beyond the grace.
func (w *walk) dropMissed(t tally, now int64) (rest tally, done bool) {
	if w.grace < 0 {
		return t, true
	}
	limit := now - w.grace.Milliseconds() - 1 // lateness equal to the grace still runs
	if t.missed.count == 0 {
		if w.first.due > limit {
			return t, true
		}
		t.missed = stretch{1, w.first.nominal, w.first.nominal}
	}
	s, done := w.count(t.missed.last, limit)
	t.missed = t.missed.extend(s.n, s.last)
	return t, done
}

// head is the first time that is not missed.
func (w *walk) head(missed stretch) instant {
	if missed.count == 0 {
		return w.first
	}
	return w.after(missed.last)
}

// coalesce picks the runs among the times within the grace, and the next time after them.
func (w *walk) coalesce(d *decision, t tally, now, left int64) (rest tally, done bool) {
	if left == 0 { // a job at its max_runs has no times any more
		return t, true
	}
	if w.rules.coalesce == job.CoalesceAll {
		return w.keepAll(d, t, now, left)
	}
	s, done := w.count(t.kept.last, now)
	if s.n > 0 {
		t.kept, t.before = t.kept.extend(s.n, s.last), s.before
	}
	if !done {
		return t, false
	}
	k := t.kept
	switch w.rules.coalesce {
	case job.CoalesceEarliest:
		d.runs = []instant{{k.first, w.dueOf(k.first)}}
		if k.count > 1 {
			d.coalesced = stretch{k.count - 1, w.next(k.first), k.last}
		}
	default:
		d.runs = []instant{{k.last, w.dueOf(k.last)}}
		if k.count > 1 {
			d.coalesced = stretch{k.count - 1, k.first, t.before}
		}
	}
	d.last, d.latest = k.last, w.dueOf(k.last)
	if left > 1 {
		d.next = w.after(k.last)
	}
	return t, true
}

// keepAll takes every due time, up to what one message may hold and max_runs allows. When the budget ends first
// it goes on from the runs of the tally. Those that the steps of a decision which are free have found are not
// kept: they are found again, and memory is used for the few decisions only that a pass has spent its budget on.
func (w *walk) keepAll(d *decision, t tally, now, left int64) (rest tally, done bool) {
	runs, at := slices.Clip(t.runs), instant{t.kept.first, w.dueOf(t.kept.first)}
	if n := len(runs); n > 0 {
		at = w.after(runs[n-1].nominal)
	}
	for at.nominal != 0 && at.due <= now && int64(len(runs)) < min(left, MaxRuns) && w.err == nil {
		runs = append(runs, at)
		at = w.after(at.nominal)
		if !w.spend() {
			if w.budget.left >= 0 || w.used > freeSteps+1 { // the budget was there
				t.runs = runs
			}
			return t, false
		}
	}
	if n := len(runs); n > 0 {
		d.runs, d.last, d.latest = runs, runs[n-1].nominal, runs[n-1].due
	}
	if int64(len(runs)) < left {
		d.next = at
	}
	return t, true
}
