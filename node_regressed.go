package carillon

import (
	"context"
	"errors"
	"sync"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// regression is that the stores know leaders of another etcd than the one which elects now. The zero
// value is that they do not, as far as this node was told.
type regression struct {
	mu    sync.Mutex
	epoch string // of the office that was refused; "" = none
	cause string // with the command that mends it
}

// why says what is wrong and what to do, or "".
func (g *regression) why() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// tellRegressed tells, once, that an office ended since the stores know leaders of another etcd.
func (r *running) tellRegressed(cause error, office cluster.Office) {
	if !errors.Is(cause, store.ErrEpoch) {
		return
	}
	g := &r.regressed
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.epoch == office.Epoch {
		return
	}
	g.epoch, g.cause = office.Epoch, cause.Error()
	r.meters.regressed.Set(1)
	r.note(Event{Kind: job.TermRegressed, Node: r.cfg.Name, Term: office.Term, Cause: g.cause})
}

// readmit ends the regression once no store refuses that etcd any more.
func (r *running) readmit(ctx context.Context) {
	g := &r.regressed
	g.mu.Lock()
	epoch := g.epoch
	g.mu.Unlock()
	if epoch == "" {
		return
	}
	for _, s := range r.client.stores {
		if refuses, err := s.Refuses(ctx, epoch); refuses || err != nil {
			return
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.epoch == epoch {
		g.epoch, g.cause = "", ""
		r.meters.regressed.Set(0)
		r.log.Info("the stores accept leaders of this etcd again")
	}
}
