package model

// Breaches: rules that only the step itself can show to be broken.
const (
	intact Breach = iota
	termFell
	neverFirst
	strangeDefinition
	laterEditUndone
	streamFull
	cancelUndone
)

// The invariants, by the names that [Result] gives them.
const (
	TermsRise       = "terms accepted by redis never decrease"
	TermsAreGiven   = "every term accepted by redis was that of the first candidate in etcd"
	OwnDefinition   = "a run is dispatched by the definition that is stored"
	EditsStand      = "an edit is not undone by an earlier one"
	OneDispatch     = "a run id is dispatched at most once"
	TimesAccounted  = "each due time has a run or a recorded skip"
	OneOutcome      = "a run has at most one outcome"
	OnePlace        = "a run is in exactly one place"
	CounterIsTruth  = "a slot's counter equals its runs in running"
	LeaseIsKept     = "an attempt under a live lease is in running under its own token"
	WithinInstances = "no more attempts under live leases than max_instances"
	StartsAreHeard  = "a run that was started is with its process, while that lives and the lease has not ended"
	CancelStands    = "a run whose cancellation was acknowledged begins no attempt, and is not dead"
	roomForAll      = "the model has room for all entries of the stream"
)

// Broken names the first invariant that s breaks.
func (p Protocol) Broken(s State) string {
	switch s.Breach {
	case termFell:
		return TermsRise
	case neverFirst:
		return TermsAreGiven
	case strangeDefinition:
		return OwnDefinition
	case laterEditUndone:
		return EditsStand
	case streamFull:
		return roomForAll
	case cancelUndone:
		return CancelStands
	}
	for _, check := range []func(*State) string{p.brokenOfExecutors, p.brokenOfSlots, p.brokenOfJobs, p.brokenOfRuns, p.brokenOfStarts} {
		if broken := check(&s); broken != "" {
			return broken
		}
	}
	return ""
}

// brokenOfJobs: S4. Times before that of a job's next one are accounted for; those after it are not
// yet owed, or not any more once it is removed.
func (p Protocol) brokenOfJobs(s *State) string {
	for i, j := range s.Jobs {
		for time := range j.Next {
			if f := s.Fates[runOf(uint8(i), time)]; f.Dispatches == 0 && !f.Skipped {
				return TimesAccounted
			}
		}
	}
	return ""
}

// brokenOfRuns: S2, S5 and the rule of one place.
func (p Protocol) brokenOfRuns(s *State) string {
	placed := s.placed()
	for run, f := range s.Fates {
		at := int(f.Ends) + int(placed[run])
		switch {
		case f.Dispatches > 1 || (f.Dispatches > 0 && f.Skipped):
			return OneDispatch
		case f.Ends > 1:
			return OneOutcome
		case at != int(f.Dispatches):
			return OnePlace
		}
	}
	return ""
}

// placed counts the places of each run.
func (s *State) placed() (n [maxRuns]uint8) {
	note := func(there bool, run uint8, m Message) {
		for i := range m.More + 1 {
			if there {
				n[run+i]++
			}
		}
	}
	for _, e := range s.Stream {
		note(e.ID != 0 && !e.Nudge, e.Run, e.Message)
	}
	for run := range uint8(maxRuns) {
		note(s.Running[run].Owner != 0, run, s.Running[run].Message)
		note(s.Delayed[run].Attempt != 0, run, s.Delayed[run])
		note(s.Waiting[run].Attempt != 0, run, s.Waiting[run])
	}
	return n
}

// brokenOfSlots: the counter, which nothing but starts and ends may move.
func (p Protocol) brokenOfSlots(s *State) string {
	var truth [maxJobs]uint8
	for run, h := range s.Running {
		if h.Owner != 0 {
			truth[p.slotOf(p.jobOf(uint8(run)))]++
		}
	}
	if truth != s.Slots {
		return CounterIsTruth
	}
	return ""
}

// brokenOfExecutors: S6 to S8. A handler that runs under a lease that has not ended holds its run,
// so that no later attempt of it can run beside it, and its slot.
func (p Protocol) brokenOfExecutors(s *State) string {
	var busy [maxJobs]int
	for _, e := range s.Executors {
		if e.Phase != Executing || e.Void {
			continue
		}
		if busy[p.slotOf(p.jobOf(e.Run))]++; busy[p.slotOf(p.jobOf(e.Run))] > int(p.maxInstances()) {
			return WithinInstances
		}
	}
	for _, e := range s.Executors {
		if e.Phase == Executing && !e.Void && s.Running[e.Run].Owner != e.Owner {
			return LeaseIsKept
		}
	}
	return ""
}

// brokenOfStarts: what redis has started is run by somebody, or known to be lost.
func (p Protocol) brokenOfStarts(s *State) string {
	for _, h := range s.Running {
		if h.Owner != 0 && !h.Ended && s.lives(h.Owner.consumer()) && !s.hears(h.Owner) {
			return StartsAreHeard
		}
	}
	return ""
}

// hears reports whether a process runs what was started under a token, or awaits an answer that says so.
func (s *State) hears(owner Token) bool {
	for _, e := range s.Executors {
		if e.Phase >= Calling && e.Owner == owner {
			return true
		}
	}
	return false
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
