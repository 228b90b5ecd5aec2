package scheduler

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// settleEvery is how often runs of unserved tasks are looked through when nothing has changed.
const settleEvery = time.Minute

// servedEvery is how often it is written who serves what when nothing has changed. The store forgets it after a
// minute.
const servedEvery = 15 * time.Second

// serving is what the housekeeping of a partition knows of tasks and the nodes that serve them.
type serving struct {
	tasks   map[string][]string // as they were written last; nil = not yet
	written time.Duration
	settled time.Duration // when runs of unserved tasks were looked through last
	told    bool          // that some wait
}

// servedBy is who serves what, as a predicate. ok is false when it is not known.
func (p *partition) servedBy() (served func(executor, task string) bool, ok bool) {
	tasks, _, ok := p.cfg.Served()
	return func(executor, task string) bool {
		_, found := slices.BinarySearch(tasks[executor], task)
		return found
	}, ok
}

// holdUnserved puts off again those of the runs due in delayed that nobody could run.
func (p *partition) holdUnserved(ctx context.Context, due store.Due) (more bool, err error) {
	served, ok := p.servedBy()
	if !ok {
		return false, nil
	}
	held, missed, err := p.cfg.Store.HoldUnserved(ctx, p.index, p.office, due.Now, promoteLimit, served)
	if missed > 0 {
		p.log.Warn("runs missed, no living node of their executor serves their task", "count", missed)
		p.cfg.Observe(Observation{Partition: p.index, Skipped: map[job.Outcome]int64{job.Missed: int64(missed)}})
	}
	return held > 0, err
}

// serve writes who serves what, and makes runs due whose task is served again.
func (h *house) serve(ctx context.Context) error {
	tasks, _, ok := h.cfg.Served()
	if !ok {
		return nil
	}
	now, s := h.elapsed(), &h.serving
	changed := s.tasks == nil || !maps.EqualFunc(tasks, s.tasks, slices.Equal)
	if changed || now-s.written >= servedEvery {
		call, done := h.limited(ctx)
		err := h.cfg.Store.SaveServed(call, h.index, h.office, tasks)
		done()
		if err != nil {
			return err
		}
		s.tasks, s.written = tasks, now
	}
	if !changed && now-s.settled < settleEvery {
		return nil
	}
	return h.settle(ctx, now)
}

// settle looks through the runs of unserved tasks.
func (h *house) settle(ctx context.Context, now time.Duration) error {
	served, ok := h.servedBy()
	if !ok {
		return nil
	}
	call, done := context.WithTimeout(ctx, settleEvery/2)
	defer done()
	due, waiting, err := h.cfg.Store.SettleUnserved(call, h.index, h.office, served)
	if due > 0 {
		h.log.Info("runs are due again, a node serves their task", "count", due)
		h.mail.put(0)
	}
	if err != nil {
		h.serving.tasks = nil // begin again at the next round
		return err
	}
	if waiting > 0 && !h.serving.told {
		h.log.Warn("runs wait since no living node of their executor serves their task", "count", waiting,
			"remedy", "carillon run list --delayed names them; start a node that serves them, or end them with: carillon run cancel --task NAME")
	}
	h.serving.settled, h.serving.told = now, waiting > 0
	return nil
}
