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
	// foreseenJobs and foreseenBytes bound what is read ahead, so that it drives out neither one another nor
	// all jobs that come round often.
	foreseenJobs  = cacheEntries * 3 / 4
	foreseenBytes = cacheBytes * 3 / 4
	foreseenPage  = recordsBatch
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
	bytes := 0
	for at := 0; at < foreseenJobs && bytes < foreseenBytes && ctx.Err() == nil && !p.mail.before(target); at += foreseenPage {
		if p.clock.local(target)-p.elapsed() < foresightRoom {
			return
		}
		p.pulse.beat()
		var page foreseen
		var err error
		if page, err = p.foreseePage(ctx, at, until, room[:0]); err != nil || !page.more {
			return // an error comes again with the next look
		}
		room, bytes = page.found, bytes+page.bytes
	}
}

// foreseen is a page of jobs that was read before they are due.
type foreseen struct {
	found []store.Found // of those that were not known
	bytes int           // what all of them keep in the cache
	more  bool
}

// foreseePage makes known what is not yet of a page of jobs in the order of their run times, those until a
// time. Jobs that come and go meanwhile move the pages a little. It reads into room.
func (p *partition) foreseePage(ctx context.Context, from int, until int64, room []store.Found) (page foreseen, err error) {
	call, done := p.call(ctx)
	defer done()
	jobs, err := p.cfg.Store.Coming(call, p.index, from, foreseenPage)
	if err != nil {
		return page, err
	}
	var ids []string
	for _, j := range jobs {
		if j.RunTime > until {
			break
		}
		if k, known := p.jobs.get(j.ID); known {
			page.bytes += k.size() + entryOverhead
		} else {
			ids = append(ids, j.ID)
		}
	}
	page.more = len(jobs) == foreseenPage && jobs[len(jobs)-1].RunTime <= until
	if page.found, err = p.cfg.Store.Records(call, p.index, ids, room); err != nil {
		return page, err
	}
	read := 0
	for i := range page.found {
		f := &page.found[i]
		if f.Err != nil || f.State != store.Active || f.Next == 0 {
			continue
		}
		if c, err := p.compile(f.Entry); err == nil {
			page.bytes += p.know(c, f.Header).size() + entryOverhead
			read++
		}
	}
	if read > 0 {
		p.cfg.Observe(Observation{Partition: p.index, Foreseen: read})
	}
	return page, nil
}
