package carillon

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/scheduler"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// explainedTimes is how many past times Explain tells of when it is asked for none.
const explainedTimes = 3

// Explain says why a job ran or did not run at a time: from its record, its history, the run that
// still waits, the pauses, and the event log. at is a due time to the millisecond; one of whole
// seconds also means the trigger's first time within that second. A zero at explains the last
// three due times that have passed and the next.
//
// It reads one after another what goes on changing, so it tells of a moment ago, and it says that
// something is not known rather than guess: history and events are capped. A removed job is
// explained while its history lasts; ErrJobNotFound after that. Nodes are not asked.
func (c *Client) Explain(ctx context.Context, id string, at time.Time, opts ...CallOption) (Explanation, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return Explanation{}, err
	}
	x := explainer{store: s, facts: jobFacts{id: id}, by: almanacOf(ctx, s, id)}
	if err := x.gather(ctx); err != nil {
		return Explanation{}, err
	}
	answer := Explanation{Store: s.Name(), JobID: id, Job: explainJob(x.facts), Times: []ExplainedTime{}}
	for _, due := range x.times(at) {
		facts, err := x.about(ctx, due)
		if err != nil {
			return Explanation{}, err
		}
		answer.Times = append(answer.Times, explainTime(x.facts, facts))
	}
	return answer, nil
}

// explainer gathers the facts of one job.
type explainer struct {
	store   *store.Store
	facts   jobFacts
	trigger trigger.Trigger // nil when there is none that can be used
	by      *almanac
	rows    []Row // newest first
}

// lifeEvents are the events that explanations look at.
var lifeEvents = job.Mask(job.JobAdded, job.JobModified, job.JobPaused, job.JobResumed, job.JobRemoved, job.JobParked,
	job.SchedulerPaused, job.SchedulerResumed)

// gather reads the job before its runs and its runs before its history, which is the way they go.
func (x *explainer) gather(ctx context.Context) error {
	f, partition := &x.facts, x.store.PartitionOf(x.facts.id)
	e, err := x.store.Get(ctx, f.id)
	switch {
	case err == nil:
		f.entry = &e
		x.trigger, f.broken = x.by.parse(e.Job.Trigger)
	case errors.Is(err, ErrJobNotFound):
		f.gone = true
	case errors.Is(err, store.ErrUnreadable) || errors.Is(err, store.ErrNewerFormat):
		f.broken = err
	default:
		return err
	}
	if readErr := x.readHistory(ctx); readErr != nil {
		return readErr
	}
	if f.gone && len(x.rows) == 0 {
		return err
	}
	now, err := x.store.Now(ctx, partition)
	if err != nil {
		return err
	}
	f.now = milliTime(now)
	if f.pause, err = x.store.PausedSince(ctx, partition); err != nil {
		return err
	}
	if f.held, err = x.store.PausedExecutors(ctx, partition); err != nil {
		return err
	}
	f.events, err = x.store.EventsAbout(ctx, f.id, lifeEvents)
	return err
}

func (x *explainer) readHistory(ctx context.Context) error {
	const all = 1_000_000
	rows, err := x.store.History(ctx, x.facts.id, all)
	x.rows, x.facts.oldest = rows, time.Time{}
	for _, r := range rows {
		if o := x.facts.oldest; o.IsZero() || r.ScheduledTime.Before(o) {
			x.facts.oldest = r.ScheduledTime
		}
	}
	return err
}

// times are the times to explain, earliest first.
func (x *explainer) times(at time.Time) []time.Time {
	if !at.IsZero() {
		return []time.Time{x.settle(at)}
	}
	if x.trigger == nil {
		return x.timesOfRows()
	}
	times := []time.Time{}
	for last := x.facts.now.Add(time.Nanosecond); len(times) < explainedTimes; {
		last = timeBefore(x.trigger, last)
		due := milliTime(ceilMillis(last))
		if last.IsZero() || due.UnixMilli() < x.facts.entry.Created && len(x.rowsOf(due)) == 0 {
			break
		}
		times = append(times, due)
	}
	slices.Reverse(times)
	next := milliTime(x.facts.entry.Next)
	if !next.After(x.facts.now) {
		next = milliTime(ceilMillis(x.trigger.Next(x.facts.now)))
	}
	if next.After(x.facts.now) {
		times = append(times, next)
	}
	return times
}

// timesOfRows are the last due times that the history of a job without a trigger tells of.
func (x *explainer) timesOfRows() []time.Time {
	var times []time.Time
	for _, r := range x.rows {
		if !slices.Contains(times, r.ScheduledTime) && len(times) < explainedTimes {
			times = append(times, r.ScheduledTime)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// settle is the due time that is meant by at: itself, or the first within its second.
func (x *explainer) settle(at time.Time) time.Time {
	exact := milliTime(ceilMillis(at))
	if at.Nanosecond() != 0 || x.isTime(exact) || len(x.rowsOf(exact)) > 0 {
		return exact
	}
	end := at.Add(time.Second)
	if x.trigger != nil {
		if first := trigger.First(x.trigger, at); !first.IsZero() && first.Before(end) {
			return milliTime(ceilMillis(first))
		}
	}
	for _, r := range slices.Backward(x.rows) {
		if !r.ScheduledTime.Before(at) && r.ScheduledTime.Before(end) {
			return r.ScheduledTime
		}
	}
	return exact
}

// isTime reports whether the trigger has the time, or the job's next run is for it.
func (x *explainer) isTime(at time.Time) bool {
	if e := x.facts.entry; e != nil && e.Next == at.UnixMilli() {
		return true
	}
	if x.trigger == nil {
		return false
	}
	return hasTime(x.trigger, at)
}

// hasTime reports whether a trigger has a time that is stored as at.
func hasTime(t trigger.Trigger, at time.Time) bool {
	first := t.Next(at.Add(-time.Millisecond)) // stored times are rounded up
	return !first.IsZero() && ceilMillis(first) == at.UnixMilli()
}

// excluders are the calendars of a trigger each of which leaves a time out, when the trigger would
// have it without any.
func (x *explainer) excluders(at time.Time) []string {
	doc := x.facts.entry.Job.Trigger
	names, err := trigger.Calendars(doc)
	if err != nil {
		return nil
	}
	leftOut := func(by ...string) bool {
		t, err := trigger.ParseWith(doc, func(name string) ([]byte, error) {
			if !slices.Contains(by, name) {
				return nil, nil
			}
			return x.by.find(name)
		})
		return err == nil && !hasTime(t, at)
	}
	if len(names) == 0 || leftOut() {
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool { return !leftOut(name) })
}

// about gathers what is known of one time.
func (x *explainer) about(ctx context.Context, at time.Time) (timeFacts, error) {
	t := timeFacts{at: at, isTime: x.isTime(at), rows: x.rowsOf(at)}
	if x.trigger != nil && !t.isTime {
		t.before, t.after, t.excludedBy = timeBefore(x.trigger, at), x.trigger.Next(at), x.excluders(at)
	}
	e := x.facts.entry
	if e == nil || at.UnixMilli() > e.Last {
		return t, nil
	}
	id := scheduler.RunID(x.store.UID(), e.UID, at.UnixMilli())
	ended := func(r Row) bool { return r.RunID == "" || r.RunID == id } // other runs: backfilled, retried
	if slices.ContainsFunc(t.rows, ended) {
		return t, nil
	}
	p, err := x.store.Find(ctx, id)
	if err == nil {
		info, err := foundIn(ctx, x.store, p, id)
		t.run = &info
		return t, err
	}
	if !errors.Is(err, ErrRunNotFound) {
		return t, err
	}
	err = x.readHistory(ctx) // it may have ended meanwhile
	t.rows = x.rowsOf(at)
	return t, err
}

// rowsOf are the rows of a time, oldest first: those of runs for it, or the stretch that covers it.
func (x *explainer) rowsOf(at time.Time) []Row {
	var rows []Row
	for _, r := range slices.Backward(x.rows) {
		inside := r.RunID == "" && r.ScheduledTime.Before(at) && !r.Until.Before(at) && (r.Until.Equal(at) || x.isTime(at))
		if r.ScheduledTime.Equal(at) || inside {
			rows = append(rows, r)
		}
	}
	return rows
}

// timeBefore is the last time of t before at, or the zero time if there is none in a century.
func timeBefore(t trigger.Trigger, at time.Time) time.Time {
	earlier := func(from time.Time) bool {
		n := t.Next(from)
		return !n.IsZero() && n.Before(at)
	}
	const century = 100 * 365 * 24 * time.Hour
	back := time.Second
	for !earlier(at.Add(-back)) {
		if back > century {
			return time.Time{}
		}
		back *= 4
	}
	last := t.Next(at.Add(-back))
	for high := at; earlier(last); { // the time that is sought lies in (last, high]
		middle := last.Add(high.Sub(last) / 2)
		if earlier(middle) {
			last = t.Next(middle)
		} else {
			high = middle
		}
	}
	return last
}
