package model

// client is somebody who edits job 0 while all goes on: client.go and store/jobs.go.
func (p Protocol) client(s State, take func(Step, State)) {
	c := s.Client
	t := s
	switch {
	case c.Phase == Idle && int(c.Done) < len(p.Edits) && p.Edits[c.Done] == CancelRun:
		if call, ok := s.findFirst(); ok {
			call.Op = c.Done
			t.Client.Phase, t.Client.Call = Calling, call
			take(call.step("client", "sends"), t)
		}
	case c.Phase == Idle && int(c.Done) < len(p.Edits):
		t.Client.Phase, t.Client.Call = Calling, p.request(s)
		take(t.Client.Call.step("client", "sends"), t)
	case c.Phase == Calling:
		reply := p.carryOut(&t, c.Call)
		t.Client.Phase, t.Client.Call = Idle, Call{}
		if reply != changed { // else the client reads and tries again
			t.Client.Done++
		}
		take(c.Call.step("client", "has redis carry out"), t)
		p.resend(s, "client", c.Call, take)
	}
}

// request is the next edit, made from what is stored now.
func (p Protocol) request(s State) Call {
	op := s.Client.Done
	switch p.Edits[op] {
	case RemoveJob:
		return Call{Script: Remove, Op: op}
	case AddAgain:
		return Call{Script: Add, Job: 1, Op: op}
	}
	return Call{Script: Update, Version: s.Jobs[0].Version, From: s.Jobs[0].Next, Op: op}
}

// findFirst is Store.Cancel: it finds the earliest run that has not ended, and says how to cancel it there.
func (s *State) findFirst() (c Call, ok bool) {
	for run := range uint8(maxRuns) {
		switch {
		case s.Running[run].Owner != 0:
			return Call{Script: Cancel, Run: run}, true
		case s.Delayed[run].Attempt != 0:
			return Call{Script: Withdraw, Run: run, Message: s.Delayed[run], Place: InDelayed}, true
		case s.Waiting[run].Attempt != 0:
			return Call{Script: Withdraw, Run: run, Message: s.Waiting[run], Place: InWaiting}, true
		}
		for _, e := range s.Stream {
			if e.ID != 0 && !e.Nudge && e.Run == run {
				return Call{Script: Withdraw, Run: run, Message: e.Message, Entry: e.ID, Place: InStream}, true
			}
		}
	}
	return Call{}, false
}
