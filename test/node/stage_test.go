package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon"
)

// stage is a running node that the tests share, with the stores "default" and "redis" (database 2
// of the same server). Tests keep apart by the ids of their jobs.
var stage struct {
	node   *carillon.Node
	client *carillon.Client
}

// acts are what the task "act" does, by the name in its args.
var acts sync.Map

// act gives the task "act" something to do, and returns the args that have it done.
func act(t *testing.T, f carillon.TaskFunc) json.RawMessage {
	t.Helper()
	name := uuid.NewString()
	acts.Store(name, f)
	return carillon.Args(name)
}

func perform(ctx context.Context, run carillon.Run) (any, error) {
	var name string
	if err := json.Unmarshal(run.Args, &name); err != nil {
		return nil, err
	}
	f, ok := acts.Load(name)
	if !ok {
		return nil, fmt.Errorf("no act is called %q", name)
	}
	return f.(carillon.TaskFunc)(ctx, run)
}

// nothing is an act that ends at once.
func nothing(context.Context, carillon.Run) (any, error) { return nil, nil }

// untilTold is an act that says when it begins and ends when it is told, or when its context ends.
func untilTold(t *testing.T) (args json.RawMessage, begun chan carillon.Run, end chan struct{}) {
	t.Helper()
	begun, end = make(chan carillon.Run, 100), make(chan struct{})
	args = act(t, func(ctx context.Context, run carillon.Run) (any, error) {
		begun <- run
		select {
		case <-end:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	})
	return args, begun, end
}

func settings(cluster, name string, log hclog.Logger) carillon.Config {
	return carillon.Config{
		Name: name, Cluster: cluster, Etcd: world.etcd.Endpoints(), Redis: world.redis.URL(),
		LeaseTTL: 2 * time.Second, RunLease: 3 * time.Second, DrainTimeout: 5 * time.Second, Logger: log,
	}
}

// database is the URL of another database of the shared Redis.
func database(n int) string {
	return strings.TrimSuffix(world.redis.URL(), "/0") + fmt.Sprintf("/%d", n)
}

func openStage(ctx context.Context) (closed func() error, err error) {
	cfg := settings("stage", "stage", hclog.NewNullLogger())
	cfg.Stores = map[string]string{"redis": database(2)}
	cfg.Executors = map[string]int{"default": 64, "redis": 20}
	if stage.node, err = carillon.NewNode(cfg); err != nil {
		return nil, err
	}
	stage.node.HandleFunc("act", perform)
	if stage.client, err = stage.node.Client(ctx); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- stage.node.Run(ctx) }()
	select {
	case <-stage.node.Ready():
	case err := <-ended:
		return nil, err
	}
	return func() error { return errors.Join(stage.node.Shutdown(ctx), <-ended) }, nil
}

// clusterOf names a cluster, and with it a namespace, for one test.
func clusterOf(t *testing.T) string {
	return strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()) + "-" + uuid.NewString()[:6]
}

func logger(t *testing.T) hclog.Logger {
	level := hclog.Error
	if testing.Verbose() {
		level = hclog.Info
	}
	return hclog.New(&hclog.LoggerOptions{Name: "test", Level: level, Output: t.Output()})
}

// config is a node in a cluster of the test's own.
func config(t *testing.T, cluster, name string) carillon.Config {
	return settings(cluster, name, logger(t))
}

// newNode makes a node that serves the task "act".
func newNode(t *testing.T, cfg carillon.Config) *carillon.Node {
	t.Helper()
	node, err := carillon.NewNode(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	node.HandleFunc("act", perform)
	return node
}

// idle is the client of a node that does not run: it adds jobs that nobody dispatches.
func idle(t *testing.T, cfg carillon.Config) (*carillon.Node, *carillon.Client) {
	t.Helper()
	node := newNode(t, cfg)
	return node, clientOf(t, node)
}

func clientOf(t *testing.T, node *carillon.Node) *carillon.Client {
	t.Helper()
	client, err := node.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// lifted is a node that runs.
type lifted struct {
	*carillon.Node
	*carillon.Client
	cancel context.CancelFunc
	ended  chan error
	over   bool
}

// lift runs a node until the test ends, or until stop or halt.
func lift(t *testing.T, node *carillon.Node) *lifted {
	t.Helper()
	l := &lifted{Node: node, Client: clientOf(t, node), ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l.cancel = cancel
	go func() { l.ended <- node.Run(ctx) }()
	select {
	case <-node.Ready():
	case err := <-l.ended:
		t.Fatalf("node ended before it was ready: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("node was not ready within 20 s")
	}
	t.Cleanup(func() { l.stop(t, 10*time.Second) })
	return l
}

// stop shuts the node down; handlers may go on for patience.
func (l *lifted) stop(t *testing.T, patience time.Duration) {
	t.Helper()
	if l.over {
		return
	}
	l.over = true
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	err := l.Shutdown(ctx)
	l.cancel()
	if err := errors.Join(err, <-l.ended); err != nil {
		t.Errorf("node ended with %v", err)
	}
}

func liftNew(t *testing.T, cluster, name string) *lifted {
	t.Helper()
	return lift(t, newNode(t, config(t, cluster, name)))
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

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("not within 10 s: %s", what)
		panic("unreachable")
	}
}

// rows waits until a history has at least n rows.
func rows(t *testing.T, client *carillon.Client, id string, n int, opts ...carillon.CallOption) []carillon.Row {
	t.Helper()
	var got []carillon.Row
	eventually(t, 10*time.Second, fmt.Sprintf("%d rows in the history of %s", n, id), func() bool {
		var err error
		if got, err = client.History(t.Context(), id, 1000, opts...); err != nil {
			t.Fatal(err)
		}
		return len(got) >= n
	})
	return got
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// tallied adds up the due times in rows by outcome.
func tallied(rows []carillon.Row) map[string]int {
	counts := map[string]int{}
	for _, r := range rows {
		counts[string(r.Outcome)] += max(r.Count, 1)
	}
	return counts
}
