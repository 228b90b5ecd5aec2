package model

func leaderName(i int) string { return [...]string{"leader A", "leader B"}[i] }

// election is cluster/office.go and the leases of etcd: candidacy, its verification, and its end.
func (p Protocol) election(s State, i int, take func(Step, State)) {
	l := s.Leaders[i]
	step := func(what string, fault bool, change func(*State, *Leader)) {
		t := s
		change(&t, &t.Leaders[i])
		t.noteFirst()
		take(Step{Who: leaderName(i), Does: what, Fault: fault}, t)
	}
	if l.Phase != Dead && s.Left.Crashes > 0 {
		step("crashes", true, func(t *State, l *Leader) {
			t.Left.Crashes--
			t.stray(l.Call)
			*l = Leader{Key: l.Key}
		})
	}
	if l.Key != 0 && (l.Phase == Dead || s.Left.Expiries > 0) {
		step("has its key deleted by etcd", l.Phase != Dead, func(t *State, l *Leader) {
			if l.Phase != Dead {
				t.Left.Expiries--
			}
			l.Key = 0 // its lease has ended, or a follower has proof (cluster/takeover.go)
		})
	}
	switch l.Phase {
	case Dead:
		if l.Key == 0 { // the name is free
			step("restarts", false, func(_ *State, l *Leader) { l.Phase = Idle })
		}
	case Idle:
		step("writes a key", false, func(t *State, l *Leader) {
			*l = Leader{Phase: Candidate, Key: t.Rev, Term: t.Rev}
			t.Rev++
		})
	case Candidate:
		if s.firstKey(l.Term) { // also for a candidate whose own key has gone
			step("hears from Campaign that it has won", false, func(_ *State, l *Leader) {
				l.Phase = Won
				if p.Variant == Unverified {
					l.enter()
				}
			})
		}
	case Won:
		step("verifies its key", false, func(t *State, l *Leader) {
			if l.Key == l.Term && t.firstKey(l.Key) {
				l.enter()
			} else {
				l.leave()
			}
		})
	case InOffice:
		if l.Key == 0 {
			step("learns that its key is gone, and leaves office", false, func(_ *State, l *Leader) { l.leave() })
		}
	}
}

// enter sends take_office: the fence is raised before anything else.
func (l *Leader) enter() {
	l.Phase, l.Call = Calling, Call{Script: TakeOffice, Term: l.Term}
}

// leave withdraws the key.
func (l *Leader) leave() { *l = Leader{Phase: Idle} }

// firstKey reports whether no key of etcd is older than a revision.
func (s *State) firstKey(rev uint8) bool {
	for _, l := range s.Leaders {
		if l.Key != 0 && l.Key < rev {
			return false
		}
	}
	return true
}

// noteFirst notes which candidate is first now.
func (s *State) noteFirst() {
	for _, l := range s.Leaders {
		if l.Key != 0 && s.firstKey(l.Key) {
			s.First |= 1 << l.Key
		}
	}
}

// office is the scheduler's loop: read, decide, send; and what the answer makes of the office.
func (p Protocol) office(s State, i int, take func(Step, State)) {
	switch l := s.Leaders[i]; l.Phase {
	case InOffice:
		send := func(c Call) {
			t := s
			c.Term = l.Term
			t.Leaders[i].Phase, t.Leaders[i].Call = Calling, c
			take(c.step(leaderName(i), "sends"), t)
		}
		for job, j := range s.Jobs { // due.lua
			if j.Stage == Stored && j.Next < s.Clock {
				send(Call{Script: Dispatch, Job: uint8(job), Version: j.Version, From: j.Next, Upto: s.Clock})
			}
		}
		for run := range s.Running {
			if s.Delayed[run].Attempt != 0 {
				send(Call{Script: Promote, Run: uint8(run)})
			}
			p.recovery(s, uint8(run), send)
		}
		p.reclaims(s, i, send, take)
	case Calling:
		t := s
		reply := p.carryOut(&t, l.Call)
		t.Leaders[i].Phase, t.Leaders[i].Call = InOffice, Call{}
		if reply == fenced {
			t.Leaders[i].leave()
		}
		take(l.Call.step(leaderName(i), "has redis carry out"), t)
		p.resend(s, leaderName(i), l.Call, take)
	}
}

// recovery is Store.RecoverExpired, and Store.RecoverSuspects for a process that is gone.
func (p Protocol) recovery(s State, run uint8, send func(Call)) {
	h := s.Running[run]
	if h.Owner == 0 {
		return
	}
	gone := !s.lives(h.Owner.consumer())
	if p.Variant == MembershipOnly {
		gone = !s.member(h.Owner.consumer())
	}
	if h.Ended || gone {
		again := Message{Attempt: h.Attempt + 1, Lost: h.Lost + 1, More: h.More}
		send(Call{Script: Recover, Run: run, Owner: h.Owner, Message: again, Flag: !h.Ended})
	}
}

// reclaims puts back what is pending for a consumer: one that is gone, or one that has been idle for
// so long that this counts as a lease that ended.
func (p Protocol) reclaims(s State, i int, send func(Call), take func(Step, State)) {
	if p.Variant == NoReclaim {
		return
	}
	var asked uint16
	for _, e := range s.Stream {
		if e.ID == 0 || e.Holder == 0 || asked>>e.Holder&1 != 0 {
			continue
		}
		asked |= 1 << e.Holder
		if !s.lives(e.Holder) {
			send(Call{Script: Reclaim, Consumer: e.Holder})
		} else if s.Left.Expiries > 0 {
			t := s
			t.Left.Expiries--
			l := &t.Leaders[i]
			l.Phase, l.Call = Calling, Call{Script: Reclaim, Term: l.Term, Consumer: e.Holder}
			take(Step{Who: leaderName(i), Does: "sends reclaim for an executor that was idle", Fault: true}, t)
		}
	}
}
