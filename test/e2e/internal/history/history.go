package history

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// History is the evidence of one test. The zero value is the history in which nothing happened.
type History struct {
	Name        string       `json:"name"`
	Seed        uint64       `json:"seed"`
	Jobs        []Job        `json:"jobs"`
	Executions  []Execution  `json:"executions"` // in order of arrival
	Faults      []Fault      `json:"faults"`     // in order of time
	Terms       []Term       `json:"terms"`      // in the order etcd told them
	Submissions []Submission `json:"submissions"`
	Outcomes    []Outcome    `json:"outcomes"`
	Pause       Pause        `json:"pause"`

	// From the append-only file; absent when nobody read it.
	Moves  []Move  `json:"moves,omitempty"`
	Skips  []Skip  `json:"skips,omitempty"`
	Fences []Fence `json:"fences,omitempty"`

	Ops    []Op     `json:"ops,omitempty"` // changes of jobs after their add, in the order in which they were asked for
	Limits Limits   `json:"limits,omitzero"`
	Left   []string `json:"left,omitempty"` // what was found in the end that should have gone
	Usage  []Usage  `json:"usage,omitempty"`
}

// Job is a job as it was defined: due at First and every interval after it. Every zero means once.
type Job struct {
	ID           string        `json:"id"`
	First        time.Time     `json:"first"`
	Every        time.Duration `json:"every_ns"`
	MaxInstances int           `json:"max_instances,omitempty"` // 0 = overlap is not judged
	Unseen       bool          `json:"unseen,omitempty"`        // no receiver sees its runs
	MaySkip      bool          `json:"may_skip,omitempty"`      // a row of the store's history stands for a run
	Behind       bool          `json:"behind,omitempty"`        // it was added after First: how late its runs are is not judged
}

// Limits are how late a run may be. The zero value judges nothing.
type Limits struct {
	Calm    time.Duration `json:"calm_ns"`    // when nothing is wrong
	Recover time.Duration `json:"recover_ns"` // how long after a fault was healed something may still be wrong
}

// Execution is one attempt of a run as the receiver of its request saw it.
type Execution struct {
	RunID     string    `json:"run_id"`
	JobID     string    `json:"job_id"`
	Scheduled time.Time `json:"scheduled"`
	Attempt   int       `json:"attempt"`
	Node      string    `json:"node,omitempty"` // the process that held the connection, if it could be told
	Arrived   time.Time `json:"arrived"`
	Ended     time.Time `json:"ended,omitzero"` // of the answer, or of the connection; zero while neither
	Answered  bool      `json:"answered"`       // the receiver answered while the connection lived
}

// FaultKind says what was done, and by that what it excuses.
type FaultKind string

// The faults. Those that may cost a run its attempt are told by excuses.
const (
	Killed    FaultKind = "kill"        // SIGKILL
	Told      FaultKind = "term"        // SIGTERM
	Suspended FaultKind = "stop"        // SIGSTOP from At, SIGCONT at Until
	RedisDown FaultKind = "redis down"  // the server was gone or did not serve
	RedisCut  FaultKind = "redis cut"   // a node could not reach Redis
	RedisBack FaultKind = "rolled back" // Redis lost the end of what it had acknowledged
	ReplyLost FaultKind = "reply lost"  // one reply of Redis to a node was lost
	EtcdCut   FaultKind = "etcd cut"    // a node could not reach etcd
	EtcdDown  FaultKind = "etcd down"   // members of etcd were gone
	Disturbed FaultKind = "disturbed"   // anything that excuses nothing: clocks, edits, load, poison
)

// excuses reports whether a fault of the kind may cost a run its attempt. An outage of etcd, a lost
// reply and a node that ends in peace may not.
func (k FaultKind) excuses() bool {
	switch k {
	case Killed, Suspended, RedisDown, RedisCut, RedisBack:
		return true
	}
	return false
}

// Fault is something that was done at a time, to a node or, when Node is empty, to all.
type Fault struct {
	Kind  FaultKind `json:"kind"`
	Node  string    `json:"node,omitempty"`
	At    time.Time `json:"at"`             // just before it was done
	Until time.Time `json:"until,omitzero"` // when it was over, if it lasted
	Term  int64     `json:"term,omitempty"` // the term the node held; 0 = it did not lead
}

// Term is one node's time in office as the election keys in etcd tell it.
type Term struct {
	Term int64     `json:"term"`
	Node string    `json:"node"`
	Seen time.Time `json:"seen"`
}

// Submission is one entry of the cluster's own event log: a run that was dispatched. It is the only
// evidence that comes from Carillon's scripts, and serves as a cross-check.
type Submission struct {
	RunID string `json:"run_id"`
	Node  string `json:"node"`
	Term  int64  `json:"term"`
}

// Outcome is a row that the store's history holds in the end.
type Outcome struct {
	JobID     string    `json:"job_id"`
	RunID     string    `json:"run_id"`
	Scheduled time.Time `json:"scheduled"`
	Outcome   string    `json:"outcome"`
	Attempt   int       `json:"attempt"`
	Node      string    `json:"node"`
}

// Pause is when the schedule was stopped. What was due less than Settle before Asked, or between
// Asked and Done, may have run; what is due after Done must not. The zero value is no pause: then
// nothing due after the last arrival less Settle is demanded.
type Pause struct {
	Asked time.Time `json:"asked,omitzero"`
	Done  time.Time `json:"done,omitzero"`
}

// Settle is how long before a pause a due time stops being demanded.
const Settle = time.Second

// Write stores the history as indented JSON.
func (h History) Write(path string) error {
	text, err := json.MarshalIndent(h, "", " ")
	if err != nil {
		return fmt.Errorf("history: encode: %w", err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("history: write: %w", err)
	}
	return nil
}

// Read returns a history that Write stored.
func Read(path string) (History, error) {
	var h History
	text, err := os.ReadFile(path)
	if err != nil {
		return h, fmt.Errorf("history: read: %w", err)
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, fmt.Errorf("history: read: %s: %w", path, err)
	}
	return h, nil
}
