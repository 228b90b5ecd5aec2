package job

import (
	"encoding/json"
	"time"
)

// Job is a stored definition: what to run, when, and how. Task and Trigger are required; an empty
// ID is given a UUID when the job is added. Fields left at their zero value take the defaults of
// whoever adds the job, see Options.
type Job struct {
	ID      string          `json:"id,omitempty"`
	Name    string          `json:"name,omitempty"`
	Task    string          `json:"task"`
	Args    json.RawMessage `json:"args,omitempty"`
	Trigger json.RawMessage `json:"trigger"` // a trigger document, see package trigger

	Executor string `json:"executor,omitempty"` // default "default"
	Store    string `json:"store,omitempty"`    // default "default"
	Options
	Key         string            `json:"key,omitempty"`      // jobs with the same key share one max_instances limit; default the id
	MaxRuns     int               `json:"max_runs,omitempty"` // the job ends after so many dispatched runs; 0 = no limit
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	NextRunTime NextRun           `json:"next_run_time,omitzero"`

	// Ended is why a job has ended and is not stored any more, in the answer of a call that found it so.
	// It is refused in a document.
	Ended string `json:"ended,omitempty"`
}

// Options are the settings that have defaults per node or client as well as per job.
// A zero field means "not said".
type Options struct {
	Coalesce         Coalesce `json:"coalesce,omitempty"`           // default latest
	MisfireGraceTime Grace    `json:"misfire_grace_time,omitempty"` // default GraceNone
	MaxInstances     int      `json:"max_instances,omitempty"`      // default 1
	Overlap          Overlap  `json:"overlap,omitempty"`            // default skip
	OnLost           OnLost   `json:"on_lost,omitempty"`            // default rerun
	Retry            Retry    `json:"retry,omitzero"`               // default 1 attempt
	Timeout          Duration `json:"timeout,omitempty"`            // default none
}

// Or fills what o leaves unsaid from defaults, field by field.
func (o Options) Or(defaults Options) Options {
	if o.Coalesce == "" {
		o.Coalesce = defaults.Coalesce
	}
	if o.MisfireGraceTime == 0 {
		o.MisfireGraceTime = defaults.MisfireGraceTime
	}
	if o.MaxInstances == 0 {
		o.MaxInstances = defaults.MaxInstances
	}
	if o.Overlap == "" {
		o.Overlap = defaults.Overlap
	}
	if o.OnLost == "" {
		o.OnLost = defaults.OnLost
	}
	if o.Retry.MaxAttempts == 0 {
		o.Retry = defaults.Retry
	}
	if o.Timeout == 0 {
		o.Timeout = defaults.Timeout
	}
	return o
}

// BuiltIn are the defaults that apply when neither the job nor its adder says otherwise.
func BuiltIn() Options {
	return Options{
		Coalesce:         CoalesceLatest,
		MisfireGraceTime: GraceNone,
		MaxInstances:     1,
		Overlap:          OverlapSkip,
		OnLost:           OnLostRerun,
		Retry:            Retry{MaxAttempts: 1},
	}
}

// DefaultName is the executor and store a job uses when it names none.
const DefaultName = "default"

// WithDefaults returns the job with every unsaid field filled: from defaults first, from BuiltIn
// after that. The id is left alone.
func (j Job) WithDefaults(defaults Options) Job {
	j.Options = j.Or(defaults).Or(BuiltIn())
	if j.Executor == "" {
		j.Executor = DefaultName
	}
	if j.Store == "" {
		j.Store = DefaultName
	}
	if j.Name == "" {
		j.Name = j.Task
	}
	return j
}

// WithoutDefaults returns the job with every field unsaid that has its built-in default, which WithDefaults
// with no defaults of its own fills again.
func (j Job) WithoutDefaults() Job {
	built := BuiltIn()
	unsay(&j.Coalesce, built.Coalesce)
	unsay(&j.MisfireGraceTime, built.MisfireGraceTime)
	unsay(&j.MaxInstances, built.MaxInstances)
	unsay(&j.Overlap, built.Overlap)
	unsay(&j.OnLost, built.OnLost)
	unsay(&j.Retry, built.Retry)
	unsay(&j.Executor, DefaultName)
	unsay(&j.Store, DefaultName)
	unsay(&j.Name, j.Task)
	return j
}

func unsay[V comparable](field *V, usual V) {
	if *field == usual {
		var none V
		*field = none
	}
}

// SlotKey is what max_instances counts: the key if there is one, else the id.
func (j Job) SlotKey() string {
	if j.Key != "" {
		return j.Key
	}
	return j.ID
}

// Run is one firing as a handler sees it.
type Run struct {
	ID            string          `json:"run_id"`
	Store         string          `json:"store"`
	JobID         string          `json:"job_id"` // "@task" for an ad-hoc run
	Task          string          `json:"task"`
	Executor      string          `json:"executor"`
	ScheduledTime time.Time       `json:"scheduled_time"`
	Attempt       int             `json:"attempt"` // counted from 1; lost attempts count here
	Node          string          `json:"node"`
	Args          json.RawMessage `json:"args,omitempty"`
}
