package scheduler

import (
	"testing"

	"github.com/carillon-project/carillon/store"
)

// A look for jobs that are ahead is due when the office was taken, when the clock of Redis was set back, also while
// another led, and each minute while there are some.
func TestLookForJobsAhead(t *testing.T) {
	const hour = int64(3_600_000)
	a := ahead{}
	for _, step := range []struct {
		name      string
		now, last int64
		minute    bool
		found     int
		want      bool
	}{
		{"the office was taken", 10 * hour, 0, true, 0, true},
		{"nothing happened", 10*hour + 5_000, 10 * hour, false, 0, false},
		{"a minute has gone", 10*hour + 60_000, 10 * hour, true, 0, false},
		{"the clock went ahead", 13 * hour, 10*hour + 60_000, true, 0, false},
		{"a little back", 13*hour - 30_000, 13 * hour, false, 0, false},
		{"it was set back", 10*hour + 70_000, 13 * hour, true, 2, true},
		{"some were found, within the minute", 10*hour + 75_000, 10*hour + 70_000, false, 2, false},
		{"some were found, a minute later", 10*hour + 130_000, 10*hour + 70_000, true, 2, true},
		{"mended", 10*hour + 190_000, 10*hour + 130_000, true, 0, false},
		{"set back since the chores were noted", 9 * hour, 8 * hour, false, 0, true},
	} {
		a.found = step.found
		if got := a.due(store.Chores{Now: step.now, Last: step.last}, step.minute); got != step.want {
			t.Errorf("%s: due is %v, want %v", step.name, got, step.want)
		}
		a.looked = true
	}
}
