package node_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/internal/devstack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stack is an etcd and a Redis of a test's own.
type stack struct {
	etcd  *devstack.Etcd
	redis *devstack.Redis
}

func startStack(t *testing.T) stack {
	t.Helper()
	ctx := t.Context()
	etcd, err := devstack.StartEtcd(ctx, devstack.EtcdConfig{Dir: t.TempDir(), Members: 1, UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := etcd.Close(); err != nil {
			t.Error(err)
		}
	})
	redis, err := devstack.StartRedis(ctx, devstack.RedisConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := redis.Close(); err != nil {
			t.Error(err)
		}
	})
	return stack{etcd: etcd, redis: redis}
}

// config is a node on the stack; change adjusts it.
func (s stack) config(t *testing.T, name string) carillon.Config {
	level := hclog.Warn
	if testing.Verbose() {
		level = hclog.Info
	}
	return carillon.Config{
		Name: name, Etcd: s.etcd.Endpoints(), Redis: s.redis.URL(), LeaseTTL: 2 * time.Second, RunLease: 3 * time.Second,
		DrainTimeout: 5 * time.Second,
		Logger:       hclog.New(&hclog.LoggerOptions{Name: "test", Level: level, Output: t.Output()}),
	}
}

// start runs a node until the test ends, or until the returned stop, which shuts it down within the
// given context.
func start(t *testing.T, node *carillon.Node) (stop func(context.Context)) {
	t.Helper()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { ended <- node.Run(ctx) }()
	select {
	case <-node.Ready():
	case err := <-ended:
		t.Fatalf("node ended before it was ready: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("node was not ready within 20 s")
	}
	stopped := false
	stop = func(ctx context.Context) {
		if stopped {
			return
		}
		stopped = true
		err := node.Shutdown(ctx)
		cancel()
		if err := errors.Join(err, <-ended); err != nil {
			t.Errorf("node ended with %v", err)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stop(ctx)
	})
	return stop
}

func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
