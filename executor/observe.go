package executor

import (
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// Observed says what an Observation is of.
type Observed string

// What is observed.
const (
	// ObservedStart: a run has started for the first time. Lateness applies. Runs that follow
	// another in its slot are not observed so.
	ObservedStart Observed = "start"
	// ObservedEnd: the store has taken the outcome of an attempt. Outcome, Retrying, Duration and
	// Result apply.
	ObservedEnd Observed = "end"
	// ObservedRefused: the store has refused an outcome, since the run was not this node's any
	// more. Outcome and Duration apply. An outcome whose first acceptance was lost on its way back
	// may be counted here as well.
	ObservedRefused Observed = "refused"
	// ObservedDropped: the lease ended before the store could be told the outcome, or before the
	// handler returned: then there is no Outcome. Duration applies.
	ObservedDropped Observed = "dropped"
)

// Observation is something to measure. Fields that do not apply are zero.
type Observation struct {
	What     Observed
	Store    string
	Executor string
	Task     string
	RunID    string
	Lateness time.Duration // from the due time to the start, by the clock of Redis
	Outcome  job.Outcome
	Retrying bool          // the run will be tried again, or goes to another node
	Duration time.Duration // of the handler
	Result   any           // what the handler returned
}

func (l *line) observe(what Observed, m *store.Message, o Observation) {
	o.What, o.Store, o.Executor, o.Task, o.RunID = what, l.storeName, l.cfg.Name, m.Task, m.Runs[0].ID
	l.cfg.Observe(o)
}

// tell raises an event of one run of m.
func (l *line) tell(kind job.EventKind, m *store.Message, run store.MessageRun, cause string) {
	l.cfg.Listen(job.Event{
		Kind: kind, Time: l.cfg.Now().UTC(), Store: l.storeName, JobID: m.JobID, RunID: run.ID,
		ScheduledTime: time.UnixMilli(run.Scheduled).UTC(), Attempt: m.Attempt, Node: l.cfg.Node, Cause: cause,
	})
}

func (l *line) tellAll(kind job.EventKind, m *store.Message, runs []store.MessageRun, cause string) {
	for _, r := range runs {
		l.tell(kind, m, r, cause)
	}
}
