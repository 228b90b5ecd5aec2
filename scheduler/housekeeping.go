package scheduler

import (
	"context"
	"slices"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// reclaimBatch is how many entries one call of store.Reclaim puts back at most.
const reclaimBatch = 100

// keepHouse puts back what consumers fetched and never started, and keeps lines moving, until ctx ends; an
// error means that the office is over. Other failures are tried again at the next round.
func (p *partition) keepHouse(ctx context.Context) error {
	tick := time.NewTicker(p.cfg.Lease / 3)
	defer tick.Stop()
	h := house{partition: p}
	for {
		_, changed, _ := p.cfg.Served()
		if err := h.round(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-changed:
		}
	}
}

// house is the housekeeping of one partition.
type house struct {
	*partition
	unserved []string        // executors that are known to serve nobody
	paused   map[string]bool // executors that were paused at the last look
	serving  serving
}

func (h *house) round(ctx context.Context) error {
	return h.stages(ctx, []stage{
		{"serve", h.serve},
		{"reclaim", h.reclaimAll},
		{"sweep", func(ctx context.Context) error {
			call, done := h.limited(ctx)
			defer done()
			return h.cfg.Store.Sweep(call, h.index)
		}},
	})
}

// stage is one part of the housekeeping; the others do not depend on it.
type stage struct {
	name string
	run  func(ctx context.Context) error
}

// stages runs each stage, also after one that has failed, which is tried again at the next round. An error
// means that the office is over.
func (p *partition) stages(ctx context.Context, all []stage) error {
	for _, s := range all {
		err := s.run(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case lostOffice(err):
			return err
		case err != nil:
			p.log.Warn("housekeeping failed, trying again", "stage", s.name, "error", err)
		}
	}
	return nil
}

func (h *house) reclaimAll(ctx context.Context) error {
	call, done := h.limited(ctx)
	known, err := h.cfg.Store.RegistryIn(call, h.index)
	done()
	if err != nil {
		return err
	}
	return h.reclaim(ctx, known.Executors)
}

// reclaim puts back what consumers that are gone have pending, and what any consumer has had pending
// for a lease, unless its executor is paused: a living consumer keeps its runs in order over a pause. It is safe
// whoever is alive: start refuses what is not pending any more.
func (h *house) reclaim(ctx context.Context, executors []string) error {
	living, served, sure := h.cfg.Members()
	if sure {
		h.noteUnserved(executors, served)
		if err := h.expireUnserved(ctx); err != nil {
			return err
		}
	}
	call, done := h.limited(ctx)
	defer done()
	consumers, err := h.cfg.Store.Consumers(call, h.index, executors)
	if err != nil {
		return err
	}
	before := h.paused
	h.paused = map[string]bool{}
	for _, c := range consumers {
		gone := sure && !living[c.Name]
		if !gone && c.Pending == 0 {
			continue
		}
		if !gone {
			spared, err := h.spared(ctx, c.Executor, before)
			if err != nil {
				return err
			}
			if spared {
				continue
			}
		}
		idle := h.cfg.Lease
		if gone {
			idle = 0
		}
		if err := h.reclaimFrom(ctx, c, idle, gone); err != nil {
			return err
		}
	}
	return nil
}

// spared reports whether an executor is paused, or was at the look before: its nodes may not have read again yet
// what they have pending.
func (h *house) spared(ctx context.Context, executor string, before map[string]bool) (bool, error) {
	call, done := h.limited(ctx)
	defer done()
	paused, err := h.cfg.Store.ExecutorPaused(call, h.index, executor)
	if paused {
		h.paused[executor] = true
	}
	return paused || before[executor], err
}

func (p *partition) reclaimFrom(ctx context.Context, c store.ConsumerInfo, idle time.Duration, drop bool) error {
	for {
		call, done := p.limited(ctx)
		n, err := p.cfg.Store.Reclaim(call, p.index, p.office, c, idle, drop)
		done()
		if err != nil {
			return err
		}
		if n > 0 {
			p.log.Info("entries put back that were fetched and not started", "consumer", c.Name, "executor", c.Executor, "count", n, "gone", drop)
			p.cfg.Observe(Observation{Partition: p.index, Reclaimed: n})
		}
		if n < reclaimBatch {
			return nil
		}
	}
}

// noteUnserved says once of each executor that no living node serves it.
func (h *house) noteUnserved(executors []string, served map[string]bool) {
	var now []string
	for _, e := range executors {
		if served[e] {
			continue
		}
		now = append(now, e)
		if !slices.Contains(h.unserved, e) {
			h.log.Warn("no living node serves the executor, its runs wait until their grace ends", "executor", e)
		}
	}
	h.unserved = now
}

// expireUnserved closes what is too late by now and has nobody who would say so.
func (h *house) expireUnserved(ctx context.Context) error {
	for _, e := range h.unserved {
		call, done := h.limited(ctx)
		n, err := h.cfg.Store.ExpireUnserved(call, h.index, h.office, e)
		done()
		if err != nil {
			return err
		}
		if n > 0 {
			h.log.Warn("runs missed, no living node serves their executor", "executor", e, "count", n)
			h.cfg.Observe(Observation{Partition: h.index, Skipped: map[job.Outcome]int64{job.Missed: int64(n)}})
		}
	}
	return nil
}
