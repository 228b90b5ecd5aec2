package model

// client is somebody who edits job 0 while all goes on: client.go and store/jobs.go.
func (p Protocol) client(s State, take func(Step, State)) {
	c := s.Client
	t := s
	switch {
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
