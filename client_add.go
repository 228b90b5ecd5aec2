package carillon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// casRounds bounds how often a change is tried again because the job moved meanwhile.
const casRounds = 100

// AddJob stores a job and returns it with its id, defaults and next run time filled in. A taken
// id gives ErrConflictingID unless ReplaceExisting is given. ErrUnknownExecutor, ErrUnknownTask
// and ErrUnknownStore name what no node has ever served, ErrCalendarNotFound a calendar that its
// store does not have; ErrInvalidJob and ErrInvalidTrigger say which field is wrong. A trigger with
// no time left is refused.
func (c *Client) AddJob(ctx context.Context, j Job, opts ...CallOption) (Job, error) {
	o := callOf(opts)
	if j.Store == "" {
		j.Store = o.store
	}
	j, s, err := c.prepare(ctx, j)
	if err != nil {
		return Job{}, err
	}
	now, err := s.Now(ctx, 0)
	if err != nil {
		return Job{}, err
	}
	e, err := newEntry(j, now)
	if err != nil {
		return Job{}, fmt.Errorf("carillon: add job %q: %w", j.ID, err)
	}
	if o.replace {
		return c.addOrReplace(ctx, s, e, now)
	}
	return add(ctx, s, e, now)
}

// add schedules e by the calendars as they are, again when they change meanwhile.
func add(ctx context.Context, s *store.Store, e store.Entry, now int64) (Job, error) {
	for range casRounds {
		one := e
		if err := schedule(&one, time.UnixMilli(now), almanacOf(ctx, s, e.Job.ID)); err != nil {
			return Job{}, fmt.Errorf("carillon: add job %q: %w", e.Job.ID, err)
		}
		err := s.Add(ctx, uuid.NewString(), one)
		if err == nil || errors.Is(err, ErrNotReplicated) {
			return one.Document(), err
		}
		if !errors.Is(err, store.ErrChanged) {
			return Job{}, err
		}
	}
	return Job{}, fmt.Errorf("carillon: add job %q: %w %d times in a row; try again", e.Job.ID, store.ErrCalendarsChanged, casRounds)
}

// addOrReplace looks for the job first: one whose trigger has ended may still have a backlog, and
// is not refused. Whether the job is there may change meanwhile.
func (c *Client) addOrReplace(ctx context.Context, s *store.Store, e store.Entry, now int64) (Job, error) {
	for {
		j, err := c.replace(ctx, s, e, now)
		if !errors.Is(err, ErrJobNotFound) {
			return j, err
		}
		j, err = add(ctx, s, e, now)
		if !errors.Is(err, ErrConflictingID) {
			return j, err
		}
	}
}

// prepare fills defaults in, validates, and checks the names against the registry.
func (c *Client) prepare(ctx context.Context, j Job) (Job, *store.Store, error) {
	j = j.WithDefaults(c.defaults)
	if err := j.Validate(); err != nil {
		return j, nil, err
	}
	if j.ID == "" {
		j.ID = uuid.NewString()
	}
	if _, err := trigger.Calendars(j.Trigger); err != nil { // before anything is contacted
		return j, nil, err
	}
	s, err := c.store(j.Store)
	if err != nil {
		return j, nil, err
	}
	if _, err := almanacOf(ctx, s, j.ID).parse(j.Trigger); err != nil {
		return j, nil, err
	}
	if s.Partitions() > 1 && j.Key != "" && s.PartitionOf(j.ID) != s.PartitionOf(j.Key) {
		return j, nil, fmt.Errorf("%w: key %q: in a store of %d partitions it must equal the {…} text of the ids that share it", ErrInvalidJob, j.Key, s.Partitions())
	}
	return j, s, s.Knows(ctx, j.Executor, j.Task)
}

// newEntry is the stored form of a job added at now, Unix ms of Redis, before it is scheduled.
func newEntry(j Job, now int64) (store.Entry, error) {
	given := compact(j.Trigger)
	resolved, err := trigger.Resolve(j.Trigger, time.UnixMilli(now))
	if err != nil {
		return store.Entry{}, err
	}
	j.Trigger = resolved
	return store.Entry{
		Header: store.Header{UID: uuid.NewString(), State: store.Active},
		Record: store.Record{Job: j, Given: given, Created: now},
	}, nil
}

// errNoTimeLeft is wrapped by schedule, beside ErrInvalidTrigger, when a trigger has ended.
var errNoTimeLeft = errors.New("it has no time left")

// schedule sets the first time of e strictly after now, or as its next_run_time says. A date in
// the past is due at once.
func schedule(e *store.Entry, now time.Time, by *almanac) error {
	t, err := by.parse(e.Job.Trigger)
	if err != nil {
		return err
	}
	e.CalendarsVersion = by.version()
	asked := e.Job.NextRunTime
	e.Asked = 0
	e.Job.NextRunTime = job.NextRun{}
	if after := time.UnixMilli(e.Last); e.Last != 0 && after.After(now) {
		now = after
	}
	first := t.Next(now)
	if first.IsZero() && kind(e.Job.Trigger) == "date" && e.Last == 0 {
		first = t.Next(time.Time{})
	}
	explicit, said := asked.Time()
	if first.IsZero() && !said {
		return fmt.Errorf("%w: %w after %s", ErrInvalidTrigger, errNoTimeLeft, job.FormatTime(now))
	}
	if asked.IsPaused() { // the times of its pause are those after it was added, see passed
		e.State, e.Next, e.RunTime = store.Paused, 0, 0
		return nil
	}
	if said {
		e.Next = ceilMillis(explicit)
		e.RunTime, e.Asked = e.Next, e.Next
		return nil
	}
	if err := by.sameZones(e.Job.Trigger); err != nil {
		return err
	}
	e.Next = ceilMillis(first)
	e.RunTime = e.Next + trigger.Spread(t, e.UID, time.UnixMilli(e.Next)).Milliseconds()
	return nil
}

// ceilMillis is t in Unix ms, rounded up: nothing may fire before its time.
func ceilMillis(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.Sub(time.UnixMilli(ms)) > 0 {
		ms++
	}
	return ms
}

func kind(doc json.RawMessage) string {
	var d struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(doc, &d) != nil {
		return ""
	}
	return strings.ToLower(d.Type)
}

func compact(doc json.RawMessage) json.RawMessage {
	var v any
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return doc
	}
	b, err := json.Marshal(v) // sorts the keys, so that two spellings of one document are equal
	if err != nil {
		return doc
	}
	return b
}

// replace updates the job that has e's id. With the same trigger as given, and no next run time
// asked for, the job keeps its identity, pause, phase and pending backlog; otherwise it is scheduled
// anew.
func (c *Client) replace(ctx context.Context, s *store.Store, e store.Entry, now int64) (Job, error) {
	var skipped Row
	return c.change(ctx, s, e.Job.ID, job.JobModified, "replaced", func(old store.Entry) (updated store.Entry, err error) {
		updated, skipped, err = replaced(old, e, time.UnixMilli(now), almanacOf(ctx, s, e.Job.ID))
		return updated, err
	}, &skipped)
}

// replaced is old with the definition of e. skipped is what passed while it was stopped, if that ends.
func replaced(old, e store.Entry, now time.Time, by *almanac) (updated store.Entry, skipped Row, err error) {
	updated = old
	updated.Job = e.Job
	if bytes.Equal(old.Given, e.Given) {
		updated.Job.Trigger = old.Job.Trigger
		if e.Job.NextRunTime.IsZero() {
			return corrected(updated, now, by), Row{}, nil
		}
	}
	updated.Given = e.Given
	skipped, err = reschedule(old, &updated, now, by)
	return updated, skipped, err
}

// reschedule gives e its next time by its new trigger, or as its next_run_time says; a paused job stays
// paused unless an explicit next_run_time says otherwise. The times of the old trigger that passed while the
// job was stopped are skipped: later nobody could tell which they were.
func reschedule(old store.Entry, e *store.Entry, now time.Time, by *almanac) (skipped Row, err error) {
	if e.Job.NextRunTime.IsPaused() && bytes.Equal(old.Given, e.Given) && (old.Next != 0 || old.State == store.Paused) {
		e.Job.NextRunTime = job.NextRun{}
		if old.State != store.Paused {
			e.State, e.Reason, e.RunTime = store.Paused, "", 0
		}
		return Row{}, nil // its next time is kept, as by PauseJob
	}
	if old.State != store.Active {
		skipped = passed(old, now, by)
	}
	paused, reason := e.State == store.Paused && e.Job.NextRunTime.IsZero(), e.Reason
	if e.Job.NextRunTime.IsPaused() { // its next time is kept from here on: those before it were of another trigger
		paused, reason, e.Job.NextRunTime = true, "", job.NextRun{}
	}
	e.State, e.Reason = store.Active, ""
	if err := schedule(e, now, by); err != nil {
		return Row{}, err
	}
	if paused {
		e.State, e.Reason, e.RunTime = store.Paused, reason, 0
	}
	if until := ceilMillis(skipped.Until); skipped.Count > 0 && (e.Next == 0 || e.Next > until) {
		e.Last = max(e.Last, until)
	}
	return skipped, nil
}

// errUnchanged is what the function of change returns when there is nothing to do.
var errUnchanged = errors.New("unchanged")

// change reads a job, lets f make the new one, and stores it if nothing happened in between;
// otherwise it starts over. Rows of skipped that f gave a count are kept in the same step.
func (c *Client) change(ctx context.Context, s *store.Store, id string, kind job.EventKind, cause string, f func(store.Entry) (store.Entry, error), skipped ...*Row) (Job, error) {
	op := uuid.NewString()
	for round := range casRounds {
		old, err := s.Get(ctx, id)
		if err != nil {
			return Job{}, err
		}
		updated, err := f(old)
		if errors.Is(err, errUnchanged) {
			return old.Document(), nil
		}
		answer, this := updated.Document(), fmt.Sprintf("%s:%d", op, round)
		var over *ending
		switch {
		case errors.As(err, &over):
			answer, err = end(ctx, s, this, old, over.why, counted(skipped))
		case err != nil:
			return Job{}, fmt.Errorf("carillon: change job %q: %w", id, err)
		default:
			err = s.Update(ctx, this, old, updated, kind, cause, counted(skipped)...)
		}
		if err == nil || errors.Is(err, ErrNotReplicated) {
			return answer, err
		}
		if !errors.Is(err, store.ErrChanged) {
			return Job{}, err
		}
	}
	return Job{}, fmt.Errorf("carillon: change job %q: %w %d times in a row; try again", id, store.ErrChanged, casRounds)
}

// ModifyJob lets f change a stored job. Id and store stay. A changed trigger, or a next_run_time
// set by f, gives the job a new next time; otherwise that stays, unless the trigger does not give it. Changes apply to times that are
// not dispatched yet.
func (c *Client) ModifyJob(ctx context.Context, id string, f func(*Job) error, opts ...CallOption) (Job, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return Job{}, err
	}
	now, err := s.Now(ctx, 0)
	if err != nil {
		return Job{}, err
	}
	var skipped Row
	return c.change(ctx, s, id, job.JobModified, "", func(old store.Entry) (store.Entry, error) {
		skipped = Row{}
		j := old.Job
		j.Trigger = old.Given
		if err := f(&j); err != nil {
			return old, err
		}
		j.ID, j.Store = old.Job.ID, old.Job.Store
		j, _, err := c.prepare(ctx, j)
		if err != nil {
			return old, err
		}
		updated := old
		updated.Job = j
		if given := compact(j.Trigger); !bytes.Equal(given, old.Given) {
			updated.Given = given
			if updated.Job.Trigger, err = trigger.Resolve(j.Trigger, time.UnixMilli(now)); err != nil {
				return old, err
			}
		} else {
			updated.Job.Trigger = old.Job.Trigger
			if j.NextRunTime.IsZero() {
				return corrected(updated, time.UnixMilli(now), almanacOf(ctx, s, id)), nil
			}
		}
		skipped, err = reschedule(old, &updated, time.UnixMilli(now), almanacOf(ctx, s, id))
		return updated, err
	}, &skipped)
}

// RescheduleJob gives a job another trigger, counted from now. A paused job stays paused.
func (c *Client) RescheduleJob(ctx context.Context, id string, trigger json.RawMessage, opts ...CallOption) (Job, error) {
	return c.ModifyJob(ctx, id, func(j *Job) error {
		j.Trigger = trigger
		return nil
	}, opts...)
}
