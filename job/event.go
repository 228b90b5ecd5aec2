package job

import (
	"fmt"
	"time"
)

// EventKind names what happened. Within one run the order is submitted < started < outcome.
type EventKind string

// The kinds of events, cluster-wide. JobExecuted to JobCancelled end a run or an attempt.
const (
	SchedulerStarted  EventKind = "scheduler_started"
	SchedulerShutdown EventKind = "scheduler_shutdown"
	SchedulerPaused   EventKind = "scheduler_paused"
	SchedulerResumed  EventKind = "scheduler_resumed"
	LeaderElected     EventKind = "leader_elected"
	LeaderLost        EventKind = "leader_lost"
	NodeJoined        EventKind = "node_joined"
	NodeLost          EventKind = "node_lost"
	ExecutorAdded     EventKind = "executor_added"
	ExecutorRemoved   EventKind = "executor_removed"
	ExecutorPaused    EventKind = "executor_paused"  // Cause begins with the executor's name
	ExecutorResumed   EventKind = "executor_resumed" // Cause begins with the executor's name
	JobAdded          EventKind = "job_added"
	JobModified       EventKind = "job_modified"
	JobPaused         EventKind = "job_paused"
	JobResumed        EventKind = "job_resumed"
	JobRemoved        EventKind = "job_removed"
	AllJobsRemoved    EventKind = "all_jobs_removed"
	JobParked         EventKind = "job_parked"
	JobSubmitted      EventKind = "job_submitted"
	JobStarted        EventKind = "job_started"
	JobExecuted       EventKind = "job_executed"
	JobError          EventKind = "job_error"
	JobMissed         EventKind = "job_missed"
	JobMaxInstances   EventKind = "job_max_instances"
	JobCoalesced      EventKind = "job_coalesced"
	JobRetrying       EventKind = "job_retrying"
	JobLost           EventKind = "job_lost"
	JobCancelled      EventKind = "job_cancelled"
	StoreReplaced     EventKind = "store_replaced"    // the Redis of a store is another now, or empty
	StoreRolledBack   EventKind = "store_rolled_back" // Redis has lost the latest writes of a store
	TermRegressed     EventKind = "term_regressed"    // etcd was rebuilt or restored
)

// EventKinds lists every kind, in the order of their declaration. A kind's place in it is its bit
// in an EventMask.
func EventKinds() []EventKind {
	return []EventKind{
		SchedulerStarted, SchedulerShutdown, SchedulerPaused, SchedulerResumed, LeaderElected,
		LeaderLost, NodeJoined, NodeLost, ExecutorAdded, ExecutorRemoved, ExecutorPaused,
		ExecutorResumed, JobAdded, JobModified,
		JobPaused, JobResumed, JobRemoved, AllJobsRemoved, JobParked, JobSubmitted, JobStarted,
		JobExecuted, JobError, JobMissed, JobMaxInstances, JobCoalesced, JobRetrying, JobLost,
		JobCancelled, StoreReplaced, StoreRolledBack, TermRegressed,
	}
}

// EventMask is a set of event kinds, as a listener asks for them. The zero value is the empty set.
type EventMask uint64

// AllEvents is the mask that hears everything.
const AllEvents EventMask = 1<<64 - 1

// Mask returns the set of the given kinds. Kinds that do not exist add nothing.
func Mask(kinds ...EventKind) EventMask {
	var m EventMask
	for _, k := range kinds {
		m |= kindBits[k]
	}
	return m
}

// kindBits are the sets of one kind each.
var kindBits = bitsOf(EventKinds())

func bitsOf(kinds []EventKind) map[EventKind]EventMask {
	bits := make(map[EventKind]EventMask, len(kinds))
	for i, k := range kinds {
		bits[k] = 1 << i
	}
	return bits
}

// Has reports whether the mask holds the kind.
func (m EventMask) Has(kind EventKind) bool { return m&Mask(kind) != 0 }

// Event is one entry of the cluster's log. Fields that do not apply are empty.
type Event struct {
	Kind          EventKind
	Time          time.Time // by the clock of Redis for events of the store
	Store         string
	JobID         string
	RunID         string
	ScheduledTime time.Time
	Attempt       int
	Node          string
	Term          int64
	Cause         string
}

// MarshalJSON prints the shape outside programs read: times RFC 3339 UTC with milliseconds, and
// what does not apply left out.
func (e Event) MarshalJSON() ([]byte, error) { return marshalNoEscape(e.wire()) }

type eventWire struct {
	Event         EventKind `json:"event"`
	Time          string    `json:"time"`
	Store         string    `json:"store,omitempty"`
	JobID         string    `json:"job_id,omitempty"`
	RunID         string    `json:"run_id,omitempty"`
	ScheduledTime string    `json:"scheduled_time,omitempty"`
	Attempt       int       `json:"attempt,omitempty"`
	Node          string    `json:"node,omitempty"`
	Term          int64     `json:"term,omitempty"`
	Cause         string    `json:"cause,omitempty"`
}

func (e Event) wire() eventWire {
	w := eventWire{
		Event: e.Kind, Time: FormatTime(e.Time), Store: e.Store, JobID: e.JobID, RunID: e.RunID,
		Attempt: e.Attempt, Node: e.Node, Term: e.Term, Cause: e.Cause,
	}
	if !e.ScheduledTime.IsZero() {
		w.ScheduledTime = FormatTime(e.ScheduledTime)
	}
	return w
}

// String is one readable line, for logs and terminals.
func (e Event) String() string {
	s := fmt.Sprintf("%s %s", FormatTime(e.Time), e.Kind)
	if e.JobID != "" {
		s += " job=" + e.JobID
	}
	if e.RunID != "" {
		s += " run=" + e.RunID
	}
	if e.Attempt > 1 {
		s += fmt.Sprintf(" attempt=%d", e.Attempt)
	}
	if e.Node != "" {
		s += " node=" + e.Node
	}
	if e.Term != 0 {
		s += fmt.Sprintf(" term=%d", e.Term)
	}
	if e.Cause != "" {
		s += fmt.Sprintf(" cause=%q", e.Cause)
	}
	return s
}
