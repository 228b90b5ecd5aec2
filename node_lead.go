package carillon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/scheduler"
	"github.com/carillon-project/carillon/store"
)

// lead runs one scheduler loop per store under the office, until the office is lost or a newer
// leader has written to any store. A store that cannot be written is tried again while others can.
func (r *running) lead(ctx context.Context, office cluster.Office) error {
	r.leading.Lock()
	defer r.leading.Unlock()
	r.log.Info("in office", "term", office.Term)
	r.meters.lead(office.Term)
	r.listeners.tell(Event{Kind: job.LeaderElected, Node: r.cfg.Name, Term: office.Term, Time: r.cfg.Now().UTC()})
	defer func() {
		r.meters.lead(0)
		r.note(Event{Kind: job.LeaderLost, Node: r.cfg.Name, Term: office.Term, Cause: causeOf(ctx)})
		r.log.Info("out of office", "term", office.Term, "cause", causeOf(ctx))
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	failing := failures{of: len(r.client.stores)}
	var wg sync.WaitGroup
	wg.Go(func() { r.missStores(ctx) })
	for _, s := range r.client.stores {
		wg.Go(func() { r.leadStore(ctx, cancel, &failing, s, store.Office{Epoch: office.Epoch, Term: office.Term}) })
	}
	wg.Wait()
	r.tellRegressed(context.Cause(ctx), office)
	return context.Cause(ctx)
}

// tellRegressed tells, once, that the stores know leaders of another etcd. It needs r.leading.
func (r *running) tellRegressed(cause error, office cluster.Office) {
	if !errors.Is(cause, store.ErrEpoch) || r.refused == office.Epoch {
		return
	}
	r.refused = office.Epoch
	r.note(Event{Kind: job.TermRegressed, Node: r.cfg.Name, Term: office.Term, Cause: cause.Error()})
}

// storesEvery is how often a leader looks for stores that it was not given.
const storesEvery = 30 * time.Second

// missStores says, while this node leads, which stores of the cluster it was not given: nothing
// fires in them until a node that has them leads.
func (r *running) missStores(ctx context.Context) {
	ticker := time.NewTicker(storesEvery)
	defer ticker.Stop()
	for {
		known, err := cluster.Stores(ctx, r.etcd, r.cfg.Cluster)
		if err != nil {
			r.log.Debug("stores of the cluster not read", "error", err)
		}
		for _, name := range known {
			if _, given := r.client.stores[name]; !given {
				r.log.Error("the cluster knows a store that this leader was not given: its jobs do not fire",
					"store", name, "remedy", "give every node --store "+name+"=URL")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func causeOf(ctx context.Context) string {
	if err := context.Cause(ctx); err != nil {
		return err.Error()
	}
	return ""
}

// leadStore keeps a loop for one store going.
func (r *running) leadStore(ctx context.Context, giveUp context.CancelCauseFunc, failing *failures, s *store.Store, office store.Office) {
	for ctx.Err() == nil {
		loop, err := scheduler.New(scheduler.Config{
			Store: s, Node: r.cfg.Name, Logger: r.log.With("store", s.Name(), "term", office.Term), Now: r.cfg.Now, Lease: r.cfg.RunLease,
			Members: r.consumers, Gone: r.gone.all, Stall: r.cfg.LeaseTTL,
			Stalled: func(partition int, stood time.Duration) { r.stalled(s.Name(), partition, stood) }, Listen: r.listeners.tell, Observe: r.meters.scheduled,
		})
		if err != nil {
			giveUp(err)
			return
		}
		began := r.cfg.Now()
		err = loop.Run(ctx, office)
		if r.cfg.Now().Sub(began) > recovered {
			failing.forget(s.Name())
		}
		if ctx.Err() != nil {
			return
		}
		if over := r.standsDown(s, office, failing, err); over != nil {
			giveUp(over)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.NewTimer(time.Second).C:
		}
	}
}

// standsDown says why the office is over after the loop of a store ended with err, or nil if the loop
// is to be tried again. A store that was lost is: an operator mends it, and another leader could do no more.
func (r *running) standsDown(s *store.Store, office store.Office, failing *failures, err error) error {
	switch {
	case errors.Is(err, store.ErrStoreLost):
		r.log.Debug("store is lost, nothing fires in it", "store", s.Name(), "term", office.Term, "error", err)
		r.look()
		return nil
	case errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrEpoch):
		r.log.Error("refused by the fence, leaving office", "store", s.Name(), "term", office.Term, "error", err)
		return err
	}
	r.log.Warn("store cannot be scheduled", "store", s.Name(), "term", office.Term, "error", err)
	if failing.add(s.Name()) {
		return fmt.Errorf("no store can be written: %w", err)
	}
	return nil
}

// stalled frees the office of a leader that hangs.
func (r *running) stalled(store string, partition int, stood time.Duration) {
	r.ring.Resign()
	if r.cfg.OnStall != nil {
		r.cfg.OnStall(fmt.Errorf("carillon: lead: store %s: partition %d: the loop has made no step for %s: restart the process", store, partition, stood))
	}
}

// recovered is how long a loop must have run for its store to count as having worked.
const recovered = 15 * time.Second

// failures counts the stores whose loop has failed and has not worked since.
type failures struct {
	mu   sync.Mutex
	seen map[string]bool
	of   int
}

// forget takes a store out that has worked since.
func (f *failures) forget(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.seen, name)
}

// add reports whether every store has failed.
func (f *failures) add(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[name] = true
	return len(f.seen) == f.of
}

// consumers are the live consumers and the executors they serve, by the membership.
func (r *running) consumers() (consumers, executors map[string]bool, ok bool) {
	consumers, executors = map[string]bool{}, map[string]bool{}
	members := r.ring.Members()
	for _, m := range members {
		consumers[m.Name+"/"+m.Boot] = true
		for e := range m.Executors {
			executors[e] = true
		}
	}
	return consumers, executors, len(members) > 0 && consumers[r.cfg.Name+"/"+r.boot]
}

func (r *running) onLeader(l cluster.Leader) {
	if l.Name != "" {
		r.log.Info("leader is", "leader", l.Name, "term", l.Term)
	}
}

// onMembers has the leader log who came and went.
func (r *running) onMembers(now []cluster.Member) {
	leader, ok := r.ring.Leader()
	mine := ok && leader.Name == r.cfg.Name
	next := map[string]cluster.Member{}
	for _, m := range now {
		next[m.Name+"/"+m.Boot] = m
		if _, known := r.members[m.Name+"/"+m.Boot]; !known && mine {
			r.note(Event{Kind: job.NodeJoined, Node: m.Name})
		}
	}
	for key, m := range r.members {
		if _, there := next[key]; !there && mine {
			r.note(Event{Kind: job.NodeLost, Node: m.Name})
		}
	}
	r.members = next
	r.meters.nodes(len(now))
}
