package history

import (
	"fmt"
	"slices"
	"time"
)

// Tally counts what happened, for people.
type Tally struct {
	Jobs       int
	Due        int // due times that are demanded
	Ran        int // of those, how many ran to their end, or may be skipped and were
	Skipped    int // of those, how many stand in a row of the store's history instead
	Lost       int // of those, how many did not
	Doubled    int // executions that nothing explains: another run id or the same attempt again
	Executions int
	Reruns     int // later attempts, of runs whose node was struck
	Kills      int
	Terms      int
	Late       time.Duration // the longest time from due to the first arrival
}

// Count tallies the history by the same rules that Check uses.
func Count(h History) Tally {
	t := Tally{Jobs: len(h.Jobs), Executions: len(h.Executions), Terms: len(h.Terms), Lost: len(checkLost(h)), Doubled: len(checkDoubled(h))}
	end := h.demanded()
	for _, j := range h.Jobs {
		t.Due += len(h.required(j, end))
	}
	t.Ran = t.Due - t.Lost
	t.Skipped = h.countSkipped(end)
	begun, behind := map[instant]bool{}, map[string]bool{}
	for _, j := range h.Jobs {
		behind[j.ID] = j.Behind
	}
	for _, e := range h.Executions {
		if e.Attempt > 1 {
			t.Reruns++
		}
		if !begun[e.instant()] && !behind[e.JobID] {
			begun[e.instant()] = true
			t.Late = max(t.Late, e.Arrived.Sub(e.Scheduled))
		}
	}
	for _, f := range h.Faults {
		if f.Kind == Killed {
			t.Kills++
		}
	}
	return t
}

// countSkipped is how many demanded times of jobs that may skip have a row and no run.
func (h History) countSkipped(end time.Time) (n int) {
	ran := map[instant]bool{}
	for _, e := range h.Executions {
		ran[e.instant()] = true
	}
	for _, j := range h.Jobs {
		if !j.MaySkip {
			continue
		}
		for _, t := range h.required(j, end) {
			if !ran[instantOf(j.ID, t)] && h.skipped(j.ID, t) {
				n++
			}
		}
	}
	return n
}

// String is one line with every figure.
func (t Tally) String() string {
	return fmt.Sprintf("%d jobs, %d due, %d ran, %d lost, %d doubled, %d rerun; %d executions, %d kills, %d terms, latest %s after it was due",
		t.Jobs, t.Due, t.Ran, t.Lost, t.Doubled, t.Reruns, t.Executions, t.Kills, t.Terms, t.Late.Round(time.Millisecond))
}

// Takeover is how long it took from a fault of a leader to the first arrival of a run that was due
// after it and dispatched in a later term. ok is false when none was seen.
func (h History) Takeover(f Fault) (took time.Duration, ok bool) {
	later := map[string]bool{}
	for _, s := range h.Submissions {
		later[s.RunID] = s.Term > f.Term
	}
	for _, e := range h.Executions {
		if later[e.RunID] && e.Scheduled.After(f.At) {
			if d := e.Arrived.Sub(f.At); !ok || d < took {
				took, ok = d, true
			}
		}
	}
	return took, ok
}

// Takeovers returns the takeover times of every fault that struck a leader, in order of length.
func (h History) Takeovers() []time.Duration {
	var all []time.Duration
	for _, f := range h.Faults {
		if f.Term == 0 {
			continue
		}
		if d, ok := h.Takeover(f); ok {
			all = append(all, d)
		}
	}
	slices.Sort(all)
	return all
}

// Median is the middle of sorted durations, the upper one of two; 0 when there are none.
func Median(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// Reruns returns how long each later attempt took to arrive from the last fault before it of the node
// that had the attempt before, in order of length.
func (h History) Reruns() []time.Duration {
	var all []time.Duration
	for _, attempts := range h.attempts() {
		for i := 1; i < len(attempts); i++ {
			before, e := attempts[i-1], attempts[i]
			var last time.Time
			for _, f := range h.Faults {
				if f.Kind.excuses() && f.Node == before.Node && !f.At.After(e.Arrived) && f.At.After(last) {
					last = f.At
				}
			}
			if !last.IsZero() && e.Attempt > before.Attempt {
				all = append(all, e.Arrived.Sub(last))
			}
		}
	}
	slices.Sort(all)
	return all
}
