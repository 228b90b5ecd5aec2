// Package store_test runs the store's conformance suite against each server Carillon supports, and
// tests beside it what only a real Redis can show.
package store_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	storetest.Run(t, func(*testing.T) store.Config { return store.Config{URL: server.URL()} })
}

// TestCluster runs against a Redis Cluster of one node, which refuses every script that touches keys
// of more than one slot.
func TestCluster(t *testing.T) {
	t.Parallel()
	url := startCluster(t)
	storetest.Run(t, func(*testing.T) store.Config { return store.Config{URL: url} })
}

func startCluster(t *testing.T) (url string) {
	t.Helper()
	server := startRedis(t, "--cluster-enabled", "yes")
	raw, ctx := connect(t, server.URL()), patience(t)
	must(t, raw.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
	for ok := false; !ok; {
		info, err := raw.ClusterInfo(ctx).Result()
		must(t, err)
		ok = strings.Contains(info, "cluster_state:ok")
	}
	return "redis://" + server.Addr() + "?addr=" + server.Addr()
}

func TestMemory(t *testing.T) {
	t.Parallel()
	// Each command of this server costs more with each key there is, so the rules share several.
	var urls []string
	for range 16 {
		server, err := devstack.StartMemory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		urls = append(urls, server.URL())
	}
	var opened atomic.Int64
	storetest.Run(t, func(*testing.T) store.Config {
		return store.Config{URL: urls[opened.Add(1)%int64(len(urls))]}
	})
}

func startRedis(t *testing.T, args ...string) *devstack.Redis {
	t.Helper()
	server, err := devstack.StartRedis(patience(t), devstack.RedisConfig{Args: args})
	if errors.Is(err, devstack.ErrNoRedisServer) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}
