package history

import (
	"fmt"
	"time"
)

// Usage is how many goroutines a process had, by its own metrics: before anything was done to the
// cluster, and in the end, when nothing ran any more. Before is 0 of a process that came later, After of
// one that is gone.
type Usage struct {
	Node   string `json:"node"`
	Before int    `json:"before,omitempty"`
	After  int    `json:"after"`
}

// spareGoroutines is how many more a process may have in the end: two of each connection that the 64
// places of an executor keep open, and those of an office.
const spareGoroutines = 2*64 + 72

// checkLeaks: no process has many more goroutines in the end than it, or any other, had before.
func checkLeaks(h History) (bad []Breach) {
	most := 0
	for _, u := range h.Usage {
		most = max(most, u.Before)
	}
	for _, u := range h.Usage {
		before := u.Before
		if before == 0 {
			before = most
		}
		if most > 0 && u.After > before+spareGoroutines {
			bad = append(bad, breach(NothingLeft, u.Node, "%d goroutines, and before there were %d", u.After, before))
		}
	}
	return bad
}

// OnTime returns a breach for each due time after from, up to until, that had no execution within the
// bound, whatever faults went on. It is asked when a fault has healed while others go on.
func (h History) OnTime(from, until time.Time, bound time.Duration) (bad []Breach) {
	first := map[instant]time.Time{}
	for _, e := range h.Executions {
		if at, ok := first[e.instant()]; !ok || e.Arrived.Before(at) {
			first[e.instant()] = e.Arrived
		}
	}
	for _, j := range h.Jobs {
		for _, due := range j.Times(until) {
			if !due.After(from) || j.Unseen || j.MaySkip {
				continue
			}
			subject := fmt.Sprint(instantOf(j.ID, due))
			switch at, ok := first[instantOf(j.ID, due)]; {
			case !ok:
				bad = append(bad, breach(OnTime, subject, "did not run, although what it needs was whole again"))
			case at.Sub(due) > bound:
				bad = append(bad, breach(OnTime, subject, "began %s after it was due, although what it needs was whole again", at.Sub(due)))
			}
		}
	}
	return bad
}
