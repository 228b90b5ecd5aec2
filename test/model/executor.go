package model

func executorName(i int) string { return [...]string{"executor C", "executor D"}[i] }

// executor is a process as a consumer: package executor.
func (p Protocol) executor(s State, i int, take func(Step, State)) {
	e := s.Executors[i]
	step := func(does string, fault bool, change func(*State, *Executor)) {
		t := s
		change(&t, &t.Executors[i])
		taken := Step{Who: executorName(i), Does: does, Fault: fault}
		if e.Phase == Executing {
			taken.Noun, taken.Number = "run", e.Run
		}
		take(taken, t)
	}
	if e.Phase != Dead && s.Left.Crashes > 0 {
		step("crashes", true, func(t *State, e *Executor) {
			t.Left.Crashes--
			t.stray(e.Call)
			*e = Executor{}
		})
	}
	if p.Variant == MembershipOnly && e.Member && s.Left.Expiries > 0 { // nothing else looks at it
		step("loses its membership", true, func(t *State, e *Executor) {
			t.Left.Expiries--
			e.Member = false
		})
	}
	switch e.Phase {
	case Dead:
		step("restarts", false, func(t *State, e *Executor) {
			*e = Executor{Phase: Idle, Consumer: t.freshConsumer(), Member: true}
		})
	case Idle:
		p.fetch(s, i, take)
	case Calling, Finishing:
		p.hear(s, i, take)
	case Executing:
		step("has its handler return", false, func(t *State, e *Executor) {
			e.Phase, e.Call = Finishing, Call{Script: Finish, Run: e.Run, Owner: e.Owner, Message: t.more(e)}
		})
		if s.Left.Failures > 0 {
			step("has its handler fail", true, func(t *State, e *Executor) {
				t.Left.Failures--
				e.Phase, e.Call = Finishing, Call{Script: Finish, Run: e.Run, Owner: e.Owner, Message: t.more(e), Flag: true}
			})
		}
		if s.Left.Stops > 0 {
			step("is told to stop at once, and hands its run back", true, func(t *State, e *Executor) {
				t.Left.Stops--
				e.Phase, e.Call = Finishing, Call{Script: Finish, Run: e.Run, Owner: e.Owner, Message: t.more(e), Back: true}
			})
		}
		if e.Void {
			step("sees that its lease has ended, and cancels its handler", false, func(_ *State, e *Executor) { e.rest() })
		}
	}
}

// fetch is executor/line.go: what is in its own pending list first (a read whose answer was lost left
// it there), else a new entry.
func (p Protocol) fetch(s State, i int, take func(Step, State)) {
	e := s.Executors[i]
	holds := false
	for _, entry := range s.Stream {
		if entry.ID == 0 || entry.Holder != e.Consumer {
			continue
		}
		holds = true
		c := Call{Script: Start, Run: entry.Run, Message: entry.Message, Entry: entry.ID, Consumer: e.Consumer}
		if entry.Nudge {
			c.Script, c.Job = Next, entry.Run
			c.Run, _ = p.line(&s, entry.Run)
			c.Message = s.Waiting[c.Run]
		}
		p.ask(s, i, c, take)
	}
	if holds {
		return
	}
	for at, entry := range s.Stream {
		if entry.ID != 0 && entry.Holder == 0 {
			t := s
			t.Stream[at].Holder = e.Consumer
			step := Step{Who: executorName(i), Does: "fetches an entry", Noun: "run", Number: entry.Run}
			if entry.Nudge {
				step.Does, step.Noun = "fetches a nudge", "slot"
			}
			take(step, t)
		}
	}
}

// ask sends a call that may start a run, under an owner token of its own.
func (p Protocol) ask(s State, i int, c Call, take func(Step, State)) {
	e := &s.Executors[i]
	c.Owner = s.freshToken(e.Consumer)
	e.Phase, e.Call, e.Run, e.More, e.Owner = Calling, c, c.Run, c.Message.More, c.Owner
	take(c.step(executorName(i), "sends"), s)
}

// hear has Redis carry out the call under way, and acts on the answer. What was started after its
// lease had ended is left to recovery.
func (p Protocol) hear(s State, i int, take func(Step, State)) {
	t := s
	e := &t.Executors[i]
	c := e.Call
	reply := p.carryOut(&t, c)
	if e.Call = (Call{}); reply == started && !e.Void {
		if e.Phase, e.Run = Executing, c.Run; c.Script == Finish {
			e.Run, e.More = e.Run+1, e.More-1 // what follows in the slot
		}
	} else {
		e.rest()
	}
	take(c.step(executorName(i), "has redis carry out"), t)
	p.resend(s, executorName(i), c, take)
	if p.Variant == NextAskedOnce && c.Script == Next && s.Left.Resends > 0 {
		t := s
		if t.stray(c) {
			t.Left.Resends--
			t.Executors[i].rest()
			take(Step{Who: executorName(i), Does: "hears nothing of next, and goes on", Fault: true}, t)
		}
	}
}

// more is what the executor knows of the runs that follow the one it has.
func (s *State) more(e *Executor) Message { return Message{More: e.More} }

// rest ends what the executor does.
func (e *Executor) rest() { *e = Executor{Phase: Idle, Consumer: e.Consumer, Member: e.Member} }

// freshToken returns the lowest token of a consumer that nothing mentions: as good as a new nonce.
func (s *State) freshToken(consumer uint8) Token {
	var used uint64
	for _, h := range s.Running {
		used |= 1 << h.Owner
	}
	s.calls(func(c *Call) { used |= 1 << c.Owner })
	for _, e := range s.Executors {
		used |= 1 << e.Owner
	}
	t := Token(consumer << 2)
	for used>>t&1 != 0 {
		t++
	}
	return t
}

// freshConsumer returns the lowest name that nothing mentions: as good as a new boot id.
func (s *State) freshConsumer() uint8 {
	used := uint16(1)
	for _, e := range s.Executors {
		used |= 1 << e.Consumer
	}
	for _, e := range s.Stream {
		used |= 1 << e.Holder
	}
	for _, h := range s.Running {
		used |= 1 << h.Owner.consumer()
	}
	s.calls(func(c *Call) { used |= 1<<c.Consumer | 1<<c.Owner.consumer() })
	name := uint8(0)
	for used>>name&1 != 0 {
		name++
	}
	return name
}
