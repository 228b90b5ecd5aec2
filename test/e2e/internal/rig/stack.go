package rig

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/wire"
)

// Config says what stack to start. Binary and Dir are needed.
type Config struct {
	Binary   string // the carillon command, see Build
	Dir      string // of data and logs; it is created, and left to the caller
	Members  int    // etcd members as child processes; 0 = one member inside this process
	LeaseTTL time.Duration
	RunLease time.Duration
	Relayed  bool             // nodes reach etcd and Redis through relays, see Lines
	Now      func() time.Time // default time.Now
	Args     []string         // further ones of every node

	// Servers starts what nodes and clients use in place of the stack's own Redis. Then the evidence is
	// that of the witness and of etcd alone, and nothing may be Relayed.
	Servers func(ctx context.Context, dir string) (*Servers, error)
}

// cluster is the name that nodes use by default, and the namespace of their keys.
const cluster = "default"

// Stack is a running etcd and Redis with the nodes that were started on them.
type Stack struct {
	Witness *Witness
	Watch   *Watch

	cfg     Config
	redis   *devstack.Redis
	servers *Servers
	inside  *devstack.Etcd // either this
	outside *etcd          // or this
	raw     *redis.Client
	scripts wire.Scripts // seen by the relays

	mu      sync.Mutex
	nodes   []*Node
	owners  map[int]string
	orphans []int             // children of nodes that were killed
	lines   map[string]*Lines // by the name of whose they are
	h       history.History   // what was done: jobs, faults, pause
	from    time.Time         // what was due until then is not judged
}

// Start starts etcd, Redis, the witness and the watch. Nodes are started by StartNode. The caller
// ends it with Close.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	if cfg.LeaseTTL == 0 {
		cfg.LeaseTTL = 2 * time.Second
	}
	if cfg.RunLease == 0 {
		cfg.RunLease = 3 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Stack{cfg: cfg, owners: map[int]string{}, lines: map[string]*Lines{}}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// keepAll makes Redis keep every command since its start in its append-only file, as text.
var keepAll = []string{"--auto-aof-rewrite-percentage", "0", "--aof-use-rdb-preamble", "no"}

func (s *Stack) start(ctx context.Context) (err error) {
	if err = os.MkdirAll(s.cfg.Dir, 0o755); err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	if s.redis, err = devstack.StartRedis(ctx, devstack.RedisConfig{Dir: s.sub("redis"), AppendOnly: true, Args: keepAll}); err != nil {
		return err
	}
	options, err := redis.ParseURL(s.redis.URL())
	if err != nil {
		return fmt.Errorf("rig: redis url: %w", err)
	}
	s.raw = redis.NewClient(options)
	if s.cfg.Servers != nil {
		if s.servers, err = s.cfg.Servers(ctx, s.cfg.Dir); err != nil {
			return err
		}
	}
	if s.cfg.Members == 0 {
		s.inside, err = devstack.StartEtcd(ctx, devstack.EtcdConfig{Dir: s.sub("etcd"), UnsafeNoFsync: true})
	} else {
		s.outside, err = startEtcd(ctx, s.cfg.Dir, s.cfg.Members)
	}
	if err != nil {
		return err
	}
	if s.Watch, err = newWatch(s.Endpoints(), cluster, s.cfg.Now); err != nil {
		return err
	}
	s.Witness, err = newWitness(s.cfg.Now, s.running)
	return err
}

func (s *Stack) sub(name string) string { return filepath.Join(s.cfg.Dir, name) }

// running are the processes that may call the witness.
func (s *Stack) running() map[int]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.owners)
}

// Endpoints are the client URLs of the etcd members.
func (s *Stack) Endpoints() []string {
	if s.outside != nil {
		return s.outside.endpoints
	}
	return s.inside.Endpoints()
}

// Now is the clock that all evidence is dated by.
func (s *Stack) Now() time.Time { return s.cfg.Now() }

// LeaseTTL is how long a hung leader stays in office.
func (s *Stack) LeaseTTL() time.Duration { return s.cfg.LeaseTTL }

// RunLease is how long a run of a node that is gone waits for another.
func (s *Stack) RunLease() time.Duration { return s.cfg.RunLease }

// Redis is the server, to be killed and restarted. The stack closes it.
func (s *Stack) Redis() *devstack.Redis { return s.redis }

// Raw is a client of the server itself, for what Carillon's client does not do. The stack closes it.
func (s *Stack) Raw() *redis.Client { return s.raw }

// Servers are those of Config.Servers, or nil. The stack closes them.
func (s *Stack) Servers() *Servers { return s.servers }

// RedisURL is what --redis takes.
func (s *Stack) RedisURL() string {
	if s.servers != nil {
		return s.servers.URL()
	}
	return s.redis.URL()
}

// Client is a client of the cluster's store. The caller closes it. A node must have been ready.
func (s *Stack) Client(ctx context.Context) (*carillon.Client, error) {
	return carillon.NewClient(ctx, carillon.ClientConfig{Redis: s.RedisURL(), Namespace: cluster})
}

// Close ends all processes, the nodes first, and waits for them.
func (s *Stack) Close() error {
	var wg sync.WaitGroup
	for _, n := range s.Running() {
		wg.Go(func() {
			n.Resume()
			n.end(12 * time.Second)
		})
	}
	wg.Wait()
	errs := []error{s.closeLines()}
	if s.Witness != nil {
		errs = append(errs, s.Witness.Close())
	}
	if s.Watch != nil {
		errs = append(errs, s.Watch.Close())
	}
	if s.servers != nil {
		errs = append(errs, s.servers.Close())
	}
	if s.raw != nil {
		errs = append(errs, s.raw.Close())
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Close())
	}
	if s.outside != nil {
		s.outside.close()
	}
	if s.inside != nil {
		errs = append(errs, s.inside.Close())
	}
	return errors.Join(errs...)
}
