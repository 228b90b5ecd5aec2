package scheduler

import (
	"context"
	"errors"
	"slices"

	"github.com/carillon-project/carillon/store"
)

// known is a job as the leader saw or left it last: its definition, and the header that a dispatch has
// to find. When somebody else has changed it meanwhile the dispatch is refused, and it is read again.
type known struct {
	*compiled
	header store.Header
}

// recordsBatch bounds the memory of records that are read together.
const recordsBatch = 250

// reading is a batch of jobs whose records, as far as they are not known, are being read.
type reading struct {
	batch   []store.DueJob
	jobs    []*known // nil where it is to be read
	missing []int    // indexes of those in the batch
	done    chan struct{}
	found   []store.Found // of missing, when done is closed
	err     error
}

// begin begins to read what is not known of a batch, into room.
func (p *partition) begin(ctx context.Context, batch []store.DueJob, room []store.Found) *reading {
	r := &reading{batch: batch, jobs: make([]*known, len(batch)), done: make(chan struct{}), found: room}
	for i, j := range batch {
		if k, ok := p.jobs.get(j.ID); ok && (k.calendars == 0 || k.calendars == p.calendars.Version) {
			r.jobs[i] = k
		} else {
			r.missing = append(r.missing, i)
		}
	}
	if len(r.missing) == 0 {
		close(r.done)
		return r
	}
	go func() {
		defer close(r.done)
		p.read(ctx, r)
	}()
	return r
}

// read reads the records of a batch that are missing.
func (p *partition) read(ctx context.Context, r *reading) {
	for part := range slices.Chunk(r.missing, recordsBatch) {
		ids := make([]string, len(part))
		for n, i := range part {
			ids[n] = r.batch[i].ID
		}
		call, done := p.call(ctx)
		r.found, r.err = p.cfg.Store.Records(call, p.index, ids, r.found)
		done()
		if r.err != nil {
			return
		}
	}
}

// learn returns the jobs of a batch ready for use; nil stands for one that is gone or unusable.
func (p *partition) learn(ctx context.Context, r *reading) ([]*known, error) {
	if r.err != nil {
		return nil, r.err
	}
	for n, i := range r.missing {
		var err error
		j, f := r.batch[i], &r.found[n]
		if f.State != "" {
			r.jobs[i], err = p.use(ctx, j, f.Entry, f.Err)
		} else {
			err = p.unusable(ctx, j, f)
		}
		if err != nil {
			return nil, err
		}
	}
	return r.jobs, nil
}

// use makes a stored job known, or parks it. What was remembered of an earlier job of the same id is forgotten.
func (p *partition) use(ctx context.Context, j store.DueJob, e store.Entry, bad error) (*known, error) {
	if h := p.held[j.ID]; h != nil && h.header.UID != "" && h.header.UID != e.UID {
		delete(p.held, j.ID)
	}
	if e.State != store.Active || e.Next == 0 {
		return nil, p.park(ctx, store.Sighting{DueJob: j, Header: &e.Header}, "it is in the schedule without being active", nil)
	}
	if bad == nil {
		var c *compiled
		if c, bad = p.compile(e); bad == nil {
			return p.know(c, e.Header), nil
		}
	}
	return nil, p.park(ctx, store.Sighting{DueJob: j, Header: &e.Header}, "its record cannot be used", bad)
}

// know keeps a job for later.
func (p *partition) know(c *compiled, h store.Header) *known {
	h.UID, h.State = c.uid, store.Active // so that the text of the record need not be kept
	k := &known{c, h}
	p.jobs.put(c.id, k, c.size())
	return k
}

// unusable sees to a job without a usable header, or that is not there: it may have been removed just now.
// A run time that stays without a job is taken out in the end.
func (p *partition) unusable(ctx context.Context, j store.DueJob, f *store.Found) error {
	switch {
	case errors.Is(f.Err, store.ErrNewerFormat):
		if p.held[j.ID] == nil {
			p.log.Warn("job has a newer format, left to a newer node", "job", j.ID, "error", f.Err)
		}
		p.keep(j, p.elapsed()).until = p.elapsed() + p.pauseOfNewer()
	case f.Err != nil:
		return p.park(ctx, store.Sighting{DueJob: j, Digest: f.Digest}, "its header cannot be read", f.Err)
	case p.stumbles(j, noJob) > firstStumbles:
		return p.park(ctx, store.Sighting{DueJob: j}, "it is in the schedule without being there", nil)
	default:
		p.stumble(j, noJob, p.elapsed(), 0)
	}
	return nil
}
