package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Registry is what nodes have ever served from this store. Names stay after their nodes left, so
// that a job may be added while everything is down.
type Registry struct {
	Executors []string
	Tasks     []string
	// Served are the tasks that live nodes serve, by their executors, as the leader last said; nobody serves
	// anything when no leader has said so for a minute. Nil when no leader has ever said it.
	Served map[string][]string
}

const (
	executorField = "executor:"
	taskField     = "task:"
)

// Register adds what a node serves to the registry of every partition, and makes sure that each
// executor's stream has its consumer group.
func (s *Store) Register(ctx context.Context, executors, tasks []string) error {
	now, err := s.Now(ctx, 0)
	if err != nil {
		return err
	}
	var fields []any
	for _, e := range executors {
		fields = append(fields, executorField+e, now)
	}
	for _, t := range tasks {
		fields = append(fields, taskField+t, now)
	}
	for p, k := range s.partitions {
		for _, e := range executors {
			if err := s.EnsureGroup(ctx, p, e); err != nil {
				return err
			}
		}
		if len(fields) == 0 {
			continue
		}
		// The reader resends after a lost reply, which these writes bear.
		if err := s.reader.HSet(ctx, k.registry(), fields...).Err(); err != nil {
			return s.explain("register", err)
		}
	}
	return nil
}

// Registry reads the registry of the first partition that answers: each has all of it.
func (s *Store) Registry(ctx context.Context) (r Registry, err error) {
	for p := range s.partitions {
		if r, err = s.RegistryIn(ctx, p); err == nil || ctx.Err() != nil {
			break
		}
	}
	return r, err
}

// RegistryIn reads the registry of one partition.
func (s *Store) RegistryIn(ctx context.Context, partition int) (Registry, error) {
	var fields *redis.StringSliceCmd
	var served *redis.MapStringStringCmd
	k := s.partitions[partition]
	_, err := s.reader.Pipelined(ctx, func(p redis.Pipeliner) error {
		fields, served = p.HKeys(ctx, k.registry()), p.HGetAll(ctx, k.served())
		return nil
	})
	if err != nil {
		return Registry{}, s.explain("registry", err)
	}
	var r Registry
	for _, f := range fields.Val() {
		if f == servedField {
			r.Served = map[string][]string{}
			for executor, tasks := range served.Val() {
				r.Served[executor] = strings.Split(tasks, "\n")
			}
		}
		if name, ok := strings.CutPrefix(f, executorField); ok {
			r.Executors = append(r.Executors, name)
		}
		if name, ok := strings.CutPrefix(f, taskField); ok {
			r.Tasks = append(r.Tasks, name)
		}
	}
	slices.Sort(r.Executors)
	slices.Sort(r.Tasks)
	return r, nil
}

// seenLife is how long a registry that was read is good for names that are in it. Names never leave it
// but with the store itself.
const seenLife = time.Second

// seen is the registry as it was read last.
type seen struct {
	now      func() time.Time
	mu       sync.Mutex
	registry Registry
	until    time.Time
}

// Knows is Registry.Knows for the registry of the store, which it does not read each time.
func (s *Store) Knows(ctx context.Context, executor, task string) error {
	s.seen.mu.Lock()
	known := s.seen.now().Before(s.seen.until) && s.seen.registry.Knows(executor, task) == nil
	s.seen.mu.Unlock()
	if known {
		return nil
	}
	r, err := s.Registry(ctx)
	if err != nil {
		return err
	}
	s.seen.mu.Lock()
	s.seen.registry, s.seen.until = r, s.seen.now().Add(seenLife)
	s.seen.mu.Unlock()
	return r.Knows(executor, task)
}

// Knows returns ErrUnknownExecutor or ErrUnknownTask when no node has ever served the name.
func (r Registry) Knows(executor, task string) error {
	if err := r.KnowsExecutor(executor); err != nil {
		return err
	}
	if !slices.Contains(r.Tasks, task) {
		return fmt.Errorf("%w: no node has ever served %q; known are %s; start a node that handles it, or correct the name",
			ErrUnknownTask, task, listed(r.Tasks))
	}
	return nil
}

// KnowsExecutor returns ErrUnknownExecutor when no node has ever served the name.
func (r Registry) KnowsExecutor(executor string) error {
	if slices.Contains(r.Executors, executor) {
		return nil
	}
	return fmt.Errorf("%w: no node has ever served %q; known are %s; start a node with --executor %s=N, or correct the name",
		ErrUnknownExecutor, executor, listed(r.Executors), executor)
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// group is the one consumer group of every work stream.
const group = "nodes"

// EnsureGroup creates the consumer group of an executor's stream at its beginning, if it is
// missing: entries that an earlier group had and did not finish come again, and start decides.
func (s *Store) EnsureGroup(ctx context.Context, partition int, executor string) error {
	err := s.reader.XGroupCreateMkStream(ctx, s.partitions[partition].stream(executor), group, "0").Err()
	if err != nil && !redis.HasErrorPrefix(err, "BUSYGROUP") {
		return s.explain("create group", err)
	}
	return nil
}

// StreamLength is how many entries an executor's stream holds, waiting or fetched, in all
// partitions.
func (s *Store) StreamLength(ctx context.Context, executor string) (int64, error) {
	var n int64
	for _, k := range s.partitions {
		l, err := s.reader.XLen(ctx, k.stream(executor)).Result()
		if err != nil {
			return 0, s.explain("stream length", err)
		}
		n += l
	}
	return n, nil
}

// Writable makes one small write, as a node does before it campaigns, in the first of the
// partitions that takes it. An error means that none does: whoever led could do nothing.
func (s *Store) Writable(ctx context.Context, node string, partitions []int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var err error
	for _, p := range partitions {
		if err = s.write(ctx, s.partitions[p], node); err == nil || ctx.Err() != nil {
			break
		}
	}
	return s.explain("write", err)
}

func (s *Store) write(ctx context.Context, k keys, node string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	field := "campaigned:" + node
	if err := s.writer.HSet(ctx, k.registry(), field, 1).Err(); err != nil {
		return err
	}
	return s.writer.HDel(ctx, k.registry(), field).Err()
}
