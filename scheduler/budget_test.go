package scheduler

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// dear is a trigger of which each time costs a step; asked counts them.
type dear struct{ asked *int }

func (d dear) Next(t time.Time) time.Time {
	*d.asked++
	return t.Truncate(time.Second).Add(time.Second)
}

// A pass over many jobs with coalesce "all" makes no more steps than its budget and what is free, and takes
// up the rest where it left off.
func TestKeepingAllSpendsTheBudget(t *testing.T) {
	const jobs, now = 50, int64(5_000_000)
	asked := 0
	r := rules{trigger: dear{&asked}, coalesce: job.CoalesceAll, grace: -1}
	tallies, decided := make([]tally, jobs), 0
	for pass := 0; decided < jobs; pass++ {
		asked = 0
		b := &budget{left: 2_500}
		decided = 0
		held := 0
		for i := range tallies {
			d, rest, done, err := decide(r, store.Header{Next: 1000}, 1000, now, tallies[i], b)
			if err != nil {
				t.Fatal(err)
			}
			if tallies[i] = rest; done {
				decided++
				if len(d.runs) != MaxRuns || d.runs[0].nominal != 1000 || d.last != int64(MaxRuns)*1000 || !d.more {
					t.Fatalf("job %d: %d runs to %d, more %t", i, len(d.runs), d.last, d.more)
				}
				tallies[i].runs = d.runs[:MaxRuns-1] // so that it takes a step in the next pass
			}
			held += min(len(rest.runs), 1)
		}
		if most := 2_500 + jobs*(freeSteps+4); asked > most {
			t.Fatalf("pass %d asked for %d times, at most %d are in its budget", pass, asked, most)
		}
		if pass > jobs {
			t.Fatalf("%d of %d decided after %d passes, %d under way", decided, jobs, pass, held)
		}
	}
}
