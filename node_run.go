package carillon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func (n *Node) executorNames() []string { return slices.Sorted(maps.Keys(n.cfg.Executors)) }

// taskNames needs n.mu.
func (n *Node) taskNames() []string { return slices.Sorted(maps.Keys(n.tasks)) }

// Run takes part in the cluster until ctx ends or Shutdown is called: it consumes, campaigns, and
// leads when elected. Then it resigns, lets handlers finish for Config.DrainTimeout, hands back
// what has not started, and returns nil. It returns an error when it cannot begin (what it needs
// is unreachable, lost or not fit, the name is taken) or cannot go on. It may be called once.
func (n *Node) Run(ctx context.Context) error {
	n.mu.Lock()
	again := n.ran
	n.ran = true
	n.mu.Unlock()
	if again {
		return errors.New("carillon: run: called twice")
	}
	defer close(n.done)
	defer n.Close()
	defer n.drain()
	client, err := n.Client(ctx)
	if err != nil {
		return err
	}
	r := &running{Node: n, client: client, notes: make(chan note, 64), gone: newGone(), roll: newRoll(), glance: make(chan struct{}, 1)}
	return r.run(ctx)
}

// running is what exists only while Run does.
type running struct {
	*Node
	client  *Client
	ring    *cluster.Cluster
	pools   []*executor.Pool
	notes   chan note
	members map[string]cluster.Member // as last told, to find who came and went
	gone    *gone
	roll    *roll         // says when members came or went
	glance  chan struct{} // has guardStores look at once

	regressed regression
	foreign   foreignZones
}

type note struct{ event Event }

func (r *running) run(ctx context.Context) error {
	listener, err := cluster.Listen(r.cfg.Listen)
	if err != nil {
		return fmt.Errorf("carillon: listen on %s: %w", r.cfg.Listen, err)
	}
	r.mountHealth(listener)
	if err := r.assemble(listener.Address()); err != nil {
		return errors.Join(err, listener.Close())
	}
	r.mu.Lock()
	r.address = listener.Address()
	r.mu.Unlock()

	// Each stage outlives the one before it: fetching, then the handlers, then the membership, then
	// the listener, whose end tells the others that this process is gone.
	fetching, stopFetching := context.WithCancel(context.WithoutCancel(ctx))
	membership, leave := context.WithCancel(context.WithoutCancel(ctx))
	listening, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFetching()
	defer leave()
	defer hangUp()
	var pools, rest, last sync.WaitGroup
	failed := make(chan error, len(r.pools)+3)
	for _, p := range r.pools {
		pools.Go(func() { failed <- r.consume(fetching, p) })
	}
	last.Go(func() { failed <- listener.Serve(listening, r.ring.Identity) })
	rest.Go(func() { failed <- r.ring.Run(membership, r.lead) })
	rest.Go(func() { r.writeNotes(membership) })
	rest.Go(func() { r.hearWakes(membership) })
	rest.Go(func() { r.lines.run(membership, r.client.stores) })
	rest.Go(func() { r.announce(membership) })
	rest.Go(func() { r.guardStores(membership) })
	rest.Go(func() { r.exportStores(membership) })

	err = r.await(ctx, failed)
	r.log.Info("stopping", "reason", reason(ctx, err))
	r.stopOnce.Do(func() { close(r.stop) }) // however it came to this, the node is not ready any more
	r.ring.Resign()
	stopFetching()
	if ctx.Err() != nil || err != nil {
		timer := time.AfterFunc(r.cfg.DrainTimeout, r.drain)
		defer timer.Stop()
	}
	pools.Wait()
	r.farewell()
	leave()
	rest.Wait()
	hangUp()
	last.Wait()
	return err
}

// await returns when the node has to stop: nil when asked to, an error when a part cannot go on.
func (r *running) await(ctx context.Context, failed <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.stop:
			return nil
		case err := <-failed:
			if err != nil {
				return err
			}
		}
	}
}

func reason(ctx context.Context, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case ctx.Err() != nil:
		return "context ended"
	}
	return "shutdown called"
}

// assemble makes the pools and the cluster part.
func (r *running) assemble(address string) error {
	r.mu.Lock()
	tasks := r.taskNames()
	r.mu.Unlock()
	stores := make([]*store.Store, 0, len(r.client.stores))
	for _, name := range r.client.Stores() {
		stores = append(stores, r.client.stores[name])
	}
	for _, name := range r.executorNames() {
		p, err := executor.New(executor.Config{
			Name: name, Concurrency: r.cfg.Executors[name], Stores: stores, Node: r.cfg.Name, Boot: r.boot,
			Handler: r.handler, Served: func(task string) bool { return r.served(name, task) }, Lease: r.cfg.RunLease, Logger: r.log.With("executor", name),
			Now: r.cfg.Now, Listen: r.listeners.tell, Observe: r.meters.ran, BaseContext: r.handlerContext,
		})
		if err != nil {
			return err
		}
		r.pools = append(r.pools, p)
	}
	var err error
	r.ring, err = cluster.New(cluster.Config{
		Client: r.etcd, Cluster: r.cfg.Cluster, TTL: r.cfg.LeaseTTL, Groups: r.cfg.Groups, Logger: r.log, Now: r.cfg.Now,
		Member: cluster.Member{
			Name: r.cfg.Name, Boot: r.boot, Address: advertised(r.cfg.Advertise, address), Version: Version(),
			Executors: r.cfg.Executors, Tasks: tasks, Zones: r.zones, Started: r.cfg.Now().UTC(),
		},
		CanLead: r.canLead, OnLeader: r.onLeader, OnMembers: r.onMembers,
		OnGone: func(m cluster.Member) { r.gone.add(m.Name + "/" + m.Boot) },
	})
	return err
}

// advertised is what other nodes dial: as told, else the address listened on, with the host's name
// where that is every address.
func advertised(told, listening string) string {
	if told != "" {
		return told
	}
	host, port, err := net.SplitHostPort(listening)
	if err != nil {
		return listening
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			return net.JoinHostPort(name, port)
		}
	}
	return listening
}

// Version is the version of the module this program was built with, "devel" when it was built
// from a checkout.
func Version() string {
	const module = "github.com/carillon-project/carillon"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module && m.Version != "" && m.Version != "(devel)" {
			return m.Version
		}
	}
	return "devel"
}

// canLead asks for one write: a node that cannot reach any of the group's partitions must not be
// elected, and one that reaches a part of them leads there.
func (r *running) canLead(ctx context.Context, group int) (err error) {
	for _, name := range r.client.Stores() {
		s := r.client.stores[name]
		if err = s.Writable(ctx, r.cfg.Name, r.partitionsOf(s, group)); err == nil {
			break
		}
	}
	return cmp.Or(err, r.zonesAllow(ctx, group))
}

// consume runs a pool once the node is a member: before, the name may be another's, and the leader
// would take for lost what is fetched.
func (r *running) consume(ctx context.Context, p *executor.Pool) error {
	select {
	case <-r.ring.Joined():
		return p.Run(ctx, r.drained)
	case <-ctx.Done():
		return nil
	}
}

// announce closes ready, and tells everybody, once the node is a member and consumes.
func (r *running) announce(ctx context.Context) {
	waits := []<-chan struct{}{r.ring.Joined()}
	for _, p := range r.pools {
		waits = append(waits, p.Ready())
	}
	for _, w := range waits {
		select {
		case <-w:
		case <-ctx.Done():
			return
		}
	}
	r.note(Event{Kind: job.SchedulerStarted, Node: r.cfg.Name})
	close(r.ready)
	r.log.Info("ready", "address", r.address)
}

// note tells the node's listeners at once and the cluster's log soon.
func (r *running) note(e Event) {
	e.Time = r.cfg.Now().UTC()
	r.listeners.tell(e)
	select {
	case r.notes <- note{e}:
	default: // the log is best effort; what matters is in the scripts' own events
	}
}

func (r *running) writeNotes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case one := <-r.notes:
			r.write(ctx, one.event)
		}
	}
}

func (r *running) write(ctx context.Context, e Event) {
	for _, s := range r.client.stores {
		if e.Store != "" && e.Store != s.Name() {
			continue
		}
		err := s.Verify(ctx, 0) // a database that is not the cluster's is not written to
		if err == nil {
			err = s.Note(ctx, 0, e)
		}
		if err != nil {
			r.log.Debug("event not logged", "event", string(e.Kind), "error", err)
		}
	}
}

// farewell logs the shutdown, briefly.
func (r *running) farewell() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	e := Event{Kind: job.SchedulerShutdown, Node: r.cfg.Name, Time: r.cfg.Now().UTC()}
	r.listeners.tell(e)
	r.write(ctx, e)
}

// heed has executors learn soon that somebody asked to cancel a run, or asks whether this process lives, or has
// paused or resumed an executor.
func heed(pools []*executor.Pool, wake string) {
	for _, p := range pools {
		switch wake {
		case "cancel":
			p.RenewNow()
		case "executor":
			p.LookNow()
		case "subscribed": // what was said before was not heard
			p.LookNow()
			p.RenewNow()
		}
	}
}

// hearWakes heeds the wakes of all stores.
func (r *running) hearWakes(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range r.client.stores {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := s.Wakes(ctx, func(_ int, what string) { heed(r.pools, what) })
				r.log.Debug("wake subscription ended", "error", err)
			}
		})
	}
	wg.Wait()
}
