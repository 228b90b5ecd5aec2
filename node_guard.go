package carillon

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

const (
	// guardEvery is how often a node looks whether its stores are the ones that the cluster knows. The
	// leader's loop looks more often.
	guardEvery = 2 * time.Second
	// alarmEvery is how often a node says again that a store is lost.
	alarmEvery = time.Minute
)

// guardStores notices that the Redis of a store was emptied or replaced, says so until it is mended,
// and goes on by itself with what an operator has restored or adopted. It ends with ctx.
func (r *running) guardStores(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	nudges := make([]chan struct{}, 0, len(r.client.stores))
	for _, s := range r.client.stores {
		g := &guard{running: r, store: s, nudge: make(chan struct{}, 1)}
		nudges = append(nudges, g.nudge)
		wg.Go(func() { g.run(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.glance:
		}
		for _, n := range nudges {
			select {
			case n <- struct{}{}:
			default:
			}
		}
	}
}

// look has the stores looked at now.
func (r *running) look() {
	select {
	case r.glance <- struct{}{}:
	default:
	}
}

// guard watches one store.
type guard struct {
	*running
	store *store.Store
	nudge chan struct{}
	lost  string    // the uid that is missing; "" = nothing is
	said  time.Time // when that was last logged
}

func (g *guard) run(ctx context.Context) {
	g.meters.lost.WithLabelValues(g.store.Name()).Set(0)
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		call, done := context.WithTimeout(ctx, guardEvery)
		g.round(call)
		done()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-g.nudge:
		}
	}
}

// round looks once. A Redis that does not answer says nothing about what it holds.
func (g *guard) round(ctx context.Context) {
	err := g.store.VerifyAll(ctx)
	if errors.Is(err, ErrStoreLost) {
		g.alarm(err)
		if err = g.follow(ctx); err != nil {
			g.log.Debug("store stays lost", "store", g.store.Name(), "error", err)
			return
		}
	}
	if err == nil && g.lost != "" {
		g.mended(ctx)
	}
	g.readmit(ctx)
}

// alarm tells of the loss: the node's listeners at once, the log again and again.
func (g *guard) alarm(err error) {
	now := g.cfg.Now()
	if g.lost != "" && now.Sub(g.said) < alarmEvery {
		return
	}
	g.log.Error("store_replaced: nothing fires in this store until an operator says what it is", "store", g.store.Name(), "error", err)
	if g.lost == "" {
		g.listeners.tell(Event{Kind: job.StoreReplaced, Store: g.store.Name(), Node: g.cfg.Name, Term: g.ring.Term(0), Cause: err.Error(), Time: now.UTC()})
	}
	g.lost, g.said = g.store.UID(), now
	g.meters.lost.WithLabelValues(g.store.Name()).Set(1)
}

// follow goes on with the database that the cluster knows by now, if it is the one that is there.
func (g *guard) follow(ctx context.Context) error {
	uid, err := cluster.StoreUID(ctx, g.etcd, g.cfg.Cluster, g.store.Name())
	if err != nil {
		return err
	}
	return g.store.Follow(ctx, uid)
}

// mended registers the node in what is there now, and has the leader of group 0 write down what happened.
func (g *guard) mended(ctx context.Context) {
	g.mu.Lock()
	tasks := g.taskNames()
	g.mu.Unlock()
	if err := g.store.Register(ctx, g.executorNames(), tasks); err != nil {
		g.log.Warn("node not registered in the store, trying again", "store", g.store.Name(), "error", err)
		return
	}
	cause := "the database that was lost is there again"
	if uid := g.store.UID(); uid != g.lost {
		cause = "uid " + g.lost + " was lost, " + uid + " was adopted in its place"
	}
	if g.ring.Term(0) != 0 {
		g.note(Event{Kind: job.StoreReplaced, Store: g.store.Name(), Node: g.cfg.Name, Term: g.ring.Term(0), Cause: cause})
	}
	g.log.Warn("store_replaced: the store is in use again", "store", g.store.Name(), "cause", cause)
	g.lost = ""
	g.meters.lost.WithLabelValues(g.store.Name()).Set(0)
}
