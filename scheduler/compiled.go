package scheduler

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// compiled is a stored job in the form that dispatching needs. It is never changed.
type compiled struct {
	rules
	id       string
	executor string
	message  store.Message // without runs
	// calendars is the version of the calendars that the trigger was compiled with; 0 = it refers to none.
	calendars int64
	document  []byte // of the trigger if it refers to calendars
	asked     int64  // the nominal time that next_run_time asked for, Unix ms; 0 = none
}

// compile reads a stored job. A trigger that fails or panics gives an error.
func compile(e store.Entry, calendars store.Calendars, triggers *cache[trigger.Trigger]) (*compiled, error) {
	j := e.Job.WithDefaults(job.Options{})
	t, version, err := parseTrigger(string(j.Trigger), calendars, triggers)
	if err != nil {
		return nil, err
	}
	c := &compiled{
		rules: rules{
			trigger: t, uid: e.UID, coalesce: j.Coalesce, grace: time.Duration(j.MisfireGraceTime), maxRuns: int64(j.MaxRuns),
		},
		id: j.ID, executor: j.Executor, calendars: version, asked: e.Asked,
		message: store.Message{
			Attempt: 1, Max: j.MaxInstances, Grace: j.MisfireGraceTime, Overlap: j.Overlap, UID: e.UID, JobID: j.ID,
			Executor: j.Executor, Slot: j.SlotKey(), Task: j.Task, OnLost: j.OnLost, Retry: j.Retry,
			Timeout: time.Duration(j.Timeout), Args: j.Args,
		},
	}
	if version != 0 {
		c.document = j.Trigger
	}
	return c, nil
}

// parseTrigger parses a document once for all jobs that have the same. version is that of the
// calendars if it refers to any, else 0.
func parseTrigger(doc string, calendars store.Calendars, known *cache[trigger.Trigger]) (t trigger.Trigger, version int64, err error) {
	if t, ok := known.get(doc); ok {
		return t, 0, nil
	}
	referring := strconv.FormatInt(calendars.Version, 10) + " " + doc
	if t, ok := known.get(referring); ok {
		return t, calendars.Version, nil
	}
	defer recoverTrigger(&err)
	refers := false
	t, err = trigger.ParseWith([]byte(doc), func(name string) ([]byte, error) {
		refers = true
		return calendars.Find(name)
	})
	if err != nil {
		return nil, 0, err
	}
	if refers {
		known.put(referring, t, len(referring))
		return t, calendars.Version, nil
	}
	known.put(doc, t, len(doc))
	return t, 0, nil
}

// errTriggerPanic is what a panic inside a trigger becomes.
var errTriggerPanic = errors.New("trigger panicked")

func recoverTrigger(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("scheduler: %w: %v", errTriggerPanic, r)
	}
}

// decideSafely is decide for triggers that may panic, and for jobs whose calendars may have changed:
// a time that they leave out now is not decided, the job goes to the next that they leave.
func decideSafely(c *compiled, h store.Header, runTime, now int64, sofar tally, b *budget) (d decision, rest tally, done bool, err error) {
	defer recoverTrigger(&err)
	if c.calendars != 0 {
		next, err := c.follow(h, runTime, now)
		if err != nil || next.nominal != h.Next {
			return decision{last: h.Last, next: next}, tally{}, true, err
		}
	}
	d, rest, done, err = decide(c.rules, h, runTime, now, sofar, b)
	if done && err == nil {
		d.next, err = c.endedByCalendars(h, d, now)
	}
	return d, rest, done, err
}

// size is about how many bytes a compiled job keeps in memory.
func (c *compiled) size() int { return len(c.message.Args) + len(c.document) + len(c.id) + len(c.uid) }
