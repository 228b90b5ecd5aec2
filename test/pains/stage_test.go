package pains_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
)

// config is a node in a cluster that is named so, on the shared servers.
func config(cluster, name string) carillon.Config {
	return carillon.Config{
		Name: name, Cluster: cluster, Etcd: world.etcd.Endpoints(), Redis: world.redis.URL(),
		LeaseTTL: 2 * time.Second, RunLease: time.Second, DrainTimeout: 5 * time.Second,
	}
}

// clusterOf names a cluster, and with it a namespace, for one test.
func clusterOf(t *testing.T) string { return t.Name() + "-" + uuid.NewString()[:6] }

// prepare makes a node whose task "work" is fn.
func prepare(t *testing.T, cfg carillon.Config, fn carillon.TaskFunc) *carillon.Node {
	t.Helper()
	node, err := carillon.NewNode(cfg)
	must(t, err)
	t.Cleanup(node.Close)
	node.HandleFunc("work", fn)
	return node
}

// lift runs a node until the test ends, and returns its client once it is ready.
func lift(t *testing.T, node *carillon.Node) *carillon.Client {
	t.Helper()
	client, err := node.Client(t.Context())
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("node ended with %v", err)
		}
	})
	select {
	case <-node.Ready():
	case <-time.After(20 * time.Second):
		t.Fatal("node was not ready within 20 s")
	}
	return client
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
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

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// start is when simulated tests begin: a Friday, winter time.
var start = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)

// simulate is a test in simulated time, with the task "work", which ends at once.
func simulate(t *testing.T, f func(t *testing.T, kit *carillontest.Kit)) {
	t.Helper()
	carillontest.Run(t, carillontest.Options{Start: start}, func(t *testing.T, kit *carillontest.Kit) {
		kit.Node().HandleFunc("work", done)
		f(t, kit)
	})
}

func done(context.Context, carillon.Run) (any, error) { return nil, nil }

// hang works until its context ends.
func hang(ctx context.Context, _ carillon.Run) (any, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// lasting works for d, or until its context ends.
func lasting(d time.Duration) carillon.TaskFunc {
	return func(ctx context.Context, _ carillon.Run) (any, error) {
		select {
		case <-time.After(d):
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// every is the job "j" of the task "work".
func every(d time.Duration, adjust ...func(*carillon.Job)) carillon.Job {
	return with(carillon.Every(d), adjust...)
}

func with(trigger json.RawMessage, adjust ...func(*carillon.Job)) carillon.Job {
	j := carillon.Job{ID: "j", Task: "work", Trigger: trigger}
	for _, a := range adjust {
		a(&j)
	}
	return j
}

// outcomes counts due times by outcome.
func outcomes(rows []carillon.Row) map[string]int {
	counts := map[string]int{}
	for _, r := range rows {
		counts[string(r.Outcome)] += max(r.Count, 1)
	}
	return counts
}

// local prints times in a zone.
func local(t *testing.T, zone string, times []time.Time) string {
	t.Helper()
	at, err := time.LoadLocation(zone)
	must(t, err)
	var all []string
	for _, one := range times {
		all = append(all, one.In(at).Format("Mon 2 15:04"))
	}
	return strings.Join(all, ", ")
}
