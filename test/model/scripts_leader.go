package model

// answer is what a script returns, as far as its caller cares.
type answer uint8

const (
	refused answer = iota // nothing for the caller: STALE, GONE, FULL, REFUSED, …
	done                  // OK, DONE, a repeat of an op
	started               // STARTED: the run is the caller's
	fenced                // FENCED: the term is not the one in office
	changed               // CHANGED: read again
)

// carryOut is Redis doing one call: atomic, in the order of arrival.
func (p Protocol) carryOut(s *State, c Call) answer {
	switch c.Script {
	case TakeOffice:
		return p.takeOffice(s, c)
	case Dispatch, Recover, Reclaim, Promote:
		if c.Term != s.Fence && (c.Script != Dispatch || p.Variant != NoFence) {
			return fenced // fence.lua
		}
		s.accept(c.Term)
		return p.forLeader(s, c)
	case Start:
		return p.start(s, c)
	case Next:
		return p.next(s, c)
	case Finish:
		return p.finish(s, c)
	case Cancel:
		return s.cancel(c)
	case Update, Remove, Add, Withdraw:
		return p.edit(s, c)
	}
	return refused
}

func (p Protocol) forLeader(s *State, c Call) answer {
	switch c.Script {
	case Dispatch:
		return p.dispatch(s, c)
	case Recover:
		return p.recover(s, c)
	case Reclaim:
		return p.reclaim(s, c)
	}
	return p.promote(s, c)
}

// accept notes that Redis acted for a term.
func (s *State) accept(term uint8) {
	if term < s.Highest {
		s.Breach = termFell
	}
	s.Highest = max(s.Highest, term)
}

// takeOffice is take_office.lua.
func (p Protocol) takeOffice(s *State, c Call) answer {
	if s.Fence > c.Term && p.Variant != NoTermOrder {
		return fenced
	}
	s.Fence = c.Term
	s.accept(c.Term)
	if s.First>>c.Term&1 == 0 {
		s.Breach = neverFirst
	}
	return done
}

// dispatch is dispatch.lua for one job, with the decision of scheduler/decide.go for coalesce
// "latest": of the times that were due when they were read the last one runs, the others are rows. With "all"
// they share a message.
func (p Protocol) dispatch(s *State, c Call) answer {
	at, there := c.Job, s.Jobs[c.Job].Stage == Stored
	j := &s.Jobs[at]
	same := there && j.Version == c.Version && j.Next == c.From
	switch p.Variant {
	case NoVersion:
		if at, there = p.storedAs(s, c.Job); there {
			j = &s.Jobs[at]
			same = j.Next == c.From
		}
	case NoCompare:
		same = there
	}
	if !there || !same || c.Upto > s.Clock {
		return refused // STALE, NOT_DUE
	}
	if at != c.Job || j.Version != c.Version {
		s.Breach = strangeDefinition
	}
	first := c.From
	for ; !p.All && first+1 < c.Upto; first++ {
		s.Fates[runOf(c.Job, first)].Skipped = true
	}
	for time := first; time < c.Upto; time++ {
		s.Fates[runOf(c.Job, time)].Dispatches++
	}
	s.put(Entry{Run: runOf(c.Job, first), Message: Message{Attempt: 1, More: c.Upto - 1 - first}})
	j.Next = c.Upto
	if int(j.Next) == p.Times {
		j.Stage = Finished
	}
	return done
}

// recover is recover.lua for one run, with store.afterLoss: the run is sent as the next attempt, or
// closed when it was lost too often, was asked to cancel, or its job is gone. What follows it goes on.
func (p Protocol) recover(s *State, c Call) answer {
	h := s.Running[c.Run]
	if h.Owner == 0 || (h.Owner != c.Owner && p.Variant != RecoverAnyOwner) {
		return refused // CHANGED
	}
	if !c.Flag && !h.Ended {
		return refused // ALIVE
	}
	s.Running[c.Run] = Hold{}
	job := p.jobOf(c.Run)
	p.release(s, p.slotOf(job))
	closed := p.Drop || c.Message.Lost >= p.MaxLost
	asked := h.Cancel && p.Variant != CancelLost
	if !closed && !asked && !s.removed(job) {
		s.put(Entry{Run: c.Run, Message: c.Message}) // RERUN
		return done
	}
	s.end(c.Run, closed && !asked) // CLOSED, as cancelled, or as lost and dead
	p.restGoesOn(s, c.Run, h.Message)
	return done
}

// restGoesOn sends what follows a run that has ended, or ends it with its job.
func (p Protocol) restGoesOn(s *State, run uint8, m Message) {
	switch {
	case m.More == 0:
	case s.removed(p.jobOf(run)):
		s.endAll(run+1, m.rest())
	default:
		s.put(Entry{Run: run + 1, Message: m.rest()})
	}
}

// reclaim is reclaim.lua. What it moves gets a new entry id, by which a start under way misses it.
func (p Protocol) reclaim(s *State, c Call) answer {
	for i, e := range s.Stream {
		if e.ID != 0 && e.Holder == c.Consumer {
			s.Stream[i] = Entry{}
			s.put(Entry{Run: e.Run, Nudge: e.Nudge, Message: e.Message})
		}
	}
	return done
}

// promote is promote.lua for one run.
func (p Protocol) promote(s *State, c Call) answer {
	m := s.Delayed[c.Run]
	if m.Attempt == 0 {
		return refused // GONE
	}
	s.Delayed[c.Run] = Message{}
	if s.removed(p.jobOf(c.Run)) {
		s.endAll(c.Run, m) // REMOVED, as cancelled
		return done
	}
	s.put(Entry{Run: c.Run, Message: m})
	return done
}

// edit is update.lua, remove.lua, add.lua and withdraw.lua: the mutations of a client, each with an op id.
func (p Protocol) edit(s *State, c Call) answer {
	op := uint8(1) << c.Op
	if s.Ops&op != 0 && p.Variant != NoOps {
		return done // a repeat gets the answer of the first
	}
	at, there := p.storedAs(s, c.Job)
	switch c.Script {
	case Update:
		if !there || at != c.Job {
			return done // MISSING
		}
		j := &s.Jobs[at]
		if j.Version != c.Version || j.Next != c.From {
			return changed
		}
		j.Version++
	case Remove:
		if there {
			p.remove(s, at, c.Op)
		}
	case Add:
		if !there {
			s.Jobs[c.Job] = Job{Stage: Stored, Version: 1} // from its first time on: a date in the past is due at once
		}
	case Withdraw:
		if !s.withdraw(c) {
			return changed
		}
	}
	s.Ops |= op
	return done
}

// remove is remove.lua: it takes whichever incarnation is there, and cancels what stands in line.
func (p Protocol) remove(s *State, job, op uint8) {
	if s.Ops>>(op+1) != 0 {
		s.Breach = laterEditUndone
	}
	s.Jobs[job].Stage = Removed
	for time := range uint8(maxTimes) {
		if run := runOf(job, time); s.Waiting[run].Attempt != 0 {
			s.endAll(run, s.Waiting[run])
			s.Waiting[run] = Message{}
		}
	}
}

func (s *State) removed(job uint8) bool { return s.Jobs[job].Stage == Removed }
