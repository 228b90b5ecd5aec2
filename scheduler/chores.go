package scheduler

import (
	"context"
	"time"

	"github.com/carillon-project/carillon/store"
)

const (
	// choresEvery is how often counters are audited, what is too old is forgotten, and a pass begins that
	// forgets the uids of removed jobs.
	choresEvery = time.Minute
	// choresLook is how often a leader looks whether that is due.
	choresLook = 30 * time.Second
	// choresCall bounds one step.
	choresCall = 30 * time.Second
	// manyRemoved is how many uids of removed jobs begin a pass before a minute has gone.
	manyRemoved = 1000
	// forgetShare is for how many lengths of a step of a pass the partition is left alone after it, so that a
	// pass through a large backlog takes a tenth of a server at most.
	forgetShare = 9
	// forgetFor is how long a pass goes on before other chores are looked at.
	forgetFor = 10 * time.Second
)

// chores are the parts of the housekeeping that walk through a whole partition. How far they came stands in
// Redis, so that they are done however often the leader changes.
type chores struct {
	*partition
	forgetting *store.Forgetting
	ahead      ahead
}

// doChores audits counters and forgets what is no longer needed, until ctx ends; an error means that the
// office is over. Other failures are tried again.
func (p *partition) doChores(ctx context.Context) error {
	tick := time.NewTicker(choresLook)
	defer tick.Stop()
	c := chores{partition: p, forgetting: p.cfg.Store.Forgetting(p.index, 0)}
	defer c.tellAhead(0) // the next leader counts anew
	for {
		err := p.stages(ctx, []stage{{"chores", c.look}})
		if err != nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look does what is due.
func (c *chores) look(ctx context.Context) error {
	call, done := c.limited(ctx)
	known, err := c.cfg.Store.Chores(call, c.index)
	done()
	if err != nil {
		return err
	}
	due := known.Last == 0 || known.Last > known.Now || known.Now-known.Last >= choresEvery.Milliseconds()
	var all []stage
	if due {
		all = append(all, stage{"audit", c.audit}, stage{"tidy", func(ctx context.Context) error { return c.tidy(ctx, known) }})
	}
	if c.ahead.due(known, due) {
		all = append(all, stage{"ahead", c.lookAhead})
	}
	if known.Forgetting || known.Removed >= manyRemoved || due && (known.Removed > 0 || known.Remains) {
		all = append(all, stage{"forget", c.forget})
	}
	return c.stages(ctx, all)
}

// audit mends counters, which must never be needed.
func (c *chores) audit(ctx context.Context) error {
	call, done := context.WithTimeout(ctx, choresCall)
	defer done()
	mended, err := c.cfg.Store.Audit(call, c.index, c.office)
	if len(mended) > 0 {
		c.log.Error("audit repaired slot counters; this is a fault of Carillon, please report it", "repairs", mended)
		c.cfg.Observe(Observation{Partition: c.index, Repairs: mended})
	}
	return err
}

// tidy forgets events and rows that are too old, and notes that the chores of this minute were done.
func (c *chores) tidy(ctx context.Context, known store.Chores) error {
	call, done := context.WithTimeout(ctx, choresCall)
	defer done()
	next := known.Tidied
	registry, err := c.cfg.Store.RegistryIn(call, c.index)
	if err == nil {
		next, _, err = c.cfg.Store.Tidy(call, c.index, c.office, registry.Tasks, known.Tidied)
	}
	if noted := c.cfg.Store.NoteChores(call, c.index, c.office, known.Now, next); noted != nil {
		return noted
	}
	return err
}

// forget makes steps of a pass that forgets the uids of removed jobs, until it ends or other chores may be due.
func (c *chores) forget(ctx context.Context) error {
	began, forgotten := c.elapsed(), 0
	for ctx.Err() == nil && c.elapsed()-began < forgetFor {
		sent := c.elapsed()
		call, done := context.WithTimeout(ctx, choresCall)
		step, err := c.forgetting.Step(call, c.office)
		done()
		if err != nil {
			return err
		}
		if forgotten += step.Forgotten; step.Done {
			c.log.Debug("uids of removed jobs forgotten", "count", forgotten)
			return nil
		}
		pause(ctx, min(max(forgetShare*(c.elapsed()-sent), time.Millisecond), time.Second))
	}
	return nil
}
