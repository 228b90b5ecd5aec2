package carillon

import (
	"context"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// RewindJob gives a job that was dispatched while the clock of Redis was ahead its next time, counted from now. Such
// a job is silent until the clock has come to its last time, since no time of a job comes twice; after RewindJob the
// times between now and that one come again, under the run ids that they had. Any other job stays as it is. A paused
// job stays paused.
func (c *Client) RewindJob(ctx context.Context, id string, opts ...CallOption) (Job, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return Job{}, err
	}
	now, err := s.Now(ctx, s.PartitionOf(id))
	if err != nil {
		return Job{}, err
	}
	return c.change(ctx, s, id, job.JobModified, "rewound: the clock of Redis was ahead", func(e store.Entry) (store.Entry, error) {
		if !e.Ahead(now) {
			return e, errUnchanged
		}
		return rewound(e, now, almanacOf(ctx, s, id))
	})
}

// rewound is e with its next time counted from now, Unix ms of Redis. A next time that was asked for stays.
func rewound(e store.Entry, now int64, by *almanac) (store.Entry, error) {
	e.Last = now
	if e.Asked != 0 && e.Next == e.Asked {
		return e, nil
	}
	state, reason := e.State, e.Reason
	if err := schedule(&e, time.UnixMilli(now), by); err != nil {
		return e, err
	}
	if e.State, e.Reason = state, reason; state != store.Active {
		e.RunTime = 0
	}
	return e, nil
}

// JobsAhead returns the ids of the jobs of a store that were dispatched while the clock of Redis was ahead: their
// last times are more than a minute after its time now, and they are silent until then. See RewindJob.
func (c *Client) JobsAhead(ctx context.Context, opts ...CallOption) ([]string, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return nil, err
	}
	now := make([]int64, s.Partitions())
	for p := range now {
		if now[p], err = s.Now(ctx, p); err != nil {
			return nil, err
		}
	}
	var ids []string
	seen := map[string]bool{}
	err = s.EachJob(ctx, func(e store.Entry) bool {
		if id := e.Job.ID; !seen[id] && e.Ahead(now[s.PartitionOf(id)]) {
			seen[id], ids = true, append(ids, id)
		}
		return true
	})
	return ids, err
}
