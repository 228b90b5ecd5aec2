package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/internal/devstack"
)

// Servers are Redis servers that work together: masters of a Redis Cluster, or a master with a
// replica that sentinels watch. See Config.Servers.
type Servers struct {
	Redis []*devstack.Redis // masters first, then one replica, of the last master

	url       string
	sentinels []*Process
	clients   map[int]*redis.Client
}

// URL is what --redis takes.
func (s *Servers) URL() string { return s.url }

// Raw is a client of one of the servers. Close closes it.
func (s *Servers) Raw(i int) *redis.Client {
	if s.clients[i] == nil {
		s.clients[i] = redis.NewClient(&redis.Options{Addr: s.Redis[i].Addr()})
	}
	return s.clients[i]
}

// Close ends all of them.
func (s *Servers) Close() error {
	var errs []error
	for _, p := range s.sentinels {
		p.Kill()
	}
	for _, c := range s.clients {
		errs = append(errs, c.Close())
	}
	for _, r := range s.Redis {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// add starts one more server.
func (s *Servers) add(ctx context.Context, dir string, args ...string) error {
	name := fmt.Sprintf("redis-%d", len(s.Redis)+1)
	r, err := devstack.StartRedis(ctx, devstack.RedisConfig{Dir: filepath.Join(dir, name), AppendOnly: true, Args: args})
	if err == nil {
		s.Redis = append(s.Redis, r)
	}
	return err
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// StartRedisCluster starts three masters that share the slots evenly and a replica of the last one,
// and returns when all agree. One that is gone stops only its own slots.
func StartRedisCluster(ctx context.Context, dir string) (s *Servers, err error) {
	const masters = 3
	cluster, err := devstack.StartRedisCluster(ctx, devstack.RedisClusterConfig{
		Masters: masters, Spares: 1, Server: devstack.RedisConfig{Dir: dir, AppendOnly: true},
	})
	if err != nil {
		return nil, err
	}
	s = &Servers{Redis: cluster.Servers, url: cluster.URL(), clients: map[int]*redis.Client{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	last, err := s.Raw(masters-1).Do(ctx, "CLUSTER", "MYID").Text()
	if err != nil {
		return s, err
	}
	if err := s.Raw(masters).Do(ctx, "CLUSTER", "REPLICATE", last).Err(); err != nil {
		return s, err
	}
	return s, s.follows(ctx, masters)
}

// follows waits until a replica has copied its master.
func (s *Servers) follows(ctx context.Context, replica int) error {
	c := s.Raw(replica)
	return until(ctx, "the replica follows", func() bool {
		info, err := c.Info(ctx, "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
}

// Promoted waits until a replica has become a master.
func (s *Servers) Promoted(ctx context.Context, replica int) error {
	c := s.Raw(replica)
	return until(ctx, "the replica is promoted", func() bool {
		info, err := c.Info(ctx, "replication").Result()
		return err == nil && strings.Contains(info, "role:master")
	})
}

// until polls another process.
func until(ctx context.Context, what string, holds func() bool) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("rig: waiting until %s: %w", what, ctx.Err())
		}
	}
	return nil
}
