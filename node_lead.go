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

// lead runs one scheduler loop per store under the office, on the partitions of its group, until the
// office is lost or a newer leader has written to any of them. A store that cannot be written is tried
// again while others can. What belongs to no partition is looked after by the leader of group 0.
func (r *running) lead(ctx context.Context, office cluster.Office) error {
	group := r.groupText(office.Group)
	log := r.log.With("term", office.Term)
	if group != "" {
		log = log.With("group", office.Group)
	}
	if err := r.zonesAllow(ctx, office.Group); err != nil {
		log.Warn("leaving office at once", "error", err)
		return err
	}
	log.Info("in office")
	r.meters.lead(office.Group, office.Term)
	r.listeners.tell(Event{Kind: job.LeaderElected, Node: r.cfg.Name, Term: office.Term, Cause: group, Time: r.cfg.Now().UTC()})
	defer func() {
		r.meters.lead(office.Group, 0)
		cause := causeOf(ctx)
		if group != "" {
			cause = group + ": " + cause
		}
		r.note(Event{Kind: job.LeaderLost, Node: r.cfg.Name, Term: office.Term, Cause: cause})
		log.Info("out of office", "cause", causeOf(ctx))
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &tenure{
		running: r, office: store.Office{Epoch: office.Epoch, Term: office.Term, Group: group, Zones: r.zones}, group: office.Group, giveUp: cancel,
		failing: failures{of: r.storesOf(office.Group)},
	}
	var wg sync.WaitGroup
	if office.Group == 0 {
		wg.Go(func() { r.missStores(ctx) })
	}
	for _, s := range r.client.stores {
		wg.Go(func() { t.leadStore(ctx, s) })
	}
	wg.Wait()
	r.tellRegressed(context.Cause(ctx), office)
	return context.Cause(ctx)
}

// partitionsOf are the partitions of a store that a group leads.
func (r *running) partitionsOf(s *store.Store, group int) []int {
	var partitions []int
	for p := group; p < s.Partitions(); p += r.cfg.Groups {
		partitions = append(partitions, p)
	}
	return partitions
}

// storesOf is how many stores have a partition in a group.
func (r *running) storesOf(group int) int {
	n := 0
	for _, s := range r.client.stores {
		n += min(len(r.partitionsOf(s, group)), 1)
	}
	return n
}

// groupText names a group in events; nothing where there is only one.
func (r *running) groupText(group int) string {
	if r.cfg.Groups == 1 {
		return ""
	}
	return fmt.Sprintf("group %d", group)
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

// tenure is one office of this node.
type tenure struct {
	*running
	office  store.Office
	group   int
	giveUp  context.CancelCauseFunc
	failing failures
}

// leadStore keeps a loop for the group's partitions of one store going. Where there are none it waits.
func (t *tenure) leadStore(ctx context.Context, s *store.Store) {
	partitions := t.partitionsOf(s, t.group)
	if len(partitions) == 0 {
		<-ctx.Done()
		return
	}
	for ctx.Err() == nil {
		loop, err := scheduler.New(scheduler.Config{
			Store: s, Partitions: partitions, Node: t.cfg.Name, Logger: t.log.With("store", s.Name(), "term", t.office.Term),
			Now: t.cfg.Now, Lease: t.cfg.RunLease, Members: t.consumers, Served: t.servedTasks, Gone: t.gone.all, Elsewhere: t.elsewhere, Stall: t.cfg.LeaseTTL,
			Stalled: func(partition int, stood time.Duration) { t.stalled(s.Name(), partition, stood) }, Listen: t.listeners.tell, Observe: t.meters.scheduled,
		})
		if err != nil {
			t.giveUp(err)
			return
		}
		began := t.cfg.Now()
		err = loop.Run(ctx, t.office)
		if t.cfg.Now().Sub(began) > recovered {
			t.failing.forget(s.Name())
		}
		if ctx.Err() != nil {
			return
		}
		if over := t.standsDown(s, err); over != nil {
			t.giveUp(over)
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
func (t *tenure) standsDown(s *store.Store, err error) error {
	switch {
	case errors.Is(err, store.ErrStoreLost):
		t.log.Debug("store is lost, nothing fires in it", "store", s.Name(), "term", t.office.Term, "error", err)
		t.look()
		return nil
	case errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrEpoch):
		t.log.Error("refused by the fence, leaving office", "store", s.Name(), "term", t.office.Term, "error", err)
		return err
	}
	t.log.Warn("store cannot be scheduled", "store", s.Name(), "term", t.office.Term, "error", err)
	if t.failing.add(s.Name()) {
		return fmt.Errorf("no store can be written: %w", err)
	}
	return nil
}

// stalled frees the office of a leader that hangs.
func (t *tenure) stalled(store string, partition int, stood time.Duration) {
	t.ring.Resign(t.group)
	if t.cfg.OnStall != nil {
		t.cfg.OnStall(fmt.Errorf("carillon: lead: store %s: partition %d: the loop has made no step for %s: restart the process", store, partition, stood))
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
		log := r.log
		if r.cfg.Groups > 1 {
			log = log.With("group", l.Group)
		}
		log.Info("leader is", "leader", l.Name, "term", l.Term)
	}
}

// onMembers has the leader of group 0 log who came and went.
func (r *running) onMembers(now []cluster.Member) {
	leader, ok := r.ring.Leader(0)
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
	r.gone.moved()
	r.roll.turn()
	r.meters.nodes(len(now))
}
