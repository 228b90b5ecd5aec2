package carillon

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// The words of package job, so that most programs import carillon alone.
type (
	// Job is a stored definition: id, task, args, trigger, options.
	Job = job.Job
	// Options are the settings that have defaults per node, per client and per job.
	Options = job.Options
	// Run is one firing, as a handler sees it.
	Run = job.Run
	// Event is one entry of the cluster's log.
	Event = job.Event
	// EventKind names what happened.
	EventKind = job.EventKind
	// EventMask is a set of event kinds.
	EventMask = job.EventMask
	// Row is one line of a job's history.
	Row = job.Row
	// Retry says how often a failed run is tried again.
	Retry = job.Retry
	// Duration is a time.Duration that reads and prints as "30s".
	Duration = job.Duration
	// Grace is a misfire_grace_time.
	Grace = job.Grace
)

// Values that programs name often; package job has them all.
const (
	CoalesceLatest   = job.CoalesceLatest
	CoalesceEarliest = job.CoalesceEarliest
	CoalesceAll      = job.CoalesceAll
	OverlapSkip      = job.OverlapSkip
	OverlapQueue     = job.OverlapQueue
	OverlapReplace   = job.OverlapReplace
	OnLostRerun      = job.OnLostRerun
	OnLostDrop       = job.OnLostDrop
	GraceNone        = job.GraceNone

	SchedulerStarted  = job.SchedulerStarted
	SchedulerShutdown = job.SchedulerShutdown
	JobAdded          = job.JobAdded
	JobRemoved        = job.JobRemoved
	JobSubmitted      = job.JobSubmitted
	JobStarted        = job.JobStarted
	JobExecuted       = job.JobExecuted
	JobError          = job.JobError
	JobMissed         = job.JobMissed
	JobMaxInstances   = job.JobMaxInstances
	JobCoalesced      = job.JobCoalesced
	AllEvents         = job.AllEvents
)

// Errors to branch on with errors.Is. What carries them says what to do.
var (
	ErrConflictingID   = store.ErrConflictingID
	ErrJobNotFound     = store.ErrJobNotFound
	ErrRunNotFound     = store.ErrRunNotFound
	ErrRunFollows      = store.ErrRunFollows
	ErrLineFull        = store.ErrLineFull
	ErrUnknownExecutor = store.ErrUnknownExecutor
	ErrUnknownTask     = store.ErrUnknownTask
	ErrUnknownStore    = store.ErrUnknownStore
	ErrStoreLost       = store.ErrStoreLost
	ErrNotInitialised  = store.ErrNotInitialised
	ErrNotReplicated   = store.ErrNotReplicated // the call was carried out, see ClientConfig.WaitReplicas
	ErrUnreachable     = store.ErrUnreachable
	ErrInvalidJob      = job.ErrInvalid
	ErrInvalidTrigger  = trigger.ErrInvalid

	ErrCalendarNotFound = store.ErrCalendarNotFound
	ErrCalendarInUse    = store.ErrCalendarInUse
	ErrCalendarConflict = errors.New("conflicting calendar")
	ErrInvalidCalendar  = errors.New("invalid calendar")
)

// Every is the trigger document of an interval: the first firing is one interval after the add.
func Every(d time.Duration) json.RawMessage { return trigger.Every(d) }

// Cron is the trigger document of a crontab expression of 5 or 6 fields, in UTC.
func Cron(expr string) json.RawMessage { return trigger.Cron(expr) }

// At is the trigger document of a single firing.
func At(t time.Time) json.RawMessage { return trigger.At(t) }

// Mask is the set of the given event kinds.
func Mask(kinds ...EventKind) EventMask { return job.Mask(kinds...) }

// Args makes the args of a job from a Go value. It returns JSON null when v cannot be encoded,
// which a handler then refuses.
func Args(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return b
}

// Permanent marks an error of a handler as final: no retry is made of the run.
func Permanent(err error) error { return executor.Permanent(err) }
