package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/bench/internal/report"
	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/store"
)

const (
	scaleMasters    = 3
	scalePartitions = 12
	scaleNodes      = 4
	// scaleTold is after how many ended runs a node says so.
	scaleTold = 100
)

// scaled is what was measured with so many groups.
type scaled struct {
	groups       int
	rates        []float64 // runs/s
	nodes, redis []float64 // µs of processor per run
}

// scale measures a burst on a Redis Cluster, led by one node, by two and by four.
func (b *bench) scale(ctx context.Context) error {
	servers, err := devstack.StartRedisCluster(ctx, devstack.RedisClusterConfig{Masters: scaleMasters})
	if err != nil {
		return err
	}
	var bars []report.Bar
	for _, groups := range []int{1, 2, 4} {
		s := scaled{groups: groups}
		if err := b.ledBy(ctx, servers, &s); err != nil {
			return errors.Join(fmt.Errorf("%d groups: %w", groups, err), servers.Close())
		}
		name := fmt.Sprintf("%d leaders", groups)
		b.report.Note(name+", burst on three masters", report.Median(s.rates), "runs/s")
		b.report.Note(name+", processor of all nodes per run", report.Median(s.nodes), "µs")
		b.report.Note(name+", processor of all masters per run", report.Median(s.redis), "µs")
		bars = append(bars, bar(name, s.rates))
	}
	b.report.Plots = append(b.report.Plots, report.Bars("scale", "Jobs due at one instant on a Redis Cluster, done per second", "runs/s", bars...))
	return servers.Close()
}

// ledBy measures rounds of bursts with so many groups, on nodes of their own.
func (b *bench) ledBy(ctx context.Context, servers *devstack.RedisCluster, s *scaled) (err error) {
	b.rig.used++
	c := &clustered{bench: b, servers: servers, name: fmt.Sprintf("bench-%d", b.rig.used), done: make(chan int, 1000)}
	if c.admin, err = clusterClient(servers); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.admin.Close()) }()
	if err := c.admin.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error { return m.FlushAll(ctx).Err() }); err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	c.team, err = b.rig.startTeam(ctx, c.name, scaleNodes, scaleTold, func(m message) { c.done <- m.Done },
		"-redis", servers.URL(), "-partitions", strconv.Itoa(scalePartitions), "-groups", strconv.Itoa(s.groups))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.team.close()) }()
	if c.client, err = carillon.NewClient(ctx, carillon.ClientConfig{Redis: servers.URL(), Namespace: c.name}); err != nil {
		return err
	}
	defer c.client.Close()
	if err := c.spread(ctx, s.groups); err != nil {
		return err
	}
	for round := range b.rounds {
		err := b.inTime(func() error { return c.round(ctx, round, s) })
		if err != nil {
			return err
		}
		b.say("%d leaders, round %d of %d: %.0f runs/s, %.1f µs of the nodes and %.1f µs of Redis per run",
			s.groups, round+1, b.rounds, s.rates[round], s.nodes[round], s.redis[round])
	}
	return nil
}

func clusterClient(servers *devstack.RedisCluster) (*redis.ClusterClient, error) {
	o, err := redis.ParseClusterURL(servers.URL())
	if err != nil {
		return nil, fmt.Errorf("redis cluster: %w", err)
	}
	return redis.NewClusterClient(o), nil
}

// clustered is the nodes on a Redis Cluster.
type clustered struct {
	*bench
	servers *devstack.RedisCluster
	name    string // of the cluster, and of the keys
	admin   *redis.ClusterClient
	team    *team
	client  *carillon.Client
	done    chan int
}

// spread waits until every group is led, each by another node.
func (c *clustered) spread(ctx context.Context, groups int) error {
	etcd, err := clientv3.New(clientv3.Config{Endpoints: c.rig.etcd, Logger: zap.NewNop()})
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer etcd.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		led := map[string]bool{}
		for group := range groups {
			l, err := cluster.CurrentLeader(ctx, etcd, c.name, group)
			if err != nil {
				return err
			}
			if l != nil {
				led[l.Name] = true
			}
		}
		if len(led) == groups {
			return nil
		}
		if err := sleep(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
			return fmt.Errorf("the groups are not spread: %w", err)
		}
	}
}

// round loads as many jobs into each partition, due at one instant, and measures until the last has
// ended.
func (c *clustered) round(ctx context.Context, round int, s *scaled) error {
	n := c.scaleBurst
	at := c.after(2*time.Second, n, 40*time.Microsecond).Truncate(time.Millisecond)
	if err := c.load(ctx, at, n, fmt.Sprintf("due-%d-%d-", round, c.room)); err != nil {
		return err
	}
	if time.Now().After(at) {
		return tooLate(n)
	}
	nodes, masters, err := c.usage(ctx)
	if err != nil {
		return err
	}
	if err := c.ended(ctx, n); err != nil {
		return err
	}
	took := time.Since(at)
	nodesLater, mastersLater, err := c.usage(ctx)
	if err != nil {
		return err
	}
	s.rates = append(s.rates, perSecond(n, took))
	s.nodes = append(s.nodes, float64((nodesLater-nodes).Microseconds())/float64(n))
	s.redis = append(s.redis, float64((mastersLater-masters).Microseconds())/float64(n))
	return nil
}

// ended waits until nothing is left of a burst: the nodes tell every hundredth end only, so near the
// end Redis is asked what is stored, waits or runs.
func (c *clustered) ended(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	most := (n/scaleTold - scaleNodes) // each node keeps up to a hundred to itself
	for told := 0; told < most; told++ {
		select {
		case <-c.done:
		case <-ctx.Done():
			return fmt.Errorf("a burst does not end: %w", context.Cause(ctx))
		}
	}
	for {
		left, err := c.left(ctx)
		if err != nil || left == 0 {
			c.drop()
			return err
		}
		if err := sleep(ctx, time.Now().Add(5*time.Millisecond)); err != nil {
			return fmt.Errorf("%d runs do not end: %w", left, err)
		}
	}
}

// drop forgets what the nodes have told and nobody counted.
func (c *clustered) drop() {
	for len(c.done) > 0 {
		<-c.done
	}
}

// left counts what waits to be dispatched, in streams, or runs.
func (c *clustered) left(ctx context.Context) (int64, error) {
	pipe := c.admin.Pipeline()
	var counts []*redis.IntCmd
	for p := range scalePartitions {
		key := func(name string) string { return fmt.Sprintf("{%s:%d}:%s", c.name, p, name) }
		counts = append(counts, pipe.ZCard(ctx, key("run_times")), pipe.XLen(ctx, key("stream:default")), pipe.HLen(ctx, key("running")))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, fmt.Errorf("ask what is left: %w", err)
	}
	sum := int64(0)
	for _, n := range counts {
		sum += n.Val()
	}
	return sum, nil
}

// usage is the processor time of all nodes, and of all masters.
func (c *clustered) usage(ctx context.Context) (nodes, masters time.Duration, err error) {
	for _, p := range c.team.nodes {
		u, err := p.used(ctx)
		if err != nil {
			return 0, 0, err
		}
		nodes += u.CPU
	}
	for _, r := range c.servers.Servers {
		client := redis.NewClient(&redis.Options{Addr: r.Addr()})
		info, err := client.Info(ctx, "stats", "cpu", "memory").Result()
		if err := errors.Join(err, client.Close()); err != nil {
			return 0, 0, fmt.Errorf("ask Redis what it has used: %w", err)
		}
		u, err := parseInfo(info)
		if err != nil {
			return 0, 0, err
		}
		masters += u.cpu
	}
	return nodes, masters, nil
}

// load stores n jobs due at one instant, as many in each partition: copies, as the rig's load makes.
func (c *clustered) load(ctx context.Context, at time.Time, n int, prefix string) error {
	s, err := store.Open(ctx, store.Config{URL: c.servers.URL(), Namespace: c.name})
	if err != nil {
		return err
	}
	defer s.Close()
	tags := make([]string, scalePartitions)
	for i, found := 0, 0; found < len(tags); i++ {
		tag := fmt.Sprintf("{%d}", i)
		if p := s.PartitionOf(tag); tags[p] == "" {
			tags[p] = tag
			found++
		}
	}
	for p, tag := range tags {
		if err := c.loadPart(ctx, at, n/scalePartitions, fmt.Sprintf("{%s:%d}:", c.name, p), tag, prefix); err != nil {
			return fmt.Errorf("load: %w", err)
		}
	}
	return nil
}

// loadPart stores jobs in the partition whose keys begin so, to which ids with that tag belong.
func (c *clustered) loadPart(ctx context.Context, at time.Time, n int, begin, tag, prefix string) error {
	first := template + tag
	if _, err := c.client.AddJob(ctx, carillon.Job{ID: first, Task: task, Trigger: carillon.At(at)}); err != nil {
		return err
	}
	one := stored{jobs: begin + "jobs", times: begin + "run_times", score: float64(at.UnixMilli())}
	var err error
	if one.value, err = c.admin.HGet(ctx, one.jobs, first).Result(); err != nil {
		return err
	}
	one.uid = strings.Fields(one.value)[1]
	var values []any
	var times []redis.Z
	for i := range n {
		name := prefix + strconv.Itoa(i)
		values = append(values, name+tag, one.copyAs(name))
		times = append(times, redis.Z{Score: one.score, Member: name + tag})
	}
	pipe := c.admin.Pipeline()
	pipe.HSet(ctx, one.jobs, values...)
	pipe.ZAdd(ctx, one.times, times...)
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	return c.client.RemoveJob(ctx, first)
}
