package scheduler

import (
	"context"

	"github.com/carillon-project/carillon/store"
)

// goesOn reports whether more due times line up than the message holds. What lies beyond waits for its runs.
func (d *decision) goesOn() bool { return d.more && len(d.runs) == MaxRuns }

// recall learns from Redis which jobs have a backlog that goes on: when this office begins, and after a dispatch
// whose outcome is not known. Backlogs of jobs that are not there any more are forgotten.
func (p *partition) recall(ctx context.Context) error {
	call, done := p.call(ctx)
	defer done()
	backlogs, err := p.cfg.Store.Backlogs(call, p.index)
	if err != nil {
		return err
	}
	ids := make([]string, len(backlogs))
	for i, b := range backlogs {
		ids[i] = b.JobID
	}
	found, err := p.cfg.Store.Records(call, p.index, ids, nil)
	if err != nil {
		return err
	}
	var over []store.Backlog
	now := p.elapsed()
	for i, b := range backlogs {
		f := &found[i]
		if f.Err == nil && f.UID != b.UID {
			over = append(over, b)
			continue
		}
		h := p.keep(store.DueJob{ID: b.JobID}, now)
		if h.run != b.Run {
			h.header, h.run, h.since = store.Header{UID: b.UID}, b.Run, now
		}
	}
	p.unsure = false
	if len(over) == 0 {
		return nil
	}
	return p.cfg.Store.ForgetBacklogs(call, p.index, p.office, over)
}

// backlogEnded asks whether the runs of the job's last full message have ended, so that the next
// ones may follow. lineUp is true for a job that continues a backlog.
func (p *partition) backlogEnded(ctx context.Context, j store.DueJob, header store.Header) (lineUp, ready bool, err error) {
	h := p.held[j.ID]
	if h == nil || h.run == "" || h.header.UID != header.UID {
		return false, true, nil
	}
	now := p.elapsed()
	if now-h.since < backlogWait {
		call, done := p.call(ctx)
		defer done()
		rows, err := p.cfg.Store.History(call, j.ID, 20)
		if err != nil {
			return false, false, err
		}
		ended := false
		for _, r := range rows {
			ended = ended || r.RunID == h.run
		}
		if !ended {
			h.until = now + backlogPoll
			return true, false, nil
		}
	}
	return true, true, nil
}
