package executor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

const (
	// batchLimit bounds the messages of one start call, save that an entry is never divided.
	batchLimit = 1000
	// reportedLimit bounds what is remembered of bodies of a newer format.
	reportedLimit = 1000
	// postponement is how long what only other nodes can run is put off, spread by as much more.
	postponement = time.Second
)

// opened is an entry whose messages can all be read.
type opened struct {
	id       string
	messages []store.Message
	bodies   []string // the same as they are stored
}

// nudge is an entry that says that the line of a slot may move.
type nudge struct{ entry, slot string }

// sorted are fetched entries by what is to be done with them, but for those left to newer nodes.
type sorted struct {
	nudges  []nudge
	start   []opened
	missing []opened        // with a task that this node has no handler for
	broken  []store.Fetched // that no node can read
	count   int             // messages in start
}

// sort opens entries. Those of a newer format are remembered in l.left.
func (l *line) sort(entries []store.Fetched) sorted {
	var s sorted
	for _, e := range entries {
		if slot, ok := store.SlotOfNudge(e.Bodies[0]); ok {
			s.nudges = append(s.nudges, nudge{entry: e.ID, slot: slot})
			continue
		}
		o, err := open(e)
		switch {
		case errors.Is(err, store.ErrNewerFormat):
			l.leave(e, err)
		case err != nil:
			l.log.Error("message cannot be read, moved to the dead runs", "entry", e.ID, "error", err)
			s.broken = append(s.broken, e)
		case l.lacks(o):
			s.missing = append(s.missing, o)
		default:
			s.start = append(s.start, o)
			s.count += len(o.messages)
		}
	}
	return s
}

// open reads the messages of an entry. One of a newer format makes it one of newer nodes, whatever
// else there is.
func open(e store.Fetched) (opened, error) {
	o, fault := opened{id: e.ID, messages: make([]store.Message, 0, len(e.Bodies)), bodies: e.Bodies}, error(nil)
	for _, body := range e.Bodies {
		m, err := store.DecodeMessage(body)
		if errors.Is(err, store.ErrNewerFormat) {
			return opened{}, err
		}
		if err != nil && fault == nil {
			fault = err
		}
		o.messages = append(o.messages, m)
	}
	return o, fault
}

// leave keeps an entry of a newer format in the pending list until newer nodes may have it, and logs
// a body once however often it comes round.
func (l *line) leave(e store.Fetched, err error) {
	l.left[e.ID] = l.cfg.Now().Add(l.delay())
	key := strings.Join(e.Bodies, "\n")
	key = key[:min(len(key), 256)]
	if l.reported[key] {
		return
	}
	if len(l.reported) >= reportedLimit {
		clear(l.reported)
	}
	l.reported[key] = true
	l.log.Warn("this node cannot read it, left to others", "entry", e.ID, "error", err)
}

// giveUp hands back what was left to newer nodes for long enough.
func (l *line) giveUp(ctx context.Context) error {
	var ids []string
	now := l.cfg.Now()
	for id, until := range l.left {
		if !now.Before(until) && len(ids) < handBackCount {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	if err := l.queue.HandBack(ctx, l.consumer, ids); err != nil {
		return err
	}
	for _, id := range ids {
		delete(l.left, id)
	}
	return nil
}

// delay is how long to put off what others are to run.
func (l *line) delay() time.Duration {
	return postponement + time.Duration(float64(postponement)*l.cfg.Rand())
}

// act sees to fetched entries: each is postponed or set aside, or its start has begun. room is how many places
// there are for them; it gives back what it does not use.
func (l *line) act(ctx, work context.Context, s sorted, room int) error {
	if err := l.putOff(ctx, s); err != nil {
		l.pool.slots.back(room)
		return err
	}
	ctx = context.WithoutCancel(ctx) // what is started must be heard of
	for _, n := range s.nudges {
		used, err := l.startNext(ctx, work, n)
		room -= used
		if errors.Is(err, store.ErrNewerFormat) || errors.Is(err, store.ErrUnreadable) { // this line waits alone
			l.leave(store.Fetched{ID: n.entry, Bodies: []string{"line " + n.slot}}, err)
			continue
		}
		if err != nil {
			l.pool.slots.back(room)
			return err
		}
	}
	if len(s.start) == 0 {
		l.pool.slots.back(room)
		return nil
	}
	if l.cut.Load() { // what ended meanwhile is to be reported before these are judged
		l.pool.slots.back(room)
		return errCutOff
	}
	l.starts.begin(func(earlier <-chan struct{}, answered func()) error {
		defer answered()
		return l.startParts(ctx, work, s.start, room, earlier, answered)
	})
	return nil
}

// putOff sees to what this node does not start.
func (l *line) putOff(ctx context.Context, s sorted) error {
	for _, e := range s.broken {
		if err := l.queue.SetAside(ctx, l.consumer, e); err != nil {
			return err
		}
	}
	for _, o := range s.missing {
		if err := l.postpone(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// startParts starts entries, in calls that are not too large, as far as there is room, and gives back what
// room is left. It asks after earlier, and says when the last call was answered.
func (l *line) startParts(ctx, work context.Context, entries []opened, room int, earlier <-chan struct{}, answered func()) error {
	defer func() { l.pool.slots.back(room) }()
	parts := batches(entries)
	for i, part := range parts {
		st := l.startOf(part, room)
		<-earlier
		sent := l.cfg.Now()
		replies, err := l.ask(ctx, work, st)
		if err != nil {
			return err
		}
		if i == len(parts)-1 {
			answered()
		}
		used, err := l.begun(work, st, replies, sent)
		room -= used
		if err != nil {
			return err
		}
	}
	return nil
}

// batches divides entries so that each part has at most batchLimit messages, or is one entry.
func batches(entries []opened) [][]opened {
	var parts [][]opened
	from, n := 0, 0
	for i, e := range entries {
		if i > from && n+len(e.messages) > batchLimit {
			parts = append(parts, entries[from:i])
			from, n = i, 0
		}
		n += len(e.messages)
	}
	if from < len(entries) {
		parts = append(parts, entries[from:])
	}
	return parts
}

// startOf is the call that starts as many messages as there is room for, in order, and gives the others back.
func (l *line) startOf(entries []opened, room int) store.Start {
	st := store.Start{Consumer: l.consumer, Owner: l.owner(), Lease: l.cfg.Lease, Entries: make([]string, 0, len(entries))}
	count := 0
	for _, e := range entries {
		count += len(e.messages)
	}
	st.Run = make([]store.Taken, 0, min(count, room))
	for i, e := range entries {
		st.Entries = append(st.Entries, e.id)
		for k := range e.messages {
			t := store.Taken{Entry: i, Message: &e.messages[k], Body: e.bodies[k]}
			if len(st.Run) < room {
				st.Run = append(st.Run, t)
			} else {
				st.Return = append(st.Return, t)
			}
		}
	}
	return st
}

// begun acts on the answers to st, and returns how many places are in use by them now.
func (l *line) begun(work context.Context, st store.Start, replies []store.StartReply, sent time.Time) (used int, err error) {
	paused, later := false, false
	for i, r := range replies {
		later = later || r.Verdict == store.StartLater
		if l.answered(work, st.Run[i].Message, r, st.Owner, sent) {
			used++
		}
		paused = paused || r.Verdict == store.StartPaused
	}
	if later {
		l.putLater(st, replies)
	}
	if paused {
		return used, errPaused
	}
	return used, nil
}

// ask sends st, again and again while its outcome is unknown and its leases could be used: runs
// that have started unheard would be lost until their leases end.
func (l *line) ask(ctx, work context.Context, st store.Start) ([]store.StartReply, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Lease)
	defer cancel()
	for t := l.trouble("starting runs"); ; {
		replies, err := l.queue.Start(ctx, st)
		if err == nil {
			t.clear()
			return replies, nil
		}
		if ctx.Err() != nil || work.Err() != nil || len(st.Run) == 0 {
			return nil, err
		}
		t.note(err)
		t.pause(ctx)
	}
}

// answered acts on the verdict on m, and reports whether a run has begun.
func (l *line) answered(work context.Context, m *store.Message, r store.StartReply, owner string, sent time.Time) bool {
	missed := m.Runs[:len(m.Runs)-len(r.Message.Runs)]
	switch r.Verdict {
	case store.StartMissed:
		l.tellAll(job.JobMissed, m, m.Runs, "later than its grace")
	case store.StartRemoved:
		l.tellAll(job.JobCancelled, m, m.Runs, removedCause)
	case store.StartFull:
		l.tellAll(job.JobMissed, m, missed, "later than its grace")
		l.tellAll(job.JobMaxInstances, m, r.Message.Runs, "no slot is free")
	case store.StartWaiting:
		l.tellAll(job.JobMissed, m, missed, "later than its grace")
	case store.Started:
		l.tellAll(job.JobMissed, m, missed, "later than its grace")
		return l.begin(work, r.Message, owner, sent, r.Now)
	}
	return false // LATER: it stays pending; RUNNING: others run it; GONE: it was taken from us; PAUSED: nothing was done
}

// askNext asks for the first in line, for the same owner again and again while a run may have started unheard and
// its lease could be used.
func (l *line) askNext(ctx, work context.Context, owner string, n nudge) (store.StartReply, error) {
	for t := l.trouble("starting the first in line"); ; {
		r, err := l.queue.StartNext(ctx, l.consumer, owner, l.cfg.Lease, n.entry, n.slot)
		if err == nil {
			t.clear()
			return r, nil
		}
		if errors.Is(err, store.ErrNotStarted) || ctx.Err() != nil || work.Err() != nil {
			return store.StartReply{}, err
		}
		t.note(err)
		t.pause(ctx)
	}
}

// startNext answers a nudge, and returns 1 when a run has begun.
func (l *line) startNext(ctx, work context.Context, n nudge) (used int, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Lease)
	defer cancel()
	owner, sent := l.owner(), l.cfg.Now()
	r, err := l.askNext(ctx, work, owner, n)
	if err != nil {
		return 0, err
	}
	if r.Verdict == store.StartPaused {
		return 0, errPaused
	}
	if r.Verdict == store.Started && l.begin(work, r.Message, owner, sent, r.Now) {
		return 1, nil
	}
	return 0, nil
}
