package model

// The largest space that a state has room for.
const (
	maxJobs  = 2
	maxTimes = 3
	maxRuns  = maxJobs * maxTimes
	places   = 6 // entries in the stream
)

// State is the whole world at one moment: etcd, Redis, the processes, what is under way between
// them, and what only the invariants look at. It is a value, of bytes only.
type State struct {
	// Left is what may still go wrong.
	Left Faults
	// Clock is how many due times have come, by Redis TIME. Time i of a job is due once Clock > i.
	Clock uint8

	// etcd: the next create revision. Keys of candidates are in Leaders.
	Rev uint8

	// Redis.
	Fence   uint8
	Jobs    [maxJobs]Job
	Stream  [places]Entry
	Running [maxRuns]Hold
	Delayed [maxRuns]Message
	Waiting [maxRuns]Message
	Slots   [maxJobs]uint8
	Ops     uint8 // answers to client mutations, a bit per op id

	Leaders   [2]Leader
	Executors [2]Executor
	Client    Client
	// Strays are calls whose answer nobody awaits: of a process that is gone, or sent twice. Each
	// is carried out at some time, or never.
	Strays [2]Call

	// What the invariants remember.
	First   uint16 // bit r: revision r was once that of the first candidate
	Highest uint8  // term that a script was accepted with
	Fates   [maxRuns]Fate
	Breach  Breach
}

// Faults is how often each thing may go wrong, or be done by a user.
type Faults struct {
	Crashes  uint8 // of a leader or an executor
	Resends  uint8 // calls sent twice: the first answer was lost, or one copy arrives late
	Expiries uint8 // of a lease whose process lives: etcd session, membership, or run; or idle entries
	Failures uint8 // of a handler, after which the run is tried again
	Stops    uint8 // forced shutdowns, at which an executor hands back what it runs
}

// Job is one incarnation of a job in jobs and run_times: its uid is its index.
type Job struct {
	Stage   Stage
	Version uint8
	Next    uint8 // index of its next one: what run_times holds
}

// Stage is where a job is in its life.
type Stage uint8

// The stages of a job.
const (
	Absent Stage = iota
	Stored
	Removed  // its uid is in removed
	Finished // dispatched for the last time
)

// Message is what a run is sent with. The zero value is none: attempts begin at 1. More is how many runs, of
// the due times that come next, follow it in its slot.
type Message struct{ Attempt, Lost, More uint8 }

// rest is what follows the first run of m.
func (m Message) rest() Message { return Message{Attempt: 1, More: m.More - 1} }

// Entry is a message in the stream, or a nudge. ID is 0 where there is none.
type Entry struct {
	ID     uint8
	Run    uint8 // of a nudge: the slot
	Nudge  bool
	Holder uint8 // the consumer that it is pending for, 0 = not delivered
	Message
}

// Hold is a value of running, and its lease.
type Hold struct {
	Owner  Token // 0 = the run is not in running
	Ended  bool  // its lease lies in the past
	Cancel bool  // somebody asked to cancel it
	Message
}

// Token names one attempt to start: a consumer and a nonce, chosen before sending.
type Token uint8

func (t Token) consumer() uint8 { return uint8(t) >> 2 }

// Phase is what a process is doing.
type Phase uint8

// The phases of processes.
const (
	Dead Phase = iota
	Idle
	Candidate // its key is written, Campaign has not returned
	Won       // Campaign has returned nil
	InOffice  // and awaits no answer
	Calling   // a script of the leader, the client or of start is under way
	Executing // the handler runs
	Finishing // finish is under way
)

// Leader is a process as a candidate and in office.
type Leader struct {
	Phase Phase
	Key   uint8 // create revision of its key in etcd, 0 = there is none
	Term  uint8 // what Campaign said
	Call  Call
}

// Executor is a process as a consumer. It does one thing at a time.
type Executor struct {
	Phase    Phase
	Consumer uint8 // node id and boot id
	Member   bool  // its membership is in etcd
	Run      uint8
	More     uint8 // runs that follow it in its slot
	Owner    Token
	Void     bool // the lease of what it does has ended
	Call     Call
}

// Client does the edits of [Bounds], one after another.
type Client struct {
	Phase Phase
	Done  uint8
	Call  Call
}

// Script names the Lua file in store/lua that a call stands for.
type Script uint8

// The scripts that are modelled.
const (
	None Script = iota
	TakeOffice
	Dispatch
	Recover
	Reclaim
	Promote
	Start
	Next
	Finish
	Update
	Remove
	Add
	Cancel
	Withdraw
)

// Call is a script with its arguments, as it was sent. Unused arguments are 0.
type Call struct {
	Script   Script
	Term     uint8 // of the leader that sent it
	Job      uint8
	Version  uint8 // of the header that was read
	From     uint8 // next time of the header that was read
	Upto     uint8 // the clock when it was read
	Run      uint8
	Message  Message
	Owner    Token
	Consumer uint8
	Entry    uint8
	Flag     bool // Recover: revoke a lease that has not ended. Finish: try the run again
	Back     bool // Finish: hand the run back, with all that follows it
	Place    Place
	Op       uint8
}

// Place is where the client found the run that it cancels.
type Place uint8

// The places of runs that have not started.
const (
	InStream Place = iota
	InDelayed
	InWaiting
)

// Fate is what became of a run, as outside evidence would show it.
type Fate struct {
	Dispatches uint8
	Ends       uint8 // outcomes that were accepted
	Skipped    bool  // folded into a later run: recorded, never dispatched
	Asked      bool  // its cancellation was acknowledged, or it was replaced
}

// Breach is a broken rule that only the step itself shows.
type Breach uint8
