package scheduler

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// compiled is a stored job in the form that dispatching needs. It is never changed.
type compiled struct {
	rules
	*terms
	id, slot string
	args     json.RawMessage
	stored   int // bytes of the job as it is stored, which a dispatch reads and writes
}

// terms are what jobs may have in common. They are never changed.
type terms struct {
	executor string
	message  store.Message // without runs, and what each job has of its own
	// calendars is the version of the calendars that the trigger was compiled with; 0 = it refers to none.
	calendars int64
	document  []byte // of the trigger if it refers to calendars
	asked     int64  // the nominal time that next_run_time asked for, Unix ms; 0 = none
	rules     rules  // without a uid
	shared    bool   // with jobs that are alike
}

// ownTerms is about how many bytes terms and a trigger keep.
const ownTerms = 1 << 10

// alikeTerms bounds how many terms are kept for jobs that are alike.
const alikeTerms = 1000

// compile reads a stored job, which may be alike one that was compiled before. A trigger that fails or panics
// gives an error. What it returns does not keep the text of the record.
func (p *partition) compile(e store.Entry) (*compiled, error) {
	t := p.alike[e.Alike]
	if t == nil {
		var err error
		if t, err = compileTerms(e, p.calendars, p.triggers); err != nil {
			return nil, err
		}
		if e.Alike != 0 && t.calendars == 0 {
			if len(p.alike) >= alikeTerms {
				clear(p.alike)
			}
			t.shared = true
			p.alike[e.Alike] = t
		}
	}
	return t.of(e), nil
}

// of is the job of an entry that has these terms.
func (t *terms) of(e store.Entry) *compiled {
	c := &compiled{rules: t.rules, terms: t, id: e.Job.ID, slot: e.Job.SlotKey(), args: slices.Clone(e.Job.Args), stored: e.Bytes}
	c.uid = strings.Clone(e.UID)
	return c
}

// messageOf is a message of the job, without runs.
func (c *compiled) messageOf() store.Message {
	m := c.message
	m.UID, m.JobID, m.Slot, m.Args = c.uid, c.id, c.slot, c.args
	return m
}

// compileTerms reads the terms of a stored job.
func compileTerms(e store.Entry, calendars store.Calendars, triggers *cache[trigger.Trigger]) (*terms, error) {
	j := e.Job.WithDefaults(job.Options{})
	t, version, err := parseTrigger(string(j.Trigger), calendars, triggers)
	if err != nil {
		return nil, err
	}
	c := &terms{
		rules: rules{
			trigger: t, coalesce: j.Coalesce, grace: time.Duration(j.MisfireGraceTime), maxRuns: int64(j.MaxRuns),
		},
		executor: j.Executor, calendars: version, asked: e.Asked,
		message: store.Message{
			Attempt: 1, Max: j.MaxInstances, Grace: j.MisfireGraceTime, Overlap: j.Overlap,
			Executor: j.Executor, Task: j.Task, OnLost: j.OnLost, Retry: j.Retry, Timeout: time.Duration(j.Timeout),
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
func (c *compiled) size() int {
	n := len(c.args) + len(c.document) + len(c.id) + len(c.uid)
	if !c.shared {
		n += ownTerms
	}
	return n
}
