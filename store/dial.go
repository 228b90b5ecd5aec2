package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Config says where a store is and how it is used. Name and URL are required; every other field's
// zero value works.
type Config struct {
	Name      string // what jobs call it; "default" is the usual one
	URL       string // redis://[user:password@]host:port[/db], rediss:// for TLS; addr= adds Cluster nodes, master_name= names a Sentinel master
	Namespace string // prefix of all keys; default "default"
	Node      string // who acts, for events; empty for clients

	// Create lets Open initialise an empty database with Partitions (default 1). Only nodes set
	// it, and only when no store of this name is known to the cluster. A store that exists keeps its own
	// number of partitions; Open warns if another one was given.
	Create     bool
	Partitions int
	// Adopt makes partitions anew that were emptied while others were not. Only an operator may say so.
	Adopt bool
	// ExpectUID is the store's uid as the cluster knows it. Open refuses any other with
	// ErrStoreLost.
	ExpectUID string

	// WaitReplicas is how many replicas must have a client's mutation (of jobs, runs and pauses)
	// before it is answered; 0 = the master alone. When fewer have it within a second, it is carried
	// out all the same and the error wraps ErrNotReplicated.
	WaitReplicas int

	HistoryLimit int           // rows kept per job; default 1,000
	HistoryTTL   time.Duration // how long a history outlives its job; default 7 days
	HistoryAge   time.Duration // rows older than that go, by Tidy, but for the newest of a job; default 90 days
	EventLimit   int           // entries kept in the event log, about; default 10,000
	EventAge     time.Duration // older ones go, by Tidy; default 7 days

	// Now is the clock by which a guess is made what day it is in Redis; default time.Now.
	Now func() time.Time

	TLS        *tls.Config // for rediss:// URLs; nil = the system's roots
	AllowUnfit bool        // use a Redis that may evict keys or is too old, with a warning
	Logger     hclog.Logger

	// Dial makes the connections instead of the network; nil = to what URL names. What it connects
	// to is taken to be in this process: connections cost nothing, and none falls silent.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// opLife is how long the answer to a client's mutation is kept: well beyond any resend.
const opLife = 10 * time.Minute

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = "default"
	}
	if c.Namespace == "" {
		c.Namespace = "default"
	}
	if c.Partitions == 0 {
		c.Partitions = 1
	}
	if c.HistoryLimit == 0 {
		c.HistoryLimit = 1000
	}
	if c.HistoryTTL == 0 {
		c.HistoryTTL = 7 * 24 * time.Hour
	}
	if c.HistoryAge == 0 {
		c.HistoryAge = 90 * 24 * time.Hour
	}
	if c.EventLimit == 0 {
		c.EventLimit = 10_000
	}
	if c.EventAge == 0 {
		c.EventAge = 7 * 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return c
}

// Validate returns every fault of the configuration, joined. It contacts nothing.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	if _, err := parseURL(c.URL); err != nil {
		faults = append(faults, err)
	}
	if strings.ContainsAny(c.Namespace, "{} \t\n*?[") {
		faults = append(faults, fmt.Errorf("namespace %q: must not contain spaces, braces or *?[", c.Namespace))
	}
	if c.Partitions < 1 || c.Partitions > 1024 {
		faults = append(faults, fmt.Errorf("partitions: %d is not between 1 and 1024", c.Partitions))
	}
	if c.WaitReplicas < 0 {
		faults = append(faults, fmt.Errorf("wait for replicas: %d is negative", c.WaitReplicas))
	}
	if c.HistoryLimit < 1 || c.EventLimit < 1 || min(c.HistoryTTL, c.HistoryAge, c.EventAge) < time.Second {
		faults = append(faults, errors.New("limits of history and events must be positive, and their ages a second or more"))
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("store %s: %w", c.Name, errors.Join(faults...))
}

// parseURL reads the three forms of a URL. Its errors never repeat the URL, which may hold a
// password.
func parseURL(text string) (*redis.UniversalOptions, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix") {
		return nil, errors.New("redis URL: is not understood; write redis://[user:password@]host:port[/db], or rediss:// for TLS")
	}
	wrong := func() error {
		return errors.New("redis URL: a part of it is not understood; write redis://[user:password@]host:port[/db]")
	}
	switch q := u.Query(); {
	case q.Has("master_name"):
		o, err := redis.ParseFailoverURL(text)
		if err != nil {
			return nil, wrong()
		}
		return &redis.UniversalOptions{
			Addrs: o.SentinelAddrs, MasterName: o.MasterName, DB: o.DB, Username: o.Username,
			Password: o.Password, TLSConfig: o.TLSConfig,
			SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		}, nil
	case q.Has("addr"):
		o, err := redis.ParseClusterURL(text)
		if err != nil {
			return nil, wrong()
		}
		return &redis.UniversalOptions{
			Addrs: o.Addrs, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig, IsClusterMode: true,
		}, nil
	}
	o, err := redis.ParseURL(text)
	if err != nil {
		return nil, wrong()
	}
	return &redis.UniversalOptions{
		Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
	}, nil
}

// blockingPool is how many blocking reads may wait at once: one for each executor and partition
// that the process serves, and one for each follower of events.
const blockingPool = 2000

// dial makes the three clients of a store: writer resends nothing by itself, reader may, and
// blocking waits for streams with connections and deadlines of its own.
func (s *Store) dial() error {
	opts, err := parseURL(s.cfg.URL)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.cfg.Name, err)
	}
	if s.cfg.TLS != nil && opts.TLSConfig != nil {
		opts.TLSConfig = s.cfg.TLS
	}
	opts.ContextTimeoutEnabled = true
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = 2*time.Second, 3*time.Second, 3*time.Second
	if s.cfg.Dial != nil {
		opts.Dialer, opts.PoolSize, opts.ConnMaxIdleTime = s.cfg.Dial, blockingPool, -1
	}
	s.address = strings.Join(opts.Addrs, ",")
	once := *opts
	once.MaxRetries = -1
	once.DialerRetries = 1
	once.WriteBufferSize = 128 << 10 // a call of many runs leaves at once
	s.anew = &once
	s.writer = redis.NewUniversalClient(&once)
	waiting := once
	waiting.PoolSize = blockingPool
	s.blocking = redis.NewUniversalClient(&waiting)
	opts.MaxRetries = 2
	opts.DialerRetries = 1
	s.reader = redis.NewUniversalClient(opts)
	return nil
}

// Reach connects anew and returns nil once a partition has answered. Other calls say less after an
// outage: their connections repeat an earlier failure for up to a second.
func (s *Store) Reach(ctx context.Context) error {
	fresh := redis.NewUniversalClient(s.anew)
	defer fresh.Close()
	var err error
	for _, k := range s.partitions {
		if err = fresh.HGet(ctx, k.meta(), "uid").Err(); err == nil || errors.Is(err, redis.Nil) {
			return nil
		}
	}
	return s.explain("reach", err)
}
