package executor

import (
	"context"
	"time"
)

const (
	// quickTurn is how soon places must come free for the next runs to be fetched before there is room.
	quickTurn = 5 * time.Millisecond
	// aheadPatience is how long what was fetched so waits for enough places. Then what has none goes back.
	aheadPatience = 20 * time.Millisecond
)

// roundAhead is a round in a backlog whose handlers return soon: the next runs are fetched while there is no room
// for them yet, so that a start call is ready when there is.
func (l *line) roundAhead(ctx, work context.Context) (more bool, err error) {
	if err := l.giveUp(ctx); err != nil {
		return true, err
	}
	if l.ahead.empty() {
		ask := l.entries(l.half())
		entries, err := l.queue.Fetch(ctx, l.consumer.Partition, l.cfg.Name, l.consumer.Name, ask, 0)
		if err != nil {
			return true, err
		}
		l.backlog = len(entries) >= ask
		l.ahead = l.sort(entries)
		if l.ahead.empty() {
			return false, nil
		}
	}
	if err := l.starts.wait(startLimit - 1); err != nil {
		return true, err
	}
	need := l.ahead.need()
	if want := min(l.ample(), need); l.pool.slots.await(ctx, want, aheadPatience) < want {
		l.quick = false
	}
	room := l.pool.slots.take(need)
	first := l.ahead.cut(room)
	l.pool.slots.give(max(room-first.need(), 0))
	if more, err = l.act(ctx, work, first, min(room, first.need())); more || err != nil {
		l.ahead = sorted{} // all that is pending is read again
		return true, err
	}
	return l.returnAhead(ctx)
}

// returnAhead gives back what was fetched ahead when places do not come free soon any more, since another node
// may have room.
func (l *line) returnAhead(ctx context.Context) (more bool, err error) {
	if l.quick || l.ahead.empty() {
		return false, nil
	}
	ids := l.ahead.ids()
	l.ahead = sorted{}
	err = l.queue.HandBack(ctx, l.consumer, ids)
	return err != nil, err
}

// half is how many places one of two batches has in a backlog: one is being started while the other is fetched.
func (l *line) half() int { return (l.cfg.Concurrency + 1) / 2 }

// ample is how many free places make a start worth its while in a backlog.
func (l *line) ample() int { return (l.cfg.Concurrency + 3) / 4 }

func (s *sorted) empty() bool {
	return len(s.nudges)+len(s.start)+len(s.missing)+len(s.broken) == 0
}

// need is how many places they take.
func (s *sorted) need() int { return s.count + len(s.nudges) }

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

// cut takes nudges, what needs no room, and of the entries to start the first that there is room for, one at
// least if there is any.
func (s *sorted) cut(room int) sorted {
	first := sorted{nudges: s.nudges, missing: s.missing, broken: s.broken}
	room -= len(s.nudges)
	n := 0
	for n < len(s.start) && (n == 0 && room > 0 || first.count+len(s.start[n].messages) <= room) {
		first.count += len(s.start[n].messages)
		n++
	}
	first.start = s.start[:n]
	*s = sorted{start: s.start[n:], count: s.count - first.count}
	return first
}
