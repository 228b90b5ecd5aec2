package model

// Bounds is the space to explore. Its zero value has no jobs.
type Bounds struct {
	Jobs  int // stored at the beginning, at most 2
	Times int // due times of each, at most 3
	// Shared has both jobs share one slot (`key`).
	Shared bool
	// Queue has attempts beyond max_instances wait in line (`overlap: queue`); else they are skipped.
	Queue bool
	// Replace has them wait in line and cancel the run that has the slot (`overlap: replace`).
	Replace bool
	// All has due times that are dispatched in one step share a message (`coalesce: all`).
	All bool
	// Drop closes a run when it is lost for the first time (`on_lost: drop`).
	Drop bool
	// Max is max_instances; 0 = 1.
	Max uint8
	// MaxLost is after how many losses a run is closed.
	MaxLost uint8
	Faults  Faults
	// Edits are done by a client one after another, at any time.
	Edits []Edit
	// Variant is what is left out of the protocol; the zero value leaves out nothing.
	Variant Variant
}

// maxInstances is how many runs of a slot may run at once.
func (p Protocol) maxInstances() uint8 { return max(1, p.Max) }

// Edit is what a client does to job 0.
type Edit uint8

// The edits. AddAgain stores job 1 under the id of job 0, which must have been removed before. CancelRun
// cancels the earliest run that has not ended.
const (
	Modify Edit = iota
	RemoveJob
	AddAgain
	CancelRun
)

// Variant is a protocol with one check left out.
type Variant uint8

// The variants: what each leaves out.
const (
	Whole           Variant = iota
	NoFence                 // dispatch does not compare the term
	NoTermOrder             // take_office takes a lower term
	NoPendingCheck          // start acts on entries that are not in the consumer's own pending list
	NoOwnerCheck            // finish ends whoever is in running
	UngatedCounter          // finish gives the slot back whether or not it removed the run
	NoVersion               // dispatch compares the run time, not uid and version
	NoCompare               // dispatch compares nothing of the header
	Unverified              // what Campaign returns is taken for an office
	MembershipOnly          // recover revokes leases because a membership ended
	NoReclaim               // nobody puts back what a consumer fetched and did not start
	NoOps                   // client mutations keep no answer under an op id
	RecoverAnyOwner         // recover does not compare the owner that was read
	HandBackEndsOne         // finish ends the first run alone of what is handed back after its job was removed
	CancelRetried           // finish tries a run again that was asked to cancel
	CancelLost              // recover closes a run that was asked to cancel as lost, and so as dead
	CancelDropsRest         // finish forgets what follows a cancelled run that was handed back
	NextAskedOnce           // an executor whose call of next has no answer goes on with something else
	NextAnyNudge            // next does not look whether its nudge is pending for the consumer
	ResentIfGone            // finish tells what follows again only while the run is nowhere in running
)

// Protocol is the machine that [Explore] takes: Carillon's protocol within bounds.
type Protocol struct{ Bounds }

var _ Machine[State] = Protocol{}

// Initial has every process up, nobody in office, and the jobs stored.
func (p Protocol) Initial() State {
	s := State{Left: p.Faults, Rev: 1}
	for i := range p.Jobs {
		s.Jobs[i] = Job{Stage: Stored, Version: 1}
	}
	for i := range s.Leaders {
		s.Leaders[i] = Leader{Phase: Idle}
		s.Executors[i] = Executor{Phase: Idle, Consumer: uint8(i + 1), Member: true}
	}
	s.Client.Phase = Idle
	return s
}

// Good has nothing left to do: every job at its end, every run in the history, nothing held.
func (p Protocol) Good(s State) bool {
	for _, j := range s.Jobs {
		if j.Stage == Stored {
			return false
		}
	}
	for run, f := range s.Fates {
		if f.Dispatches > 0 && f.Ends == 0 || s.Running[run].Owner != 0 || s.Delayed[run].Attempt != 0 || s.Waiting[run].Attempt != 0 {
			return false
		}
	}
	return s.Stream == [places]Entry{} && s.Slots == [maxJobs]uint8{}
}

// Steps are those of time, of etcd, of each process, and of what is under way.
func (p Protocol) Steps(s State, take func(Step, State)) {
	p.world(s, take)
	for i := range s.Leaders {
		p.election(s, i, take)
		p.office(s, i, take)
	}
	for i := range s.Executors {
		p.executor(s, i, take)
	}
	p.client(s, take)
}

// runOf is the run of a job at a due time, and jobOf its job. A run is made of nothing else, so a
// dispatch that is resent is the same run.
func runOf(job, time uint8) uint8        { return job*maxTimes + time }
func (p Protocol) jobOf(run uint8) uint8 { return run / maxTimes }

// slotOf is the slot of a job: its own, or job 0's when they share one or are one id.
func (p Protocol) slotOf(job uint8) uint8 {
	if p.Shared || p.Jobs == 1 {
		return 0
	}
	return job
}

// idOf is the id of an incarnation: with one job at the beginning the second is stored under its id.
func (p Protocol) idOf(job uint8) uint8 {
	if p.Jobs == 1 {
		return 0
	}
	return job
}

// storedAs returns the incarnation that is stored under the id of job.
func (p Protocol) storedAs(s *State, job uint8) (uint8, bool) {
	for i := range s.Jobs {
		if s.Jobs[i].Stage == Stored && p.idOf(uint8(i)) == p.idOf(job) {
			return uint8(i), true
		}
	}
	return 0, false
}
