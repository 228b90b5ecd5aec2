package history

import "time"

// Move is one move of one run between the places of the store (stream, running, behind, delayed,
// waiting), as Redis's append-only file tells. Behind is a run that follows another in its slot. A
// run enters from "" when it is dispatched or enqueued and leaves to "" when it has ended; several
// places at once, which must not be, are joined by "+". What one script did has one Step.
type Move struct {
	Step      int       `json:"step"`
	At        time.Time `json:"at"` // by Redis's clock, or that of the last step that told it
	RunID     string    `json:"run_id"`
	JobID     string    `json:"job_id"`
	Scheduled time.Time `json:"scheduled"`
	Due       time.Time `json:"due"` // with jitter
	From      string    `json:"from,omitempty"`
	To        string    `json:"to,omitempty"`
	Attempt   int       `json:"attempt"`         // the one that runs, or ran, or is to run next
	Node      string    `json:"node,omitempty"`  // whose running it is, or was; of a dispatch, who made it
	Lease     time.Time `json:"lease,omitzero"`  // of the attempt that left running; zero = it had none
	Term      int64     `json:"term,omitempty"`  // under which the dispatch says it was made
	Fence     int64     `json:"fence,omitempty"` // the highest term that Redis had accepted by then
	Max       int       `json:"max,omitempty"`   // max_instances; 0 = it takes no slot
	Held      int       `json:"held,omitempty"`  // runs of its slot in running, after the step
	Counter   int       `json:"counter,omitempty"`
	Outcomes  []string  `json:"outcomes,omitempty"` // of the history rows that the step wrote for the run
	Lost      bool      `json:"lost,omitempty"`     // the step says that its attempt was lost
}

// Skip is a row that the store's history holds for times that had no run of their own: Count times
// from From to Until.
type Skip struct {
	At      time.Time `json:"at"`
	JobID   string    `json:"job_id"`
	Outcome string    `json:"outcome"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	Count   int       `json:"count"`
	Cause   string    `json:"cause,omitempty"`
}

// Fence is a term that Redis accepted.
type Fence struct {
	Step int       `json:"step"`
	At   time.Time `json:"at"`
	Term int64     `json:"term"`
	Part string    `json:"part"` // the partition's key prefix
}
