package model

// world is what nobody in the cluster does: time passes, leases end, strays arrive.
func (p Protocol) world(s State, take func(Step, State)) {
	if int(s.Clock) < p.Times {
		t := s
		t.Clock++
		take(Step{Who: "redis", Does: "has a due time come", Noun: "time", Number: s.Clock}, t)
	}
	for i, c := range s.Strays {
		if c.Script != None {
			t := s
			t.Strays[i] = Call{}
			p.carryOut(&t, c)
			take(c.step("redis", "carries out a stray"), t)
		}
	}
	for run, h := range s.Running {
		if h.Owner != 0 && !h.Ended {
			p.leaseEnds(s, run, take)
		}
	}
	for slot := range uint8(maxJobs) { // Store.Sweep and nudge.lua
		t := s
		if _, n := p.line(&s, slot); n > 0 && s.Slots[slot] < p.maxInstances() && !s.nudged(slot) {
			t.put(Entry{Run: slot, Nudge: true})
			take(Step{Who: "a leader", Does: "nudges a line whose slot has room", Noun: "slot", Number: slot}, t)
		}
	}
}

// nudged reports whether a nudge for a slot is in the stream.
func (s *State) nudged(slot uint8) bool {
	for _, e := range s.Stream {
		if e.ID != 0 && e.Nudge && e.Run == slot {
			return true
		}
	}
	return false
}

// leaseEnds ends the lease of a run. Its process renews it as long as it holds the run (renew.lua), so
// while that lives only a fault ends it: the process was stopped, or Redis was away.
func (p Protocol) leaseEnds(s State, run int, take func(Step, State)) {
	t := s
	t.Running[run].Ended = true
	fault := false
	for i := range t.Executors {
		if e := &t.Executors[i]; e.Phase >= Calling && e.Owner == s.Running[run].Owner {
			e.Void, fault = true, true
		}
	}
	if fault {
		if s.Left.Expiries == 0 {
			return
		}
		t.Left.Expiries--
	}
	take(Step{Who: "redis", Does: "has a lease end", Noun: "run", Number: uint8(run), Fault: fault}, t)
}

// stray leaves a call on its way whose answer nobody awaits. A third is lost.
func (s *State) stray(c Call) bool {
	for i := range s.Strays {
		if s.Strays[i].Script == None {
			s.Strays[i] = c
			return true
		}
	}
	return false
}

// resend has a call carried out twice: once as a stray, and once with an answer. When the stray is
// first, that is a lost reply; when it is second, a delayed duplicate.
func (p Protocol) resend(s State, who string, c Call, take func(Step, State)) {
	if t := s; s.Left.Resends > 0 && t.stray(c) {
		t.Left.Resends--
		step := c.step(who, "sends again")
		step.Fault = true
		take(step, t)
	}
}

// step is what who does with a call.
func (c Call) step(who, does string) Step {
	step := Step{Who: who, Does: does, What: c.Script.String()}
	switch c.Script {
	case Recover, Promote, Start, Next, Finish, Cancel, Withdraw:
		step.Noun, step.Number = "run", c.Run
	case Dispatch, Update, Remove, Add:
		step.Noun, step.Number = "job", c.Job
	}
	return step
}

// String is the name of the file.
func (sc Script) String() string {
	return [...]string{
		"nothing", "take_office", "dispatch", "recover", "reclaim", "promote", "start", "next", "finish", "update", "remove", "add", "cancel", "withdraw",
	}[sc]
}

// lives reports whether a process with this consumer's boot is up.
func (s *State) lives(consumer uint8) bool {
	for _, e := range s.Executors {
		if e.Phase != Dead && e.Consumer == consumer {
			return true
		}
	}
	return false
}

// member reports whether a membership in etcd names this consumer's boot.
func (s *State) member(consumer uint8) bool {
	for _, e := range s.Executors {
		if e.Member && e.Consumer == consumer {
			return true
		}
	}
	return false
}
