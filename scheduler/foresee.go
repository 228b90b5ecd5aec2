package scheduler

import (
	"context"
	"time"

	"github.com/carillon-project/carillon/store"
)

const (
	// foresight is how long before they are due the records of jobs are read: a few naps, and ample time for
	// as many as are kept.
	foresight = 3 * time.Second
	// foresightRoom is how long before the next thing to do no more is read ahead, so that it is not late.
	foresightRoom = 50 * time.Millisecond
	// foreseenJobs bounds what is read ahead of one another, so that it drives out neither each other nor
	// all jobs that come round often.
	foreseenJobs = cacheEntries * 3 / 4
	foreseenPage = recordsBatch
)

// foresee reads jobs that come due soon while there is nothing else to do until target, so that a crowd that is
// due at one instant need not be read then. It decides nothing: a job that is changed meanwhile is refused by
// its dispatch, as one that was read long ago is, and what cannot be read or used is left for when it is due.
func (p *partition) foresee(ctx context.Context, due store.Due, target int64) {
	until := due.Now + foresight.Milliseconds()
	if due.NextRun == 0 || due.NextRun > until {
		return
	}
	var room []store.Found
	for at := 0; at < foreseenJobs && ctx.Err() == nil && !p.mail.before(target); at += foreseenPage {
		if p.clock.local(target)-p.elapsed() < foresightRoom {
			return
		}
		p.pulse.beat()
		more := false
		var err error
		if room, more, err = p.foreseePage(ctx, at, until, room[:0]); err != nil || !more {
			return // an error comes again with the next look
		}
	}
}

// foreseePage makes known what is not yet of a page of jobs in the order of their run times, those until a
// time. Jobs that come and go meanwhile move the pages a little. It returns the room, in which it has read.
func (p *partition) foreseePage(ctx context.Context, from int, until int64, room []store.Found) (found []store.Found, more bool, err error) {
	call, done := p.call(ctx)
	defer done()
	jobs, err := p.cfg.Store.Coming(call, p.index, from, foreseenPage)
	if err != nil {
		return room, false, err
	}
	var ids []string
	for _, j := range jobs {
		if j.RunTime > until {
			break
		}
		if _, known := p.jobs.get(j.ID); !known {
			ids = append(ids, j.ID)
		}
	}
	more = len(jobs) == foreseenPage && jobs[len(jobs)-1].RunTime <= until
	found, err = p.cfg.Store.Records(call, p.index, ids, room)
	if err != nil {
		return found, false, err
	}
	foreseen := 0
	for i := range found {
		f := &found[i]
		if f.Err != nil || f.State != store.Active {
			continue
		}
		if c, err := p.compile(f.Entry); err == nil {
			p.know(c, f.Header)
			foreseen++
		}
	}
	if foreseen > 0 {
		p.cfg.Observe(Observation{Partition: p.index, Foreseen: foreseen})
	}
	return found, more, nil
}
