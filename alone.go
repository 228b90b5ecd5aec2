package carillon

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/scheduler"
	"github.com/carillon-project/carillon/store"
)

// Alone is a node without a cluster: over one open store it consumes and leads, with its handlers,
// middleware and listeners, knows no other node, and needs no etcd. Package carillontest is made of
// it; programs want Node.Run. Two of them over one store fence each other.
type Alone struct {
	Node  *Node        // not to be run otherwise
	Store *store.Store // stays the caller's
	// Rest is the longest sleep between two looks at the store, default 1s: how long a wake that was
	// lost delays a run, and how long Run may take to return.
	Rest time.Duration
	// Grace is how long Run waits for handlers that ignore the end of their contexts; default 5s.
	Grace time.Duration

	term int64
}

// Client returns a client of the store, with the node's defaults. It needs no closing.
func (a *Alone) Client() *Client {
	return &Client{stores: map[string]*store.Store{a.Store.Name(): a.Store}, defaults: a.Node.cfg.Defaults}
}

// Register makes the node's executors and the tasks that it has by now known to the store.
func (a *Alone) Register(ctx context.Context) error {
	a.Node.mu.Lock()
	tasks := a.Node.taskNames()
	a.Node.mu.Unlock()
	return a.Store.Register(ctx, a.Node.executorNames(), tasks)
}

// Run fires, fetches and runs until ctx ends, and then lets handlers finish until drain ends too.
// It may be called again after it has returned, as a later term. The error is nil unless it could
// not go on.
func (a *Alone) Run(ctx, drain context.Context) error {
	if err := a.Register(ctx); err != nil {
		return err
	}
	pools, err := a.pools()
	if err != nil {
		return err
	}
	a.term++
	loop, err := scheduler.New(scheduler.Config{
		Store: a.Store, Node: a.Node.cfg.Name, Logger: a.Node.log, Now: a.Node.cfg.Now, Lease: a.Node.cfg.RunLease,
		Nap: a.Rest, Members: a.members, Listen: a.Node.listeners.tell, Observe: a.Node.meters.scheduled,
	})
	if err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var parts sync.WaitGroup
	parts.Go(func() { stop(loop.Run(working, store.Office{Epoch: "alone", Term: a.term})) })
	parts.Go(func() { a.hearWakes(working, pools) })
	for _, p := range pools {
		parts.Go(func() {
			if err := p.Run(working, drain); err != nil {
				stop(err)
			}
		})
	}
	keeping, kept := context.WithCancel(context.WithoutCancel(ctx))
	defer kept()
	var lines sync.WaitGroup
	lines.Go(func() { a.Node.lines.run(keeping, map[string]*store.Store{a.Store.Name(): a.Store}) })
	parts.Wait()
	kept()
	lines.Wait()
	if ctx.Err() == nil {
		return fmt.Errorf("carillon: run alone: %w", context.Cause(working))
	}
	return nil
}

func (a *Alone) pools() ([]*executor.Pool, error) {
	n := a.Node
	var pools []*executor.Pool
	for _, name := range n.executorNames() {
		p, err := executor.New(executor.Config{
			Name: name, Concurrency: n.cfg.Executors[name], Stores: []*store.Store{a.Store}, Node: n.cfg.Name, Boot: n.boot,
			Handler: n.handler, Lease: n.cfg.RunLease, Block: a.Rest, Grace: a.Grace, Logger: n.log.With("executor", name), Now: n.cfg.Now,
			Listen: n.listeners.tell, Observe: n.meters.ran, BaseContext: n.handlerContext,
		})
		if err != nil {
			return nil, err
		}
		pools = append(pools, p)
	}
	return pools, nil
}

// members is what the loop is told: this node and nobody else.
func (a *Alone) members() (consumers, executors map[string]bool, known bool) {
	consumers, executors = map[string]bool{a.Node.cfg.Name + "/" + a.Node.boot: true}, map[string]bool{}
	for _, name := range a.Node.executorNames() {
		executors[name] = true
	}
	return consumers, executors, true
}

// hearWakes heeds the wakes of the store.
func (a *Alone) hearWakes(ctx context.Context, pools []*executor.Pool) {
	for ctx.Err() == nil {
		err := a.Store.Wakes(ctx, func(_ int, what string) { heed(pools, what) })
		a.Node.log.Debug("wake subscription ended", "error", err)
	}
}
