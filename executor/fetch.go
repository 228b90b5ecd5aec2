package executor

import (
	"context"
	"time"

	"github.com/carillon-project/carillon/store"
)

// fetch reads entries when none are held: those of the own pending list first, if it has to be read.
func (l *line) fetch(ctx context.Context) error {
	l.seeLater()
	if l.reread {
		return l.fetchPending(ctx)
	}
	if err := l.giveUp(ctx); err != nil {
		return err
	}
	if l.backlog {
		return l.fetchMore(ctx)
	}
	return l.fetchNext(ctx)
}

// fetchPending reads what this consumer has fetched before and not started.
func (l *line) fetchPending(ctx context.Context) error {
	if err := l.starts.wait(0); err != nil {
		return err
	}
	l.seeLater()
	fresh, more, err := l.pending(ctx, l.pool.slots.half())
	if err != nil {
		return err
	}
	if l.reread = more || len(fresh) > 0; !l.reread { // it is not known yet whether there is a backlog: it may be
		l.backlog = true
		l.pool.slots.note(l.number, 0, true)
	}
	l.keep(fresh)
	return nil
}

// fetchNext waits for work while there is a place for it. What it brings beyond the free places is held.
func (l *line) fetchNext(ctx context.Context) error {
	if err := l.starts.wait(0); err != nil {
		return err
	}
	s := &l.pool.slots
	l.turn = s.newTurn(l.number, min(evenFactor*l.pace, evenLimit))
	s.join(l.turn, 1, 1, false)
	if l.room, _ = s.collect(l.turn); l.room == 0 { // others wait for places too: it reads with the one it is given
		l.room, _, _ = l.await(ctx, l.turn, softenAfter, time.Time{})
		if ctx.Err() != nil {
			return nil
		}
		if err := l.read(ctx, 1, 0); err != nil || !l.held.empty() {
			return err
		}
	}
	l.letGo()
	block := l.cfg.Block
	if l.seeLater(); len(l.later) > 0 {
		block = min(block, laterPause)
	}
	return l.read(ctx, max(1, s.half()/(crowd*len(l.pool.lines))), block)
}

// fetchMore reads the next of a backlog: as many as it is given places for, or may fetch ahead of places.
func (l *line) fetchMore(ctx context.Context) error {
	s := &l.pool.slots
	want, least := s.share(), 1
	if s.isQuick() {
		least = s.ample()
	}
	l.turn = s.newTurn(l.number, min(evenFactor*l.pace, evenLimit))
	s.join(l.turn, want, least, false)
	places, ahead, _ := l.await(ctx, l.turn, softenAfter, time.Time{})
	l.room, l.counted = places, l.counted+ahead
	if ctx.Err() != nil {
		return nil
	}
	if ahead == 0 {
		if err := l.starts.wait(startLimit - 1); err != nil {
			return err
		}
	}
	return l.read(ctx, l.entries(max(places, ahead)), 0)
}

// read asks for so many entries and holds what comes.
func (l *line) read(ctx context.Context, ask int, block time.Duration) error {
	began := l.cfg.Now()
	entries, err := l.queue.Fetch(ctx, l.consumer.Partition, l.cfg.Name, l.consumer.Name, ask, block)
	if err != nil {
		return err
	}
	if block == 0 {
		l.pace = max(l.cfg.Now().Sub(began), l.pace*3/4)
	}
	l.keep(entries)
	if n := len(l.held.start); n > 0 { // entries may become larger at once, and are trusted to be smaller by and by
		l.shared = max((l.held.count+n-1)/n, l.shared*3/4)
	}
	l.backlog = len(entries) >= ask
	l.pool.slots.note(l.number, l.held.count, l.backlog)
	return nil
}

// keep holds entries that were fetched now.
func (l *line) keep(entries []store.Fetched) {
	l.held, l.since = l.sort(entries), l.cfg.Now()
	if l.held.empty() {
		l.letGo()
		return
	}
	l.recount()
}

// entries is how many entries to ask for when there is room for so many messages.
func (l *line) entries(free int) int { return max(1, free/max(1, l.shared)) }

// pending reads up to count entries of the own pending list, besides those that are left.
func (l *line) pending(ctx context.Context, count int) (fresh []store.Fetched, more bool, err error) {
	count += len(l.left) + len(l.later)
	entries, err := l.queue.FetchPending(ctx, l.consumer.Partition, l.cfg.Name, l.consumer.Name, count)
	if err != nil {
		return nil, true, err
	}
	there := map[string]time.Time{}
	for _, e := range entries {
		if until, ok := l.left[e.ID]; ok {
			there[e.ID] = until
			continue
		}
		if _, ok := l.later[e.ID]; ok {
			continue
		}
		fresh = append(fresh, e)
	}
	l.left = there
	return fresh, len(entries) == count, nil
}
