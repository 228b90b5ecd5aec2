package scheduler

import (
	"context"
	"slices"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// auditEvery is how often counters are audited and uids of removed jobs forgotten.
const auditEvery = time.Minute

// reclaimBatch is how many entries one call of store.Reclaim puts back at most.
const reclaimBatch = 100

// keepHouse puts back what consumers fetched and never started, keeps lines moving, and audits,
// until ctx ends; an error means that the office is over. Other failures are tried again at the
// next round.
func (p *partition) keepHouse(ctx context.Context) error {
	tick := time.NewTicker(p.cfg.Lease / 3)
	defer tick.Stop()
	h := house{partition: p, audited: p.elapsed()}
	for {
		err := h.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case lostOffice(err):
			return err
		case err != nil:
			p.log.Warn("housekeeping failed, trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// house is the housekeeping of one partition.
type house struct {
	*partition
	audited  time.Duration
	tidied   uint64   // how far store.Tidy came
	unserved []string // executors that are known to serve nobody
}

func (h *house) round(ctx context.Context) error {
	call, done := h.limited(ctx)
	defer done()
	known, err := h.cfg.Store.RegistryIn(call, h.index)
	if err != nil {
		return err
	}
	if err := h.reclaim(ctx, known.Executors); err != nil {
		return err
	}
	sweep, done := h.limited(ctx)
	defer done()
	if err := h.cfg.Store.Sweep(sweep, h.index); err != nil {
		return err
	}
	if h.elapsed()-h.audited < auditEvery {
		return nil
	}
	h.audited = h.elapsed()
	return h.audit(ctx, known)
}

// reclaim puts back what consumers that are gone have pending, and what any consumer has had pending
// for a lease. It is safe whoever is alive: start refuses what is not pending any more.
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
	for _, c := range consumers {
		gone := sure && !living[c.Name]
		if !gone && c.Pending == 0 {
			continue
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

// audit mends counters, which must never be needed, and forgets uids of removed jobs and what is too old.
func (h *house) audit(ctx context.Context, known store.Registry) error {
	call, done := context.WithTimeout(ctx, auditEvery/2)
	defer done()
	mended, err := h.cfg.Store.Audit(call, h.index, h.office)
	if len(mended) > 0 {
		h.log.Error("audit repaired slot counters; this is a fault of Carillon, please report it", "repairs", mended)
		h.cfg.Observe(Observation{Partition: h.index, Repairs: mended})
	}
	if err != nil {
		return err
	}
	if _, err = h.cfg.Store.Prune(call, h.index, h.office, known.Executors); err != nil {
		return err
	}
	h.tidied, _, err = h.cfg.Store.Tidy(call, h.index, h.office, known.Tasks, h.tidied)
	return err
}
