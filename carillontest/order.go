package carillontest

import (
	"cmp"
	"strings"
)

// compareRuns orders calls that the scheduler of goroutines may have put in any order.
func compareRuns(a, b RunRecord) int {
	return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.JobID, b.JobID),
		a.ScheduledTime.Compare(b.ScheduledTime), cmp.Compare(a.Attempt, b.Attempt))
}
