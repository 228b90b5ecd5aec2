package devstack

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
)

// slots is how many a Redis Cluster has.
const slots = 16384

// RedisClusterConfig says what Redis Cluster to start. Masters is needed.
type RedisClusterConfig struct {
	// Masters share the slots evenly; Spares join without any, to be made replicas.
	Masters, Spares int
	// Server is how each is started. A Dir gets a directory redis-1 and so on for each.
	Server RedisConfig
}

// RedisCluster is the servers of a Redis Cluster, each a child process. One that is gone stops only
// its own slots.
type RedisCluster struct {
	// Servers are the masters, then the spares.
	Servers []*Redis
	masters int
}

// StartRedisCluster starts the servers and returns when all agree that the cluster is whole, or ctx
// ends. The caller ends it with Close. Without redis-server on the PATH the error is ErrNoRedisServer.
func StartRedisCluster(ctx context.Context, cfg RedisClusterConfig) (*RedisCluster, error) {
	c := &RedisCluster{masters: cfg.Masters}
	if err := c.start(ctx, cfg); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *RedisCluster) start(ctx context.Context, cfg RedisClusterConfig) error {
	buses, err := FreeAddrs(cfg.Masters + cfg.Spares)
	if err != nil {
		return err
	}
	for i, bus := range buses {
		server := cfg.Server
		if server.Dir != "" {
			server.Dir = filepath.Join(server.Dir, fmt.Sprintf("redis-%d", i+1))
		}
		server.Args = append([]string{"--cluster-enabled", "yes", "--cluster-port", portOf(bus), "--cluster-node-timeout", "1000",
			"--cluster-require-full-coverage", "no"}, server.Args...)
		r, err := StartRedis(ctx, server)
		if err != nil {
			return err
		}
		c.Servers = append(c.Servers, r)
	}
	for i, bus := range buses {
		if err := c.meet(ctx, i, portOf(bus)); err != nil {
			return fmt.Errorf("devstack: redis cluster: %w", err)
		}
	}
	return c.agree(ctx)
}

// meet gives a server its slots, if it is a master, and makes it known to the first one.
func (c *RedisCluster) meet(ctx context.Context, i int, bus string) error {
	return c.ask(i, func(client *redis.Client) error {
		if err := client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			return err
		}
		if i < c.masters {
			if err := client.ClusterAddSlotsRange(ctx, i*slots/c.masters, (i+1)*slots/c.masters-1).Err(); err != nil {
				return err
			}
		}
		return c.ask(0, func(first *redis.Client) error {
			return first.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", portOf(c.Servers[i].Addr()), bus).Err()
		})
	})
}

// agree waits until every server knows of all and takes the cluster for whole.
func (c *RedisCluster) agree(ctx context.Context) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for i := range c.Servers {
		for whole := false; !whole; {
			err := c.ask(i, func(client *redis.Client) error {
				info, err := client.ClusterInfo(ctx).Result()
				whole = strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(len(c.Servers))+"\r")
				return err
			})
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("devstack: redis cluster: %w", err)
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return fmt.Errorf("devstack: redis cluster: it is not whole yet: %w", ctx.Err())
			}
		}
	}
	return nil
}

// ask calls f with a client of one of the servers.
func (c *RedisCluster) ask(i int, f func(*redis.Client) error) error {
	client := redis.NewClient(&redis.Options{Addr: c.Servers[i].Addr()})
	return errors.Join(f(client), client.Close())
}

// URL returns the addresses of the masters as the --redis flag takes them.
func (c *RedisCluster) URL() string {
	url := "redis://" + c.Servers[0].Addr()
	for i, r := range c.Servers[1:c.masters] {
		url += map[bool]string{true: "?", false: "&"}[i == 0] + "addr=" + r.Addr()
	}
	return url
}

// Close ends all servers and waits for them.
func (c *RedisCluster) Close() error {
	var errs []error
	for _, r := range c.Servers {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}
