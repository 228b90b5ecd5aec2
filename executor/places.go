package executor

import (
	"context"
	"runtime"
	"time"
)

const (
	// holdLimit is how long runs that were fetched may wait for places. Then those without go back to the stream.
	holdLimit = time.Second
	// crowd is how many messages one entry has at most, as the leader and clients write them.
	crowd = 8
)

// place gives places to runs that are held and begins their start. What has found none in holdLimit goes back
// to the stream, since another node may have room.
func (l *line) place(ctx, work context.Context) error {
	softened := l.waitForPlaces(ctx)
	if ctx.Err() != nil {
		return nil // handBack finds them in the pending list
	}
	if err := l.starts.wait(startLimit - 1); err != nil {
		return err
	}
	first := l.held.cut(l.room, softened || l.room >= l.pool.slots.size)
	over := !l.cfg.Now().Before(l.since.Add(holdLimit))
	if !first.empty() {
		room := min(l.room, first.need())
		if first.need() > room {
			l.reread = true // the rest of the entry is in the pending list as entries of its own
		}
		l.room -= room
		l.recount()
		if err := l.act(ctx, work, first, room); err != nil {
			return err
		}
	}
	if over && !l.held.empty() {
		if err := l.returnHeld(ctx); err != nil {
			return err
		}
	}
	if l.held.empty() {
		l.letGo()
	}
	return nil
}

// waitForPlaces waits until a good part of what is held has places, its first entry at least, and no longer
// than it may be held. softened says that fewer places came free than make a start worth its while.
func (l *line) waitForPlaces(ctx context.Context) (softened bool) {
	s := &l.pool.slots
	if l.turn == nil {
		l.turn = s.newTurn(l.number, 0)
	}
	places, _ := s.collect(l.turn)
	l.room += places
	want := l.held.need() - l.room
	if want <= 0 {
		l.recount()
		return false
	}
	if l.room >= s.size {
		return true // an entry of more messages than the pool has places starts in parts
	}
	least, patience := min(l.held.firstNeed(), s.size)-l.room, softenAfter
	if 1 < l.held.firstNeed() && l.held.firstNeed() <= s.ample() {
		patience = splitAfter
	}
	if s.isQuick() {
		least = max(least, min(s.ample(), want))
	}
	s.join(l.turn, want, least, true)
	places, _, softened = l.await(ctx, l.turn, patience, l.since.Add(holdLimit))
	l.room += places
	l.recount()
	return softened
}

// returnHeld puts back what no place came free for.
func (l *line) returnHeld(ctx context.Context) error {
	l.pool.slots.slow()
	ids := l.held.ids()
	l.held = sorted{}
	l.letGo()
	l.log.Debug("runs handed back, no place came free for them", "entries", len(ids))
	return l.queue.HandBack(ctx, l.consumer, ids)
}

// await waits until t is given places, or may fetch ahead, and no longer than until, if that is set. After patience
// a single place is enough.
func (l *line) await(ctx context.Context, t *turn, patience time.Duration, until time.Time) (places, ahead int, softened bool) {
	s := &l.pool.slots
	if places, ahead = s.collect(t); places+ahead > 0 {
		return places, ahead, false
	}
	l.ready() // it consumes as far as there is room
	soft := time.NewTimer(patience)
	defer soft.Stop()
	var over <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(until.Sub(l.cfg.Now()))
		defer timer.Stop()
		over = timer.C
	}
	for ended := false; ; {
		select {
		case <-t.ready:
			runtime.Gosched() // handlers that are about to return give their places first
		case <-soft.C:
			softened = true
			s.soften(t)
			soft.Reset(softenAfter)
			ended = l.room > 0 // they are not left idle
		case <-over:
			ended = true
		case <-ctx.Done():
			ended = true
		}
		if ended {
			s.leave(t)
		}
		if places, ahead = s.collect(t); places+ahead > 0 || ended {
			return places, ahead, softened || ended
		}
	}
}

// letGo returns the places that the line has and does not use, and its turn.
func (l *line) letGo() {
	if t := l.turn; t != nil {
		l.turn = nil
		l.pool.slots.leave(t)
		places, ahead := l.pool.slots.collect(t)
		l.room += places
		l.counted += ahead
	}
	l.pool.slots.back(l.room)
	l.room = 0
	l.recount()
}

// recount tells the pool how many of the runs that are held have no places.
func (l *line) recount() {
	n := max(0, l.held.need()-l.room)
	l.pool.slots.hold(n - l.counted)
	l.counted = n
}

func (s *sorted) empty() bool {
	return len(s.nudges)+len(s.start)+len(s.missing)+len(s.broken) == 0
}

// need is how many places they take.
func (s *sorted) need() int { return s.count + len(s.nudges) }

// firstNeed is how many places the first of them takes.
func (s *sorted) firstNeed() int {
	if len(s.nudges) > 0 || len(s.start) == 0 {
		return min(1, len(s.nudges))
	}
	return len(s.start[0].messages)
}

// ids are those of all entries.
func (s *sorted) ids() []string {
	ids := idsOf(s.broken)
	for _, n := range s.nudges {
		ids = append(ids, n.entry)
	}
	for _, o := range append(s.missing, s.start...) {
		ids = append(ids, o.id)
	}
	return ids
}

// cut takes what needs no room, and the first nudges and entries that there is room for. With part, the first
// entry is taken although only a part of its messages has room, rather than none.
func (s *sorted) cut(room int, part bool) sorted {
	n := min(room, len(s.nudges))
	first := sorted{nudges: s.nudges[:n], missing: s.missing, broken: s.broken}
	s.nudges, room = s.nudges[n:], room-n
	n = 0
	for n < len(s.start) && first.count+len(s.start[n].messages) <= room {
		first.count += len(s.start[n].messages)
		n++
	}
	if n == 0 && part && room > 0 && len(s.start) > 0 {
		first.count, n = len(s.start[0].messages), 1
	}
	first.start = s.start[:n]
	*s = sorted{nudges: s.nudges, start: s.start[n:], count: s.count - first.count}
	return first
}
