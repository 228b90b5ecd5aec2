package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
)

// Office is what a leader is elected to. Epoch and Term together are the fencing token.
type Office struct {
	// Group is which of the Config.Groups it leads, from 0.
	Group int
	// Epoch tells this etcd's count of revisions from that of an earlier, lost one.
	Epoch string
	// Term is the create revision of the election key: within an epoch, higher than any before.
	Term int64
}

// Lead does a leader's work under office until ctx ends; context.Cause then says why: ErrOfficeLost,
// ErrLeaseLost, ErrResigned, ErrHandedOver, or the end of Run's own context. Returning earlier, with or
// without an error, gives the office up.
type Lead func(ctx context.Context, office Office) error

// Cluster is one node's part in a cluster. Its methods may be called from several goroutines.
type Cluster struct {
	cfg  Config
	keys keys
	log  hclog.Logger

	etcd     condition
	members  condition // their number of groups
	roster   roster
	groups   []*group
	contacts contacts
	lookout  shared // watchOver, while this node leads any group
	ran      atomic.Bool

	joined     chan struct{}
	joinedOnce sync.Once
}

// New returns a Cluster that does nothing until Run. The error names everything that is wrong with
// the configuration.
func New(cfg Config) (*Cluster, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	log := cfg.Logger.With("cluster", cfg.Cluster, "node", cfg.Member.Name)
	k := keysOf(cfg.Cluster)
	c := &Cluster{
		cfg:     cfg,
		keys:    k,
		log:     log,
		etcd:    condition{log: log, lost: "etcd is out of reach", back: "etcd answers again"},
		members: condition{log: log, lost: "waiting for members with another number of groups to leave", back: "the members have this number of groups"},
		roster:  newRoster(k, cfg.Groups),
		joined:  make(chan struct{}),
	}
	for index := range cfg.Groups {
		c.groups = append(c.groups, newGroup(c, index))
	}
	return c, nil
}

// Run makes this node a member and a candidate until ctx ends, and calls lead whenever it is in
// office, for several groups at once if it leads several; the package document says what that means.
// It waits for an etcd that is out of reach, at the start and later.
//
// When ctx ends it cancels lead, waits for it, frees the office, then takes the membership back and
// returns nil; with etcd silent that takes a few seconds more. It returns an error earlier only if
// it cannot go on: ErrNameTaken, ErrGroups, ErrTooOld, ErrClientClosed. It may be called once.
func (c *Cluster) Run(ctx context.Context, lead Lead) error {
	if c.ran.Swap(true) {
		return errors.New("cluster: run: called twice")
	}
	if err := c.checkVersion(ctx); err != nil {
		return ended(ctx, err)
	}
	following, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.follow(following) })
	wg.Go(func() { c.watchLine(following) })
	for _, g := range c.groups {
		wg.Go(func() { g.vigil(following) })
	}
	defer wg.Wait()
	defer stop()
	for {
		err := c.stay(ctx, lead)
		if !errors.Is(err, ErrLeaseLost) {
			return ended(ctx, err)
		}
		c.log.Warn("session was lost; joining again")
	}
}

// stay is one session: it joins, stands for every office and returns why the session ended.
func (c *Cluster) stay(ctx context.Context, lead Lead) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer c.close(s)
	created, err := c.join(s)
	if err != nil {
		return err
	}
	c.log.Info("joined", "boot", c.cfg.Member.Boot, "address", c.cfg.Member.Address)
	var wg sync.WaitGroup
	wg.Go(func() { c.stayJoined(s, created) })
	for _, g := range c.groups {
		wg.Go(func() { g.stand(s, lead) })
	}
	<-s.ctx.Done() // a node that has resigned stays a member
	wg.Wait()
	return context.Cause(s.ctx)
}

// ended turns the end of ctx into success: it is how Run is meant to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		return nil
	}
	return err
}

// Resign makes this node give up its office in the given groups, or in all if none is given, and
// never stand there again. It stays a member until the context of Run ends, so that it can drain.
// Resign does not wait; it may be called at any time and more than once.
func (c *Cluster) Resign(groups ...int) {
	for _, g := range c.groups {
		if len(groups) == 0 || slices.Contains(groups, g.index) {
			g.resign()
		}
	}
}

// Joined returns a channel that closes when the membership was written for the first time.
func (c *Cluster) Joined() <-chan struct{} { return c.joined }

// Term returns the term in which this node's lead is running for a group, or 0. It is for telling
// others; what is written to Redis carries the Office handed to lead.
func (c *Cluster) Term(group int) int64 { return c.groups[group].term.Load() }

// Identity returns what this node's Listener has to say about it now.
func (c *Cluster) Identity() Identity {
	id := Identity{Node: c.cfg.Member.Name, Boot: c.cfg.Member.Boot, Term: c.Term(0)}
	if len(c.groups) > 1 {
		for _, g := range c.groups {
			id.Terms = append(id.Terms, g.term.Load())
		}
	}
	return id
}

// Watched returns to how many processes of other nodes this one holds an open connection, so that it
// will know at once when they are gone: while it leads, all other members; else the leaders, and those
// of the two candidates next after each that stand before this node.
func (c *Cluster) Watched() int { return c.contacts.count() }

// Leader returns the node in office in a group as the last watch event told, and whether there is one.
func (c *Cluster) Leader(group int) (Leader, bool) {
	l := c.roster.leader(group)
	return l, l.Term != 0
}

// Members returns the members by name, as the last watch event told. The slice is the caller's; the
// maps and slices in it are shared and must not be changed.
func (c *Cluster) Members() []Member { return c.roster.members() }

// checkVersion refuses an etcd older than this package was made for, once one has answered.
func (c *Cluster) checkVersion(ctx context.Context) error {
	var version string
	err := c.ask(ctx, func(ctx context.Context) error {
		var errs []error
		for _, endpoint := range c.cfg.Client.Endpoints() {
			status, err := c.cfg.Client.Status(ctx, endpoint)
			if err == nil {
				version = status.Version
				return nil
			}
			errs = append(errs, fmt.Errorf("%s: %w", endpoint, err))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return err
	}
	return supported(version)
}

// supported reports whether an etcd of that version will do.
func supported(version string) error {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("cluster: etcd version %q: %w", version, err)
	}
	if major < 3 || major == 3 && minor < 5 {
		return fmt.Errorf("cluster: %w: it is version %s, and 3.5 or newer is needed", ErrTooOld, version)
	}
	return nil
}
