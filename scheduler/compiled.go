package scheduler

import (
	"errors"
	"fmt"
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
}

// compile reads a stored job. A trigger that fails or panics gives an error.
func compile(e store.Entry, triggers *cache[trigger.Trigger]) (*compiled, error) {
	j := e.Job.WithDefaults(job.Options{})
	t, err := parseTrigger(string(j.Trigger), triggers)
	if err != nil {
		return nil, err
	}
	return &compiled{
		rules: rules{
			trigger: t, uid: e.UID, coalesce: j.Coalesce, grace: time.Duration(j.MisfireGraceTime), maxRuns: int64(j.MaxRuns),
		},
		id: j.ID, executor: j.Executor,
		message: store.Message{
			Attempt: 1, Max: j.MaxInstances, Grace: j.MisfireGraceTime, Overlap: j.Overlap, UID: e.UID, JobID: j.ID,
			Executor: j.Executor, Slot: j.SlotKey(), Task: j.Task, OnLost: j.OnLost, Retry: j.Retry,
			Timeout: time.Duration(j.Timeout), Args: j.Args,
		},
	}, nil
}

// parseTrigger parses a document once for all jobs that have the same.
func parseTrigger(doc string, known *cache[trigger.Trigger]) (t trigger.Trigger, err error) {
	if t, ok := known.get(doc); ok {
		return t, nil
	}
	defer recoverTrigger(&err)
	t, err = trigger.Parse([]byte(doc))
	if err != nil {
		return nil, err
	}
	known.put(doc, t, len(doc))
	return t, nil
}

// errTriggerPanic is what a panic inside a trigger becomes.
var errTriggerPanic = errors.New("trigger panicked")

func recoverTrigger(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("scheduler: %w: %v", errTriggerPanic, r)
	}
}

// decideSafely is decide for triggers that may panic.
func decideSafely(r rules, h store.Header, runTime, now int64, sofar tally, b *budget) (d decision, rest tally, done bool, err error) {
	defer recoverTrigger(&err)
	return decide(r, h, runTime, now, sofar, b)
}

// size is about how many bytes a compiled job keeps in memory.
func (c *compiled) size() int { return len(c.message.Args) + len(c.id) + len(c.uid) }
