package executor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// Handler does the work of one attempt. It must return soon after ctx has ended. The result of a run
// that succeeds is kept as JSON with its history row, see store.ResultLimit, and passed to
// Config.Observe.
type Handler func(ctx context.Context, run job.Run) (result any, err error)

// Defaults and limits of Config.
const (
	DefaultLease = 15 * time.Second
	MinLease     = time.Second
	DefaultGrace = 5 * time.Second
	DefaultBlock = time.Second
)

// Config says what an executor runs, and for whom. Name, Concurrency, Stores, Node, Boot and
// Handler are required; every other field's zero value works. The functions are called from many
// goroutines at once.
type Config struct {
	// Name is the executor's, and that of its streams.
	Name string
	// Concurrency is how many handlers may run at once, over all stores.
	Concurrency int
	// Stores are consumed, each with all its partitions. They stay the caller's to close, after
	// Run has returned.
	Stores []*store.Store
	// Node and Boot name this process: node id and boot id. Neither may hold a slash.
	Node, Boot string
	// Handler returns the handler of a task, if this node has one.
	Handler func(task string) (Handler, bool)
	// Served reports whether some live node that serves this executor lists the task. A run whose task this node
	// lacks is handed to such a node, or waits until there is one. Nil means that there is none.
	Served func(task string) bool
	// Lease is how long a run stays this node's without being renewed. Zero means DefaultLease.
	Lease time.Duration
	// Block is how long one read waits for work, and how long a reader may need to notice that its
	// context has ended, or that a pause of the executor is over. Zero means DefaultBlock.
	Block time.Duration
	// Grace is how long Run waits for handlers after it has ended their contexts. Zero means
	// DefaultGrace.
	Grace time.Duration
	// Logger is told of troubles when they begin and end. Nil means none.
	Logger hclog.Logger
	// Now is the clock of leases; it must be monotonic. Nil means time.Now.
	Now func() time.Time
	// Listen hears what happens to runs on this node; for one run in order. It must return soon:
	// results wait for it. Nil means none.
	Listen func(job.Event)
	// Observe is told what to measure. It must return soon. Nil means none.
	Observe func(Observation)
	// Rand spreads retries; in [0,1). Nil means math/rand/v2.
	Rand func() float64
	// BaseContext returns the context that a handler gets, derived from ctx. Nil means ctx itself.
	BaseContext func(ctx context.Context, run job.Run) context.Context
}

func (c Config) withDefaults() Config {
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.Block == 0 {
		c.Block = DefaultBlock
	}
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	if c.Served == nil {
		c.Served = func(string) bool { return false }
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Listen == nil {
		c.Listen = func(job.Event) {}
	}
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	if c.BaseContext == nil {
		c.BaseContext = func(ctx context.Context, _ job.Run) context.Context { return ctx }
	}
	return c
}

// Validate returns every fault of the configuration, joined.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	fault(job.ValidID("name", c.Name))
	if c.Concurrency < 1 {
		fault(fmt.Errorf("concurrency: %d must be positive", c.Concurrency))
	}
	fault(c.validateStores())
	fault(validateToken("node", c.Node))
	fault(validateToken("boot", c.Boot))
	if c.Handler == nil {
		fault(errors.New("handler: is missing"))
	}
	if c.Lease < MinLease {
		fault(fmt.Errorf("lease: %s must be at least %s", c.Lease, MinLease))
	}
	if c.Block < time.Millisecond {
		fault(fmt.Errorf("block: %s must be at least 1ms", c.Block))
	}
	if c.Grace < 0 {
		fault(fmt.Errorf("grace: %s must not be negative", c.Grace))
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("executor %q: %w", c.Name, errors.Join(faults...))
}

func (c Config) validateStores() error {
	if len(c.Stores) == 0 {
		return errors.New("stores: none is given")
	}
	seen := map[string]bool{}
	for _, s := range c.Stores {
		if s == nil {
			return errors.New("stores: one is nil")
		}
		if seen[s.Name()] {
			return fmt.Errorf("stores: %q is given twice", s.Name())
		}
		seen[s.Name()] = true
	}
	return nil
}

// validateToken keeps owner tokens readable: node/boot/nonce, in a tab-separated line.
func validateToken(kind, token string) error {
	if err := job.ValidID(kind, token); err != nil {
		return err
	}
	if strings.Contains(token, "/") {
		return fmt.Errorf("%s: %q must not hold a slash", kind, token)
	}
	return nil
}
