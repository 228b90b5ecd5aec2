package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// Loop fires the due jobs of one store while it is in office. It may be run again under a later
// office, but not twice at a time.
type Loop struct {
	cfg Config
}

// New returns a loop, or every fault of the configuration. It contacts nothing.
func New(cfg Config) (*Loop, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Loop{cfg: cfg.withDefaults()}, nil
}

const (
	longestCall = 3 * time.Second        // of one call to the store
	retryPause  = 100 * time.Millisecond // after a call failed
	// clampFactor is how many leases ahead a new leader lets a lease lie: less would be a guess about
	// nodes that are being given another length of lease.
	clampFactor = 4
)

// Run takes office in every partition it was given and fires due jobs under it until ctx ends, a newer
// leader has written, or no partition answers for a while, a short one if another node reaches them; the
// error says which and is never nil: it wraps ctx's error, store.ErrFenced, store.ErrEpoch or store.ErrStoreLost, or the last failure. A partition that does not
// answer stops neither the others nor, as long as one answers, the office; office is taken in it
// when it answers. No goroutine of Run outlives the call.
func (l *Loop) Run(ctx context.Context, office store.Office) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	r := &running{
		cfg: l.cfg, log: l.cfg.Logger.With("term", office.Term), office: office, began: l.cfg.Now(),
		health: newHealth(l.cfg.partitions(), l.cfg.Patience), mail: map[int]*mailbox{}, severed: make(chan struct{}),
	}
	for _, index := range l.cfg.partitions() {
		p := newPartition(r, index)
		r.partitions = append(r.partitions, p)
		r.mail[index] = p.mail
	}
	var parts sync.WaitGroup
	parts.Go(func() { r.listen(ctx) })
	parts.Go(func() { r.watchdog(ctx) })
	parts.Go(func() { r.yield(ctx, end) })
	for _, p := range r.partitions {
		parts.Go(func() { end(p.run(ctx)) })
	}
	parts.Wait()
	return fmt.Errorf("scheduler: run under term %d: %w", office.Term, context.Cause(ctx))
}

// running is one call of Run.
type running struct {
	cfg        Config
	log        hclog.Logger
	office     store.Office
	began      time.Time
	health     *health
	severed    chan struct{} // from the partitions to yield
	partitions []*partition
	mail       map[int]*mailbox // of the partitions, by their numbers
}

// elapsed is the local time: since Run began, by the monotonic clock.
func (r *running) elapsed() time.Duration { return r.cfg.Now().Sub(r.began) }

// limited bounds one call to the store.
func (r *running) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(longestCall, r.cfg.Patience))
}

// lostOffice reports whether the error says that this office is over.
func lostOffice(err error) bool {
	return errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrEpoch) || errors.Is(err, store.ErrStoreLost)
}

func newPartition(r *running, index int) *partition {
	return &partition{
		running: r, index: index, log: r.log.With("partition", index), mail: newMailbox(),
		jobs: newCache[*known](cacheEntries, cacheBytes), triggers: newCache[trigger.Trigger](cacheEntries/10, cacheBytes/8),
		alike: map[int64]*terms{},
		held:  map[string]*hold{}, unsure: true,
		trust: trust{lease: r.cfg.Lease}, excess: clampFactor * r.cfg.Lease,
	}
}
