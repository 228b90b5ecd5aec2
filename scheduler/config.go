package scheduler

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/store"
)

// Config says what a Loop works on. Store is required; every other field's zero value works.
type Config struct {
	Store  *store.Store
	Logger hclog.Logger
	// Node names who acts, in the events of what it dispatches.
	Node string
	// Now is a monotonic clock of which only differences are used; default time.Now. No decision
	// rests on the date it shows.
	Now func() time.Time
	// Lease is the lease of a run, default 15s: how long a lost run stays with its node, and how
	// long recovery waits after Redis was away or its clock was set. Redis must be away for two
	// seconds to be noticed for certain; leases of less than three may end meanwhile.
	Lease time.Duration
	// Patience is how long no partition at all may answer before Run gives the office up; default 5s.
	Patience time.Duration
	// Members returns the consumer names ("node/boot") of the living nodes and the executors they
	// serve. ok is false when they are not known; nobody counts as gone then. It must not block.
	// Nil means never known.
	Members func() (consumers, executors map[string]bool, ok bool)
	// Observe is told what was done. It is called from several goroutines and must not block.
	Observe func(Observation)
}

const (
	defaultLease    = 15 * time.Second
	defaultPatience = 5 * time.Second
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
	if c.Members == nil {
		c.Members = func() (map[string]bool, map[string]bool, bool) { return nil, nil, false }
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
	}
	if c.Lease < shortestLease {
		faults = append(faults, fmt.Errorf("lease %s must be at least %s", c.Lease, shortestLease))
	}
	if c.Patience < shortestLease {
		faults = append(faults, fmt.Errorf("patience %s must be at least %s", c.Patience, shortestLease))
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("scheduler: config: %w", errors.Join(faults...))
}
