package model

// put is XADD. An id that nothing mentions is as good as a new one.
func (s *State) put(e Entry) {
	var used uint16
	free := -1
	for i, there := range s.Stream {
		used |= 1 << there.ID
		if there.ID == 0 {
			free = i
		}
	}
	s.calls(func(c *Call) { used |= 1 << c.Entry })
	if free < 0 {
		s.Breach = streamFull
		return
	}
	for e.ID = 1; used>>e.ID&1 != 0; e.ID++ {
	}
	s.Stream[free] = e
}

// entry finds what XPENDING with the consumer finds.
func (s *State) entry(id, consumer uint8) (at int, owned bool) {
	for i, e := range s.Stream {
		if id != 0 && e.ID == id && e.Holder == consumer {
			return i, true
		}
	}
	return -1, false
}

// giveBack is DECR; a counter is deleted at zero.
func (s *State) giveBack(slot uint8) {
	if s.Slots[slot] > 0 {
		s.Slots[slot]--
	}
}

// line counts who stands in line for the slot of run, and says who is first: the earliest due.
func (p Protocol) line(s *State, slot uint8) (first uint8, n int) {
	for time := range uint8(maxTimes) {
		for job := range uint8(maxJobs) {
			if run := runOf(job, time); p.slotOf(job) == slot && s.Waiting[run].Attempt != 0 {
				if n == 0 {
					first = run
				}
				n++
			}
		}
	}
	return first, n
}

// start is start.lua for one message, without misfires and paused executors.
func (p Protocol) start(s *State, c Call) answer {
	at, owned := s.entry(c.Entry, c.Consumer)
	if !owned && p.Variant != NoPendingCheck {
		if s.Running[c.Run].Owner == c.Owner { // resent
			return started
		}
		return refused // GONE
	}
	reply := p.begin(s, c)
	if owned {
		s.Stream[at] = Entry{} // XACK, XDEL
	}
	return reply
}

// begin decides on a message that the caller may start, as begin and refused in start.lua do.
func (p Protocol) begin(s *State, c Call) answer {
	job := p.jobOf(c.Run)
	slot := p.slotOf(job)
	_, line := p.line(s, slot)
	switch {
	case s.Running[c.Run].Owner != 0:
		return refused // RUNNING
	case s.removed(job):
		s.Fates[c.Run].Ends++ // REMOVED, as cancelled
		return refused
	case s.Slots[slot] < maxInstances && line == 0:
		s.hold(slot, c)
		return started
	case c.Message.Attempt == 1 && !p.Queue:
		s.Fates[c.Run].Ends++ // FULL, as max_instances
		return refused
	}
	s.Waiting[c.Run] = c.Message // WAITING: reruns and retries were judged before
	return refused
}

// hold takes the slot, and puts the run into running and leases.
func (s *State) hold(slot uint8, c Call) {
	s.Slots[slot]++
	s.Running[c.Run] = Hold{Owner: c.Owner, Message: c.Message}
}

// next is next.lua, in answer to a nudge.
func (p Protocol) next(s *State, c Call) answer {
	job := p.jobOf(c.Run)
	slot := p.slotOf(job)
	first, n := p.line(s, slot)
	switch {
	case s.Running[c.Run].Owner == c.Owner: // an earlier sending started it
		return started
	case n == 0 || first != c.Run:
		return refused // EMPTY, CHANGED
	case s.removed(job):
		s.Waiting[c.Run] = Message{}
		s.Fates[c.Run].Ends++
		return refused
	case s.Slots[slot] >= maxInstances:
		return refused // FULL
	}
	c.Message = s.Waiting[c.Run]
	s.Waiting[c.Run] = Message{}
	s.hold(slot, c)
	return started
}

// finish is finish.lua for one attempt, without what follows in the same message.
func (p Protocol) finish(s *State, c Call) answer {
	h := s.Running[c.Run]
	slot := p.slotOf(p.jobOf(c.Run))
	if p.Variant == UngatedCounter {
		s.giveBack(slot)
	}
	if h.Owner == 0 || (h.Owner != c.Owner && p.Variant != NoOwnerCheck) {
		return refused
	}
	s.Running[c.Run] = Hold{}
	if p.Variant != UngatedCounter {
		s.giveBack(slot)
	}
	if c.Flag && !s.removed(p.jobOf(c.Run)) {
		s.Delayed[c.Run] = Message{Attempt: h.Attempt + 1, Lost: h.Lost}
		return done
	}
	s.Fates[c.Run].Ends++
	return done
}

// calls visits every call that is under way.
func (s *State) calls(visit func(*Call)) {
	for i := range s.Leaders {
		visit(&s.Leaders[i].Call)
	}
	for i := range s.Executors {
		visit(&s.Executors[i].Call)
	}
	for i := range s.Strays {
		visit(&s.Strays[i])
	}
	visit(&s.Client.Call)
}
