package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
)

// benchTask is the only task of a benchmark.
const benchTask = "noop"

// benchStage is a cluster of one node in a namespace of its own.
type benchStage struct {
	app    *app
	name   string // of the namespace and of the cluster
	node   *carillon.Node
	client *carillon.Client
	admin  redis.UniversalClient
	own    *devstack.Etcd // nil when the user has named one
	run    chan error     // of a node that runs; nil before
	end    context.CancelFunc
}

// benchStage connects to Redis and etcd and creates the store. The node does not run yet.
func (a *app) benchStage(ctx context.Context, f benchFlags) (s *benchStage, err error) {
	s = &benchStage{app: a, name: benchPrefix + uuid.NewString()[:8]}
	a.cluster, a.namespace = s.name, s.name
	p, err := a.place()
	if err != nil {
		return nil, err
	}
	address, ok := p.urls[job.DefaultName]
	if !ok || p.selected != "" {
		return nil, usagef("--store: a benchmark uses the store of --redis URL alone")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	if len(a.etcd) == 0 {
		s.own, err = devstack.StartEtcd(ctx, devstack.EtcdConfig{UnsafeNoFsync: true, Log: a.logger(hclog.Error)})
		if err != nil {
			return s, err
		}
		a.etcd = s.own.Endpoints()
	}
	cfg, err := a.nodeConfig(nodeFlags{name: "bench", executors: []string{fmt.Sprintf("%s=%d", job.DefaultName, f.workers)}})
	if err != nil {
		return s, err
	}
	cfg.Stores, cfg.Logger = map[string]string{job.DefaultName: address}, a.logger(hclog.Error)
	if s.node, err = carillon.NewNode(cfg); err != nil {
		return s, usage(err)
	}
	s.node.HandleFunc(benchTask, func(context.Context, carillon.Run) (any, error) { return nil, nil })
	if s.admin, err = keysClient(address, cfg.RedisTLS); err != nil {
		return s, err
	}
	opening, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.warnOfOthers(opening)
	s.client, err = s.node.Client(opening)
	return s, err
}

// warnOfOthers tells a person whose Redis is in use. If it cannot be asked, the store says why.
func (s *benchStage) warnOfOthers(ctx context.Context) {
	if n, err := s.admin.DBSize(ctx).Result(); err == nil && n > 0 {
		fmt.Fprintln(s.app.stderr, errorLine(fmt.Errorf("warning: others have %d keys in this Redis; they stay, but who uses them will notice the load", n)))
	}
}

// start runs the node and returns when it is ready.
func (s *benchStage) start(ctx context.Context) error {
	ctx, s.end = context.WithCancel(ctx)
	s.run = make(chan error, 1)
	go func() { s.run <- s.node.Run(ctx) }()
	err := allReady(ctx, []*carillon.Node{s.node})
	select {
	case ended := <-s.run: // before it was ready
		s.run <- nil
		return cmp.Or(ended, err)
	default:
		return err
	}
}

// close ends the node and removes all that was stored, whether ctx has ended or not.
func (s *benchStage) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), benchRemoval)
	defer cancel()
	var faults []error
	if s.run != nil {
		s.end()
		faults = append(faults, <-s.run)
	} else if s.node != nil {
		s.node.Close()
	}
	if s.admin != nil {
		if s.client != nil { // else nothing was stored
			faults = append(faults, s.removeKeys(ctx))
		}
		s.admin.Close()
	}
	if s.own != nil {
		return errors.Join(append(faults, s.own.Close())...)
	}
	if s.client != nil {
		faults = append(faults, s.app.withEtcd(func(etcd *clientv3.Client) error {
			_, err := etcd.Delete(ctx, "/carillon/"+s.name+"/", clientv3.WithPrefix())
			return err
		}))
	}
	return errors.Join(faults...)
}

// removeKeys removes what the namespace holds in Redis.
func (s *benchStage) removeKeys(ctx context.Context) error {
	remove := func(ctx context.Context, c redis.Cmdable) error {
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			keys, next, err := c.Scan(ctx, cursor, "{"+s.name+":*", 1000).Result()
			if err != nil {
				return err
			}
			cursor = next
			_, err = c.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, key := range keys {
					p.Unlink(ctx, key)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	if c, ok := s.admin.(*redis.ClusterClient); ok {
		err = c.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return remove(ctx, c) })
	} else {
		err = remove(ctx, s.admin)
	}
	if err != nil {
		return fmt.Errorf("the keys of namespace %s could not all be removed; delete what begins with {%s: %w", s.name, s.name, err)
	}
	return nil
}

// keysClient is a client of a store's Redis for what no store does: to remove all of it. The store has
// taken the same URL.
func keysClient(address string, secure *tls.Config) (redis.UniversalClient, error) {
	wrong := usagef("--redis: the URL is not understood")
	u, err := url.Parse(address)
	if err != nil {
		return nil, wrong
	}
	choose := func(own *tls.Config) *tls.Config {
		if own != nil && secure != nil {
			return secure
		}
		return own
	}
	switch q := u.Query(); {
	case q.Has("master_name"):
		o, err := redis.ParseFailoverURL(address)
		if err != nil {
			return nil, wrong
		}
		o.TLSConfig = choose(o.TLSConfig)
		return redis.NewFailoverClient(o), nil
	case q.Has("addr"):
		o, err := redis.ParseClusterURL(address)
		if err != nil {
			return nil, wrong
		}
		o.TLSConfig = choose(o.TLSConfig)
		return redis.NewClusterClient(o), nil
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, wrong
	}
	o.TLSConfig = choose(o.TLSConfig)
	return redis.NewClient(o), nil
}
