package node_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/internal/devstack"
)

func TestUnreachableAtTheStart(t *testing.T) {
	t.Parallel()
	free, err := devstack.FreeAddrs(2)
	if err != nil {
		t.Fatal(err)
	}
	silent := silence(t)
	for _, c := range []struct {
		name   string
		change func(*carillon.Config)
		want   error
		says   string
	}{
		{"etcd refuses", func(c *carillon.Config) { c.Etcd = []string{"http://" + free[0]} }, cluster.ErrUnreachable, free[0]},
		{"redis refuses", func(c *carillon.Config) { c.Redis = "redis://" + free[1] }, carillon.ErrUnreachable, free[1]},
		{"etcd is silent", func(c *carillon.Config) { c.Etcd = []string{"http://" + silent} }, cluster.ErrUnreachable, silent},
		{"redis is silent", func(c *carillon.Config) { c.Redis = "redis://" + silent }, carillon.ErrUnreachable, silent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, clusterOf(t), "n")
			c.change(&cfg)
			began := time.Now()
			err := newNode(t, cfg).Run(t.Context())
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("run gave %v, want %v that names %s", err, c.want, c.says)
			}
		})
	}
}

// silence listens, and never answers.
func silence(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestClientWithoutAStore(t *testing.T) {
	t.Parallel()
	if _, err := carillon.NewClient(t.Context(), carillon.ClientConfig{}); err == nil || !strings.Contains(err.Error(), "no store is given") {
		t.Errorf("no store gave %v", err)
	}
	_, err := carillon.NewClient(t.Context(), carillon.ClientConfig{Redis: world.redis.URL(), Namespace: clusterOf(t)})
	if !errors.Is(err, carillon.ErrNotInitialised) || !strings.Contains(err.Error(), "start a node first") {
		t.Errorf("a namespace that nobody made gave %v", err)
	}
}

func TestStoreLost(t *testing.T) {
	t.Parallel()
	name := clusterOf(t)
	server := redis.NewClient(must(redis.ParseURL(database(7)))(t))
	defer func() { _ = server.Close() }()
	cfg := config(t, name, "n")
	cfg.Redis = database(7) // nobody else's
	node, client := idle(t, cfg)
	must(client.AddJob(t.Context(), hourly("j")))(t)
	node.Close()
	if err := server.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	err := newNode(t, cfg).Run(t.Context())
	if !errors.Is(err, carillon.ErrStoreLost) || !strings.Contains(err.Error(), "carillon store adopt") {
		t.Errorf("a node on an emptied store ended with %v", err)
	}
	// Another cluster's data in its place is no better.
	other := cfg
	other.Cluster, other.Namespace = name+"-other", name
	idle(t, other)
	err = newNode(t, cfg).Run(t.Context())
	if !errors.Is(err, carillon.ErrStoreLost) || !strings.Contains(err.Error(), "carillon store adopt") {
		t.Errorf("a node on a replaced store ended with %v", err)
	}
}

func TestListenAddressTaken(t *testing.T) {
	t.Parallel()
	cfg := config(t, clusterOf(t), "n")
	cfg.Listen = silence(t)
	if err := newNode(t, cfg).Run(t.Context()); err == nil || !strings.Contains(err.Error(), cfg.Listen) {
		t.Errorf("a taken address gave %v", err)
	}
}

func TestRunWithAnEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	n := newNode(t, config(t, clusterOf(t), "n"))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	receive(t, n.Ready(), "the node to be ready")
	cancel()
	if err := receive(t, ended, "the node to end"); err != nil {
		t.Errorf("a node whose context ended gave %v", err)
	}
}
