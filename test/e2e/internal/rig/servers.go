package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
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
	s = &Servers{clients: map[int]*redis.Client{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	buses, err := devstack.FreeAddrs(masters + 1)
	if err != nil {
		return s, err
	}
	for i := range masters + 1 {
		err := s.add(ctx, dir, "--cluster-enabled", "yes", "--cluster-port", portOf(buses[i]), "--cluster-node-timeout", "1000",
			"--cluster-require-full-coverage", "no")
		if err != nil {
			return s, err
		}
	}
	first := s.Raw(0)
	for i := range masters + 1 {
		c := s.Raw(i)
		if err := c.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			return s, err
		}
		if i < masters {
			if err := c.ClusterAddSlotsRange(ctx, i*16384/masters, (i+1)*16384/masters-1).Err(); err != nil {
				return s, err
			}
		}
		if err := first.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", portOf(s.Redis[i].Addr()), portOf(buses[i])).Err(); err != nil {
			return s, err
		}
	}
	if err := s.agree(ctx, masters+1); err != nil {
		return s, err
	}
	last, err := s.Raw(masters-1).Do(ctx, "CLUSTER", "MYID").Text()
	if err != nil {
		return s, err
	}
	if err := s.Raw(masters).Do(ctx, "CLUSTER", "REPLICATE", last).Err(); err != nil {
		return s, err
	}
	s.url = "redis://" + s.Redis[0].Addr() + "?addr=" + s.Redis[1].Addr() + "&addr=" + s.Redis[2].Addr()
	return s, s.follows(ctx, masters)
}

// agree waits until every server knows of all and takes the cluster for whole.
func (s *Servers) agree(ctx context.Context, n int) error {
	return until(ctx, "the cluster is formed", func() bool {
		for i := range s.Redis {
			info, err := s.Raw(i).ClusterInfo(ctx).Result()
			if err != nil || !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(n)+"\r") {
				return false
			}
		}
		return true
	})
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
