package executor

import (
	"context"
	"errors"
	"time"

	"github.com/carillon-project/carillon/store"
)

const (
	// reportPatience is how long a line that was cut off waits, before it fetches, for the reports of what ended
	// meanwhile.
	reportPatience = 2 * time.Second
	// reportLook is how often it looks whether they are made.
	reportLook = 2 * time.Millisecond
	// laterPause is how long a run that is to start later stays pending before its start is asked for again.
	laterPause = 50 * time.Millisecond
)

// errCutOff is the verdict that the store may have been out of reach since the runs were fetched.
var errCutOff = errors.New("store was out of reach")

// noteCut remembers that the store was out of reach, unless err is its answer.
func (l *line) noteCut(err error) {
	if !errors.Is(err, errPaused) && !errors.Is(err, errCutOff) && !errors.Is(err, context.Canceled) && !store.Answered(err) {
		l.cut.Store(true)
	}
}

// comeBack is called before anything is fetched after the store was out of reach. It returns an error while that
// lasts. Then it has leases renewed and outcomes reported, and waits for the reports: what has ended must not hold
// a slot when the next runs are judged.
func (l *line) comeBack(ctx context.Context) error {
	if !l.cut.Load() {
		return nil
	}
	if err := l.queue.NoteOutage(ctx, l.consumer.Partition, l.cfg.Lease); err != nil {
		return err
	}
	l.cut.Store(false)
	l.renewSoon()
	l.reportSoon()
	tick := time.NewTicker(reportLook)
	defer tick.Stop()
	for until := l.cfg.Now().Add(reportPatience); l.unreported.Load() > 0 && l.cfg.Now().Before(until); {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return nil
}

// reportSoon wakes the finisher, and does not wait.
func (l *line) reportSoon() {
	select {
	case l.reportNow <- struct{}{}:
	default:
	}
}

// putLater notes entries whose runs are to start later. It is called by starts.
func (l *line) putLater(st store.Start, replies []store.StartReply) {
	l.laterMu.Lock()
	defer l.laterMu.Unlock()
	for i, r := range replies {
		if r.Verdict == store.StartLater {
			l.laterMail = append(l.laterMail, st.Entries[st.Run[i].Entry])
		}
	}
}

// seeLater has the pending list read again when it is time to ask once more for runs that are to start later.
func (l *line) seeLater() {
	l.laterMu.Lock()
	mail := l.laterMail
	l.laterMail = nil
	l.laterMu.Unlock()
	now := l.cfg.Now()
	for _, id := range mail {
		l.later[id] = now.Add(laterPause)
	}
	for id, until := range l.later {
		if !now.Before(until) {
			delete(l.later, id)
			l.reread = true
		}
	}
}
