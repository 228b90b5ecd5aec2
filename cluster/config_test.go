package cluster_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/carillon-project/carillon/cluster"
)

// silent returns a client of an address where nobody listens.
func silent(t *testing.T) *clientv3.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{l.Addr().String()}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestValidateNamesEveryFault(t *testing.T) {
	_, err := cluster.New(cluster.Config{Cluster: "a/b", TTL: time.Second, Groups: 129})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"no etcd client", `cluster name "a/b"`, "node name is empty", "no boot id", "ttl 1s must be at least 2s", "groups 129 must be between 1 and 128"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
	if _, err := cluster.New(cluster.Config{Client: silent(t), Cluster: "c", Member: cluster.Member{Name: "n", Boot: "b"}}); err != nil {
		t.Errorf("the least configuration: %v", err)
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "web-1.example.org": true, "host:7070": true, "A_9@x": true, strings.Repeat("a", 128): true,
		"": false, "a/b": false, "a b": false, "ä": false, "a\n": false, "a\x00": false, strings.Repeat("a", 129): false,
	} {
		if err := cluster.CheckName("node", name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestSupportedVersions(t *testing.T) {
	tests := []struct {
		version string
		tooOld  bool
		bad     bool
	}{
		{version: "3.5.0"}, {version: "3.7.3"}, {version: "4.0.0-rc.1"}, {version: "3.10.1"},
		{version: "3.4.27", tooOld: true}, {version: "2.3.8", tooOld: true}, {version: "", bad: true}, {version: "new", bad: true},
	}
	for _, tt := range tests {
		err := cluster.Supported(tt.version)
		if errors.Is(err, cluster.ErrTooOld) != tt.tooOld || (err != nil) != (tt.tooOld || tt.bad) {
			t.Errorf("%q: %v", tt.version, err)
		}
	}
}

func TestSilenceIsToldWithEndpointsAndAdvice(t *testing.T) {
	t.Parallel()
	client := silent(t)
	ctx := t.Context()
	calls := map[string]func(context.Context) error{
		"members": func(ctx context.Context) error { _, err := cluster.Members(ctx, client, "c"); return err },
		"leader":  func(ctx context.Context) error { _, err := cluster.CurrentLeader(ctx, client, "c", 0); return err },
		"groups":  func(ctx context.Context) error { _, err := cluster.Groups(ctx, client, "c"); return err },
		"epoch":   func(ctx context.Context) error { _, err := cluster.Epoch(ctx, client, "c"); return err },
		"step":    func(ctx context.Context) error { return cluster.StepDown(ctx, client, "c", 0, 1) },
		"uid":     func(ctx context.Context) error { _, err := cluster.StoreUID(ctx, client, "c", "s"); return err },
		"claim":   func(ctx context.Context) error { _, err := cluster.ClaimStore(ctx, client, "c", "s", "u"); return err },
		"adopt":   func(ctx context.Context) error { return cluster.AdoptStore(ctx, client, "c", "s", "u") },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			err := call(short)
			if !errors.Is(err, cluster.ErrUnreachable) || !strings.Contains(err.Error(), client.Endpoints()[0]) {
				t.Errorf("got %v", err)
			}
			ended, end := context.WithCancel(ctx)
			end()
			if err := call(ended); errors.Is(err, cluster.ErrUnreachable) || !errors.Is(err, context.Canceled) {
				t.Errorf("with an ended context: %v", err)
			}
		})
	}
}

func TestOneShotCallsRefuseBadNames(t *testing.T) {
	client := silent(t)
	if _, err := cluster.Members(t.Context(), client, "a/b"); err == nil || errors.Is(err, cluster.ErrUnreachable) {
		t.Errorf("bad cluster name: %v", err)
	}
	if _, err := cluster.ClaimStore(t.Context(), client, "c", "s/../t", "u"); err == nil || errors.Is(err, cluster.ErrUnreachable) {
		t.Errorf("bad store name: %v", err)
	}
	if err := cluster.AdoptStore(t.Context(), client, "c", "s", ""); err == nil || errors.Is(err, cluster.ErrUnreachable) {
		t.Errorf("empty uid: %v", err)
	}
	if _, err := cluster.Members(t.Context(), nil, "c"); err == nil {
		t.Error("no client was accepted")
	}
}

func TestRunWithoutEtcdEndsWithItsContextAndOnce(t *testing.T) {
	c, err := cluster.New(cluster.Config{Client: silent(t), Cluster: "c", Member: cluster.Member{Name: "n", Boot: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	lead := func(context.Context, cluster.Office) error { t.Error("leads without etcd"); return nil }
	if err := c.Run(ctx, lead); err != nil {
		t.Errorf("run: %v", err)
	}
	if err := c.Run(t.Context(), lead); err == nil {
		t.Error("ran twice")
	}
	if l, ok := c.Leader(0); ok || len(c.Members()) != 0 || c.Term(0) != 0 {
		t.Errorf("knows %v and %v of a cluster never seen", l, c.Members())
	}
}
