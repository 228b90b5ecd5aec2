package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/internal/devstack"
)

// rig is the servers that all measurements share: one redis-server, emptied between them, and one etcd
// member in a process of its own.
type rig struct {
	redis  *devstack.Redis
	admin  *redis.Client // for what no measurement counts
	etcd   []string
	stop   context.CancelFunc
	member *exec.Cmd
	used   int // clusters named so far
}

// etcdCommand is the hidden command that runs the etcd member.
const etcdCommand = "etcd-member"

func startRig(ctx context.Context) (*rig, error) {
	server, err := devstack.StartRedis(ctx, devstack.RedisConfig{})
	if err != nil {
		return nil, err
	}
	r := &rig{redis: server, admin: redis.NewClient(&redis.Options{Addr: server.Addr(), ReadTimeout: time.Minute})}
	if err := r.startEtcd(ctx); err != nil {
		return nil, errors.Join(err, r.admin.Close(), server.Close())
	}
	return r, nil
}

// startEtcd runs this program again as an etcd member, so that its work is not counted as a node's.
func (r *rig) startEtcd(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	ctx, r.stop = context.WithCancel(ctx)
	r.member = exec.CommandContext(ctx, self, etcdCommand)
	r.member.Cancel = func() error { return r.member.Process.Signal(os.Interrupt) }
	r.member.WaitDelay = 10 * time.Second
	r.member.Stderr = os.Stderr
	out, err := r.member.StdoutPipe()
	if err == nil {
		err = r.member.Start()
	}
	if err != nil {
		r.stop()
		return fmt.Errorf("etcd: %w", err)
	}
	if err := json.NewDecoder(out).Decode(&r.etcd); err != nil {
		r.stop()
		return fmt.Errorf("etcd: it did not start: %w", errors.Join(err, ended(r.member.Wait())))
	}
	return nil
}

// serveEtcd is what the hidden command does: it prints its endpoints and serves until it is stopped.
func serveEtcd(ctx context.Context, stdout io.Writer) error {
	etcd, err := devstack.StartEtcd(ctx, devstack.EtcdConfig{UnsafeNoFsync: true})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(stdout).Encode(etcd.Endpoints()); err != nil {
		return errors.Join(err, etcd.Close())
	}
	<-ctx.Done()
	return etcd.Close()
}

func (r *rig) close() error {
	r.stop()
	return errors.Join(ended(r.member.Wait()), r.admin.Close(), r.redis.Close())
}

// ended drops the error that says how a process that was asked to end has ended.
func ended(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// empty removes all that earlier measurements have left in Redis, and names a cluster that no one has
// used: etcd remembers which store a cluster had.
func (r *rig) empty(ctx context.Context) (cluster string, err error) {
	if err := r.admin.FlushAll(ctx).Err(); err != nil {
		return "", fmt.Errorf("empty Redis: %w", err)
	}
	r.used++
	return fmt.Sprintf("bench-%d", r.used), nil
}
