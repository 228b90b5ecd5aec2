package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// replicaPatience is how long an acknowledged mutation waits for the replicas.
const replicaPatience = time.Second

// acknowledged marks a mutation of a client. With Config.WaitReplicas it is answered once that many
// replicas have it. What nodes and the leader write does not wait: of that a failover costs at most
// that runs are dispatched and run again, under the same ids.
func (sc *script) acknowledged() *script {
	sc.waits = true
	return sc
}

// refused reports whether err leaves the caller without an answer. An answer that too few replicas
// have is one.
func refused(err error) bool { return err != nil && !errors.Is(err, ErrNotReplicated) }

// copied calls a script and then, on the same connection, waits for the replicas: they have what the
// master had by then, also when the script is a repeat that wrote nothing.
func (s *Store) copied(ctx context.Context, sc *script, keys []string, args []any) (any, error) {
	server, err := s.masterOf(ctx, keys[0])
	if err != nil {
		return nil, err
	}
	lua := s.dialect(sc)
	reply, copies, err := s.pipe(ctx, server, func(p redis.Pipeliner) *redis.Cmd { return lua.EvalSha(ctx, p, keys, args...) })
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, copies, err = s.pipe(ctx, server, func(p redis.Pipeliner) *redis.Cmd { return lua.Eval(ctx, p, keys, args...) })
	}
	if cluster, ok := s.writer.(*redis.ClusterClient); ok && movedAway(err) {
		cluster.ReloadState(ctx)
	}
	if err == nil && copies < int64(s.cfg.WaitReplicas) {
		err = fmt.Errorf("%w: %d of %d have it after %s; it is stored, and lost if the master fails before they have it: see INFO replication, and repeat the call only with the same id or idempotency key",
			ErrNotReplicated, copies, s.cfg.WaitReplicas, replicaPatience)
	}
	return reply, err
}

func (s *Store) pipe(ctx context.Context, server *redis.Client, script func(redis.Pipeliner) *redis.Cmd) (reply any, copies int64, err error) {
	p := server.Pipeline()
	called := script(p)
	waited := p.Do(ctx, "WAIT", s.cfg.WaitReplicas, replicaPatience.Milliseconds())
	_, _ = p.Exec(ctx) // each command has its own error
	if reply, err = called.Result(); err != nil {
		return nil, 0, err
	}
	copies, err = waited.Int64() // without an answer the outcome is unknown
	return reply, copies, err
}

// masterOf is the writing client of the one server that has the key.
func (s *Store) masterOf(ctx context.Context, key string) (*redis.Client, error) {
	switch c := s.writer.(type) {
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, key)
	case *redis.Client:
		return c, nil
	}
	return nil, fmt.Errorf("wait_replicas: not with a client of type %T", s.writer)
}

// movedAway reports whether another server of the cluster has the keys now.
func movedAway(err error) bool {
	return redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "ASK")
}
