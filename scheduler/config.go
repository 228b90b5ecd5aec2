package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// Config says what a Loop works on. Store is required; every other field's zero value works.
type Config struct {
	Store  *store.Store
	Logger hclog.Logger
	// Partitions are those of the store that this loop works on, each once; nil means all of them. The
	// others are left to the leaders of their groups.
	Partitions []int
	// Node names who acts, in the events of what it dispatches.
	Node string
	// Now is a monotonic clock of which only differences are used; default time.Now. No decision
	// rests on the date it shows.
	Now func() time.Time
	// Lease is the lease of a run, default 15s: how long a lost run stays with its node, unless that
	// is proven gone, and how long recovery waits after Redis was or may have been away, or its clock
	// was set. It must be the same on all nodes.
	Lease time.Duration
	// Patience is how long no partition at all may answer before Run gives the office up; default 5s.
	Patience time.Duration
	// Elsewhere is asked, when every connection to every partition has been refused or ended at once for
	// a second, whether another node reaches the store. If it does, and a new connection fails too, Run
	// gives the office up without waiting for Patience. ctx bounds the answer. Nil means not to ask.
	Elsewhere func(ctx context.Context) bool
	// Nap is the longest sleep between two looks at what is due, default 1s: how long a wake that was
	// lost delays a run at most.
	Nap time.Duration
	// Members returns the consumer names ("node/boot") of the living nodes and the executors they
	// serve. ok is false when they are not known; nobody counts as gone then. It must not block.
	// Nil means never known.
	Members func() (consumers, executors map[string]bool, ok bool)
	// Served returns the tasks that the living nodes serve, sorted, by their executors, and a channel that
	// closes when that may have changed. ok is false when they are not known; nothing is held back then. It must
	// not block. Nil means never known.
	Served func() (tasks map[string][]string, changed <-chan struct{}, ok bool)
	// Gone returns the consumer names of the processes that are proven gone, with all that ran in
	// them, and a channel that closes when there are more, or when the members are others. What they have
	// fetched is put back at once. What they run is taken before its leases end unless they renew them when
	// they are asked. It must not block. Nil means nobody, ever.
	Gone func() (consumers []string, more <-chan struct{})
	// Stall is how long, beyond the longest call to the store (three seconds), the loop of a partition
	// may make no step. Then Stalled is told, once in a Run: a leader that hangs keeps the others from
	// leading. Time in which the whole process was stopped does not count. Zero means not to look.
	Stall time.Duration
	// Stalled is told which partition, and for how long. Run cannot return before the loop does, so
	// it must give the office up by other means, or end the process. Nil means to log only.
	Stalled func(partition int, stood time.Duration)
	// Listen hears the events of what this loop skipped (missed, coalesced), once they are stored.
	// It is called from several goroutines and must not block.
	Listen func(job.Event)
	// Observe is told what was done. It is called from several goroutines and must not block.
	Observe func(Observation)
}

const (
	defaultLease    = 15 * time.Second
	defaultPatience = 5 * time.Second
	defaultNap      = time.Second
	shortestLease   = 100 * time.Millisecond
)

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Lease == 0 {
		c.Lease = defaultLease
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	if c.Nap == 0 {
		c.Nap = defaultNap
	}
	if c.Members == nil {
		c.Members = func() (map[string]bool, map[string]bool, bool) { return nil, nil, false }
	}
	if c.Served == nil {
		c.Served = func() (map[string][]string, <-chan struct{}, bool) { return nil, nil, false }
	}
	if c.Gone == nil {
		c.Gone = func() ([]string, <-chan struct{}) { return nil, nil }
	}
	if c.Elsewhere == nil {
		c.Elsewhere = func(context.Context) bool { return false }
	}
	if c.Stalled == nil {
		c.Stalled = func(int, time.Duration) {}
	}
	if c.Listen == nil {
		c.Listen = func(job.Event) {}
	}
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	return c
}

// Validate returns every fault of the configuration, joined. It contacts nothing.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	if c.Store == nil {
		faults = append(faults, errors.New("store: is missing"))
	} else {
		faults = append(faults, c.validPartitions())
	}
	if c.Lease < shortestLease {
		faults = append(faults, fmt.Errorf("lease %s must be at least %s", c.Lease, shortestLease))
	}
	if c.Patience < shortestLease {
		faults = append(faults, fmt.Errorf("patience %s must be at least %s", c.Patience, shortestLease))
	}
	if c.Stall < 0 {
		faults = append(faults, fmt.Errorf("stall %s must not be negative", c.Stall))
	}
	if c.Nap < time.Millisecond {
		faults = append(faults, fmt.Errorf("nap %s must be at least 1ms", c.Nap))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("scheduler: config: %w", err)
	}
	return nil
}

func (c Config) validPartitions() error {
	var faults []error
	seen := map[int]bool{}
	for _, p := range c.Partitions {
		if p < 0 || p >= c.Store.Partitions() || seen[p] {
			faults = append(faults, fmt.Errorf("partition %d: is given twice, or is not one of the store's %d", p, c.Store.Partitions()))
		}
		seen[p] = true
	}
	return errors.Join(faults...)
}

// partitions are the ones to work on.
func (c Config) partitions() []int {
	if c.Partitions != nil {
		return c.Partitions
	}
	all := make([]int, c.Store.Partitions())
	for p := range all {
		all[p] = p
	}
	return all
}
