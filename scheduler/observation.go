package scheduler

import (
	"time"

	"github.com/carillon-project/carillon/job"
)

// Observation is what one step of the loop did in one partition; fields that do not apply are zero.
// Sums over all observations are what was done, except that a dispatch whose reply was lost is not
// observed.
type Observation struct {
	Partition  int
	Dispatched int                   // runs put into streams
	Lateness   []time.Duration       // of each of them, from its due time to its dispatch
	Skipped    map[job.Outcome]int64 // due times that did not run: missed, coalesced
	Parked     int                   // jobs taken out of the schedule because they cannot be used
	Promoted   int                   // delayed runs put back into streams
	Recovered  int                   // runs taken from nodes whose leases ended
	Rescued    int                   // runs taken from processes that are proven gone
	Reclaimed  int                   // entries put back that a consumer had fetched and not started
	Foreseen   int                   // jobs read before they were due
	Followed   int                   // jobs given another next time, or parked, since calendars changed
	RolledBack int                   // times that Redis was seen to have lost its latest writes
	Ahead      int                   // by how many the jobs grew that fired while Redis's clock was ahead; negative when they were mended
	Repairs    []string              // what the audit mended; it must stay empty
}
