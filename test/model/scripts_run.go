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

// release gives a slot back, and nudges whoever is first in line for it.
func (p Protocol) release(s *State, slot uint8) {
	s.giveBack(slot)
	if _, n := p.line(s, slot); n > 0 {
		s.put(Entry{Run: slot, Nudge: true})
	}
}

// end is the outcome of one run; dead says that it may be retried by hand.
func (s *State) end(run uint8, dead bool) {
	s.Fates[run].Ends++
	if dead && s.Fates[run].Asked {
		s.Breach = cancelUndone
	}
}

// endAll is skip in messages.lua: it ends every run of a message that has not started.
func (s *State) endAll(run uint8, m Message) {
	for i := range m.More + 1 {
		s.end(run+i, false)
	}
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
		s.endAll(c.Run, c.Message) // REMOVED, as cancelled
		return refused
	case s.Slots[slot] < p.maxInstances() && line == 0:
		s.hold(slot, c)
		return started
	case c.Message.Attempt == 1 && p.Replace:
		p.makeRoom(s, slot)
	case c.Message.Attempt == 1 && !p.Queue:
		s.endAll(c.Run, c.Message) // FULL, as max_instances
		return refused
	}
	s.Waiting[c.Run] = c.Message // WAITING: reruns and retries were judged before
	return refused
}

// makeRoom is displace.lua: a newer run supersedes those in line to replace another, else it has the run that
// holds the slot cancelled.
func (p Protocol) makeRoom(s *State, slot uint8) {
	superseded := false
	for run := range uint8(maxRuns) {
		if s.Waiting[run].Attempt == 1 && p.slotOf(p.jobOf(run)) == slot {
			s.endAll(run, s.Waiting[run])
			s.Waiting[run], superseded = Message{}, true
		}
	}
	for run := range uint8(maxRuns) {
		if h := &s.Running[run]; !superseded && h.Owner != 0 && !h.Cancel && p.slotOf(p.jobOf(run)) == slot {
			h.Cancel, s.Fates[run].Asked = true, true
			return
		}
	}
}

// hold takes the slot, and puts the run into running and leases.
func (s *State) hold(slot uint8, c Call) {
	s.Slots[slot]++
	s.run(c.Run, Hold{Owner: c.Owner, Message: c.Message})
}

// run lets an attempt begin.
func (s *State) run(run uint8, h Hold) {
	s.Running[run] = h
	if s.Fates[run].Asked {
		s.Breach = cancelUndone
	}
}

// next is next.lua, in answer to a nudge that is pending for the consumer.
func (p Protocol) next(s *State, c Call) answer {
	slot := c.Job
	if s.Running[c.Run].Owner == c.Owner { // an earlier sending started it
		return started
	}
	at, owned := s.entry(c.Entry, c.Consumer)
	if !owned && p.Variant != NextAnyNudge {
		return refused // GONE
	}
	take := func() {
		if owned {
			s.Stream[at] = Entry{}
		}
	}
	first, n := p.line(s, slot)
	switch {
	case n == 0:
		take()
		return refused // EMPTY
	case first != c.Run:
		return refused // CHANGED
	case s.removed(p.jobOf(c.Run)):
		s.endAll(c.Run, s.Waiting[c.Run])
		s.Waiting[c.Run] = Message{}
		return refused
	case s.Slots[slot] >= p.maxInstances():
		take()
		return refused // FULL
	}
	c.Message = s.Waiting[c.Run]
	s.Waiting[c.Run] = Message{}
	s.hold(slot, c)
	take()
	if _, more := p.line(s, slot); more > 0 && s.Slots[slot] < p.maxInstances() {
		s.put(Entry{Run: slot, Nudge: true})
	}
	return started
}

// finish is finish.lua for one attempt. c.Message says how many runs follow it.
func (p Protocol) finish(s *State, c Call) answer {
	h := s.Running[c.Run]
	slot := p.slotOf(p.jobOf(c.Run))
	if p.Variant == UngatedCounter {
		s.giveBack(slot)
	}
	if h.Owner == 0 || (h.Owner != c.Owner && p.Variant != NoOwnerCheck) {
		told := c.Message.More > 0 && (h.Owner == 0 || p.Variant != ResentIfGone)
		if told && s.Running[c.Run+1].Owner == c.Owner {
			return started // resent: what follows has started
		}
		return refused
	}
	s.Running[c.Run] = Hold{}
	follows := p.ends(s, c, h)
	switch gone := s.removed(p.jobOf(c.Run)); {
	case follows && gone:
		s.endAll(c.Run+1, h.rest())
	case follows && c.Back:
		s.put(Entry{Run: c.Run + 1, Message: h.rest()})
	case follows:
		s.run(c.Run+1, Hold{Owner: h.Owner, Message: h.rest()})
		return started
	}
	if p.Variant != UngatedCounter {
		p.release(s, slot)
	}
	return done
}

// ends is what becomes of the run itself, as close in ends.lua says. It reports whether something follows.
func (p Protocol) ends(s *State, c Call, h Hold) (follows bool) {
	gone, asked := s.removed(p.jobOf(c.Run)), h.Cancel && p.Variant != CancelRetried
	follows = h.More > 0
	if again := (Message{Attempt: h.Attempt + 1, Lost: h.Lost}); !gone && !asked && (c.Flag || c.Back) {
		if c.Back {
			again.More, follows = h.More, false
		}
		s.Delayed[c.Run] = again
		return follows
	}
	s.end(c.Run, false)
	if c.Back && (gone && p.Variant == HandBackEndsOne || asked && p.Variant == CancelDropsRest) {
		return false
	}
	return follows
}

// cancel is cancel.lua: it asks the node that has the run to cancel it.
func (s *State) cancel(c Call) answer {
	if s.Running[c.Run].Owner == 0 {
		return changed // MISSING: the client looks for it again
	}
	s.Running[c.Run].Cancel, s.Fates[c.Run].Asked = true, true
	return done
}

// withdraw is withdraw.lua: it ends a run where the client has found it, and keeps what follows it there.
func (s *State) withdraw(c Call) (found bool) {
	switch c.Place {
	case InDelayed:
		found = takeOut(&s.Delayed, c.Run, c.Message)
	case InWaiting:
		found = takeOut(&s.Waiting, c.Run, c.Message)
	case InStream:
		for i, e := range s.Stream {
			if e.ID != 0 && e.ID == c.Entry {
				s.Stream[i], found = Entry{}, true
				if e.More > 0 {
					s.put(Entry{Run: c.Run + 1, Message: e.rest()})
				}
			}
		}
	}
	if found {
		s.Fates[c.Run].Asked = true
		s.end(c.Run, false)
	}
	return found
}

// takeOut takes the first run out of a message, if that is still there as it was read.
func takeOut(from *[maxRuns]Message, run uint8, m Message) bool {
	if from[run] != m {
		return false
	}
	from[run] = Message{}
	if m.More > 0 {
		from[run+1] = m.rest()
	}
	return true
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
