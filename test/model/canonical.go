package model

// Canonical gives one state for many that differ by names only: the order of like processes, entries
// and strays, the ids of entries, the names of consumers, and revisions that nobody mentions any
// more. It may miss some; that costs room and nothing else.
func (p Protocol) Canonical(s State) State {
	if s.Leaders[1].rank() < s.Leaders[0].rank() {
		s.Leaders[0], s.Leaders[1] = s.Leaders[1], s.Leaders[0]
	}
	if s.rankOf(1) < s.rankOf(0) {
		s.Executors[0], s.Executors[1] = s.Executors[1], s.Executors[0]
	}
	s.renameEntries()
	s.renameConsumers()
	s.renameTerms()
	if s.Strays[1].rank() < s.Strays[0].rank() {
		s.Strays[0], s.Strays[1] = s.Strays[1], s.Strays[0]
	}
	return s
}

// pack makes one number of bytes of which each is below 16.
func pack(parts ...uint8) (n uint64) {
	for _, part := range parts {
		n = n<<4 | uint64(part)
	}
	return n
}

func (c Call) rank() uint64 {
	return pack(uint8(c.Script), c.Term, c.Job, c.Version, c.From, c.Upto, c.Run, c.Message.Attempt, c.Message.Lost, c.Entry,
		uint8(c.Owner)>>4, uint8(c.Owner)&15, c.Consumer, c.flags(), c.Message.More, uint8(c.Place))
}

func (c Call) flags() uint8 { return uint8(count(c.Flag) + 2*count(c.Back)) }

func (l Leader) rank() uint64 {
	c := l.Call
	return pack(uint8(l.Phase), l.Key, l.Term, uint8(c.Script), c.Job, c.From, c.Upto, c.Run, uint8(count(c.Flag)))
}

// rankOf orders executors by what they do; by what they hold, when they are idle.
func (s *State) rankOf(i int) uint64 {
	e, c := s.Executors[i], s.Executors[i].Call
	held := uint8(0)
	for _, entry := range s.Stream {
		if entry.ID != 0 && entry.Holder == e.Consumer {
			held = max(held, entry.Run+1)
		}
	}
	return pack(uint8(e.Phase), uint8(count(e.Void)), e.Run, uint8(c.Script), c.Message.Attempt, c.flags(), held, uint8(count(e.Member)), e.More, uint8(e.Owner)&3)
}

// renameEntries sorts the stream by run, and numbers it.
func (s *State) renameEntries() {
	for i := 1; i < places; i++ {
		for k := i; k > 0 && s.Stream[k].before(s.Stream[k-1]); k-- {
			s.Stream[k], s.Stream[k-1] = s.Stream[k-1], s.Stream[k]
		}
	}
	var names [16]uint8
	for i := range s.Stream {
		if e := &s.Stream[i]; e.ID != 0 {
			names[e.ID] = uint8(i + 1)
			e.ID = uint8(i + 1)
		}
	}
	s.calls(func(c *Call) { c.Entry = names[c.Entry] }) // 0, which is nowhere, for one that has gone
}

func (e Entry) before(f Entry) bool {
	if e.ID == 0 || f.ID == 0 {
		return e.ID != 0
	}
	return e.rank() < f.rank()
}

func (e Entry) rank() uint64 {
	return pack(uint8(count(e.Nudge)), e.Run, e.Attempt, e.Lost, e.More, e.Holder)
}

// renameConsumers numbers consumers in the order in which they are mentioned.
func (s *State) renameConsumers() {
	var names [64]uint8
	last := uint8(0)
	name := func(old uint8) uint8 {
		if old == 0 {
			return 0
		}
		if names[old] == 0 {
			last++
			names[old] = last
		}
		return names[old]
	}
	token := func(t *Token) { *t = Token(name(t.consumer())<<2) | *t&3 }
	for i := range s.Executors {
		s.Executors[i].Consumer = name(s.Executors[i].Consumer)
	}
	for i := range s.Stream {
		s.Stream[i].Holder = name(s.Stream[i].Holder)
	}
	for i := range s.Running {
		token(&s.Running[i].Owner)
	}
	for i := range s.Executors {
		token(&s.Executors[i].Owner)
	}
	s.calls(func(c *Call) {
		token(&c.Owner)
		c.Consumer = name(c.Consumer)
	})
}

// renameTerms numbers the revisions that are mentioned, in their order.
func (s *State) renameTerms() {
	used := uint16(1)<<s.Fence | 1<<s.Highest
	for _, l := range s.Leaders {
		used |= 1<<l.Key | 1<<l.Term
	}
	s.calls(func(c *Call) { used |= 1 << c.Term })
	var names [16]uint8
	first, last := uint16(0), uint8(0)
	for rev := uint8(1); rev < s.Rev; rev++ {
		if used>>rev&1 != 0 {
			last++
			names[rev] = last
			first |= s.First >> rev & 1 << last
		}
	}
	s.First, s.Rev = first, last+1
	s.Fence, s.Highest = names[s.Fence], names[s.Highest]
	for i := range s.Leaders {
		l := &s.Leaders[i]
		l.Key, l.Term = names[l.Key], names[l.Term]
	}
	s.calls(func(c *Call) { c.Term = names[c.Term] })
}
