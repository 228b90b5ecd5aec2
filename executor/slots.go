package executor

import (
	"slices"
	"sync"
	"time"
)

const (
	// softenAfter is how long a turn waits for as many places as make a start worth its while. Then one is enough.
	softenAfter = 20 * time.Millisecond
	// splitAfter is how long an entry of several messages waits for places for all. Then as many start as have one.
	splitAfter = 100 * time.Millisecond
	// evenFactor is for how many of its own reads a line waits for one that is behind, so that a slow partition
	// holds up others no longer than a fast one takes, and evenLimit how long at most.
	evenFactor = 8
	evenLimit  = 200 * time.Millisecond
	// quickPeriod is within what time a quarter of the places must come free for runs to be fetched ahead of places.
	quickPeriod = 250 * time.Millisecond
)

// slots hands out the places of a pool to its lines. Lines that wait are served in turn, those first that hold
// runs which they have fetched already.
type slots struct {
	now  func() time.Time
	mu   sync.Mutex
	size int // all places
	free int
	// spare is how many more runs may be fetched ahead of places. What a read that waits for work brings beyond
	// the free places counts too, so that spare may be below zero.
	spare int
	queue []*turn // who waits, in the order in which they are served
	seq   int64   // of the latest turn to hold runs
	lines []progress

	returned int       // places since then
	since    time.Time // when returned was 0
	quick    bool      // places come free soon, so that runs may be fetched ahead of them
}

// progress is how far a line has come with its stream.
type progress struct {
	backlog bool  // the last read got all it asked for, so that there may be more
	fetched int64 // runs since the backlog began, on top of what the line that was behind had then
}

// turn is a line's wait for places. Its fields are under the lock of slots once it is in the queue.
type turn struct {
	line  int           // its number; who has fetched the fewest runs is served first
	even  time.Time     // until when it waits for lines that are behind
	seq   int64         // among those that hold runs, which are served in the order in which they began to
	want  int           // more places
	least int           // of which so many at once are worth a start
	holds bool          // the runs that want places were fetched
	ready chan struct{} // of capacity 1: look again
	got   int           // places given and not collected
	ahead int           // runs that may be fetched before there are places, given and not collected
}

// init makes all places free, for so many lines.
func (s *slots) init(size, lines int, now func() time.Time) {
	s.now, s.size, s.free, s.spare, s.lines = now, size, size, (size+1)/2, make([]progress, lines)
	for i := range s.lines {
		s.lines[i].backlog = true // as long as nobody has looked
	}
}

// half is how many runs a line fetches at once when no other has a backlog: one half is being started while
// the other is fetched.
func (s *slots) half() int { return (s.size + 1) / 2 }

// ample is how many free places make a start worth its while in a backlog.
func (s *slots) ample() int { return (s.size + 3) / 4 }

// newTurn makes a turn of a line, which waits so long for lines that are behind it.
func (s *slots) newTurn(line int, even time.Duration) *turn {
	return &turn{line: line, even: s.now().Add(even), ready: make(chan struct{}, 1)}
}

// join puts t into the queue, or changes what it waits for: so many places. holds says that the runs which want
// them were fetched.
func (s *slots) join(t *turn, want, least int, holds bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(t)
	t.want, t.least = want, max(1, min(least, want))
	if holds && !t.holds {
		s.holds(t)
	}
	at := slices.IndexFunc(s.queue, func(other *turn) bool { return s.before(t, other) })
	if at < 0 {
		at = len(s.queue)
	}
	s.queue = slices.Insert(s.queue, at, t)
	s.serve()
}

// holds notes that the runs which t wants places for were fetched, or are about to be.
func (s *slots) holds(t *turn) {
	s.seq++
	t.holds, t.seq = true, s.seq
}

// before puts turns first whose runs were fetched, in that order, and then those of lines that are behind.
func (s *slots) before(a, b *turn) bool {
	switch {
	case a.holds != b.holds:
		return a.holds
	case a.holds:
		return a.seq < b.seq
	}
	return s.lines[a.line].fetched < s.lines[b.line].fetched
}

// note is told that a line has fetched so many runs, and whether its stream may have more. A backlog that begins
// has the same right as others to the next places, however long they have lasted.
func (s *slots) note(line, runs int, backlog bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.lines[line]
	if backlog && !p.backlog {
		behind, n := s.behind()
		p.fetched = min(behind, max(p.fetched, behind-int64(s.shareOf(n+1))))
	}
	p.backlog = backlog
	p.fetched += int64(runs)
	s.serve()
}

// behind is how many runs the line has fetched that is most behind of those with a backlog, and how many of those
// there are.
func (s *slots) behind() (fetched int64, lines int) {
	for _, p := range s.lines {
		if !p.backlog {
			continue
		}
		if lines++; lines == 1 || p.fetched < fetched {
			fetched = p.fetched
		}
	}
	return fetched, lines
}

// share is how many runs a line fetches at once: the fewer, the more lines have a backlog, so that they all
// advance evenly.
func (s *slots) share() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, n := s.behind()
	return s.shareOf(n)
}

func (s *slots) shareOf(lines int) int {
	if lines > 1 {
		return max(1, min(s.size/lines, s.ample()))
	}
	return s.half()
}

// leave takes t out of the queue. What it was given stays its own.
func (s *slots) leave(t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(t)
	s.serve()
}

func (s *slots) drop(t *turn) {
	if at := slices.Index(s.queue, t); at >= 0 {
		s.queue = slices.Delete(s.queue, at, at+1)
	}
}

// soften lets t be served with a single place.
func (s *slots) soften(t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.least = 1
	s.serve()
}

// collect returns what t was given since it last did, and adds places that came free meanwhile and that nobody
// waits for.
func (s *slots) collect(t *turn) (places, ahead int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if more := min(t.want-t.got, s.free); t.got > 0 && more > 0 && len(s.queue) == 0 {
		t.got += more
		s.free -= more
	}
	places, ahead = t.got, t.ahead
	t.got, t.ahead = 0, 0
	return places, ahead
}

// serve gives places to the first of the queue, and lets others fetch ahead, as far as both go. The lock is held.
func (s *slots) serve() {
	for len(s.queue) > 0 {
		t := s.queue[0]
		n := min(t.want, s.free)
		if n < t.least || s.early(t) {
			break
		}
		s.free -= n
		t.got += n
		s.queue = slices.Delete(s.queue, 0, 1)
		t.tell()
	}
	if !s.quick {
		return
	}
	for _, t := range s.queue {
		if t.holds {
			continue
		}
		n := min(t.want, s.spare)
		if n < t.least || s.early(t) {
			return
		}
		s.spare -= n
		t.ahead += n
		s.holds(t) // it stays where it is: all before it hold runs too
		t.tell()
	}
}

// early reports whether t has to wait since its line is ahead of others.
func (s *slots) early(t *turn) bool {
	if t.holds || !s.lines[t.line].backlog {
		return false
	}
	behind, n := s.behind()
	return n > 1 && s.lines[t.line].fetched-behind > int64(s.shareOf(n)/4) && s.now().Before(t.even)
}

func (t *turn) tell() {
	select {
	case t.ready <- struct{}{}:
	default:
	}
}

// hold counts n more runs that a line holds without places; n may be negative.
func (s *slots) hold(n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare -= n
	s.serve()
}

// isQuick reports whether places come free soon.
func (s *slots) isQuick() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quick
}

// slow has nothing fetched ahead until a quarter of the places came free within a short time.
func (s *slots) slow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quick, s.returned, s.since = false, 0, s.now()
}

// give returns n places that runs had.
func (s *slots) give(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.returned += n; s.returned >= s.ample() {
		now := s.now()
		s.quick = now.Sub(s.since) <= quickPeriod
		s.returned, s.since = 0, now
	}
	s.free += n
	s.serve()
}

// back returns n places that no run had.
func (s *slots) back(n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
	s.serve()
}
