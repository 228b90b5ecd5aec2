package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// DefaultTTL is how long etcd keeps a node's keys after the node was last heard of.
	DefaultTTL = 5 * time.Second
	// MinTTL is the shortest lease that etcd grants with its default election timeout.
	MinTTL = 2 * time.Second
	// MaxGroups bounds Config.Groups: each group is an election that every node stands in.
	MaxGroups = 128
)

// Config says how a node takes part in a cluster. Client, Cluster, Member.Name and Member.Boot are
// needed; the zero value of all else works.
type Config struct {
	// Client is the connection to etcd. It stays the caller's to close, after Run has returned.
	Client *clientv3.Client
	// Cluster is the name that all nodes of one cluster share.
	Cluster string
	// Member is what the others learn about this node.
	Member Member
	// TTL is the length of the session: how long after a crash the node still counts as a member
	// and, if it led, as leader. Whole seconds, rounded up; zero means DefaultTTL, less than MinTTL
	// is refused. etcd may grant more.
	TTL time.Duration
	// Groups is how many offices there are, each held by one node: a leader per group of partitions.
	// It is one for the whole cluster: a node that was given another number is refused while any
	// member lives. Zero means 1, at most MaxGroups.
	Groups int
	// Logger is nil for none.
	Logger hclog.Logger
	// Now tells the time, for measuring how long an office lasted. Nil means time.Now.
	Now func() time.Time
	// CanLead reports, by a successful write to Redis, that this node could do the work of the group's
	// leader. The node campaigns for a group only after it has returned nil, and asks again until it
	// does. It is called from one goroutine per group. Nil means yes.
	CanLead func(ctx context.Context, group int) error
	// OnLeader is told of each new leader of a group, and of its absence by a Leader without name and
	// term; OnMembers of each change of the membership. Both are called one at a time from one goroutine,
	// which they must not hold up, and both may skip states that lasted only a moment. Nil means not to be told.
	OnLeader  func(Leader)
	OnMembers func([]Member)
	// OnGone is told of each process of another node that is proven gone, dead with all that ran in
	// it, at once and perhaps more than once; the package document says what a proof is. It is called
	// from several goroutines, which it must not hold up. Nil means not to be told.
	OnGone func(Member)
}

// Validate reports everything that is wrong with the configuration, not only the first fault.
func (c Config) Validate() error {
	var faults []error
	if c.Client == nil {
		faults = append(faults, errors.New("no etcd client given"))
	}
	faults = append(faults, checkName("cluster", c.Cluster), checkName("node", c.Member.Name))
	if c.Member.Boot == "" {
		faults = append(faults, errors.New("member has no boot id: it must differ with every start of the process"))
	}
	if c.TTL != 0 && c.TTL < MinTTL {
		faults = append(faults, fmt.Errorf("ttl %s must be at least %s", c.TTL, MinTTL))
	}
	if c.Groups < 0 || c.Groups > MaxGroups {
		faults = append(faults, fmt.Errorf("groups %d must be between 1 and %d", c.Groups, MaxGroups))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("cluster: configuration: %w", err)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	c.Groups = max(c.Groups, 1)
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.CanLead == nil {
		c.CanLead = func(context.Context, int) error { return nil }
	}
	if c.OnLeader == nil {
		c.OnLeader = func(Leader) {}
	}
	if c.OnMembers == nil {
		c.OnMembers = func([]Member) {}
	}
	if c.OnGone == nil {
		c.OnGone = func(Member) {}
	}
	return c
}

// ttlSeconds is the lease length to ask etcd for.
func (c Config) ttlSeconds() int64 { return int64((c.TTL + time.Second - 1) / time.Second) }
