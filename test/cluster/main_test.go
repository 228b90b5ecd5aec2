package cluster_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/internal/devstack"
)

// shared is one etcd for all tests; each uses a cluster name, and so keys, of its own.
var shared *devstack.Etcd

func TestMain(m *testing.M) {
	// These tests wait most of the time: for leases to end.
	flag.Parse()
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	shared, err = devstack.StartEtcd(ctx, devstack.EtcdConfig{UnsafeNoFsync: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := leaks(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// leaks returns what is left running. Connections among the members of an etcd take five seconds to
// time out after it was closed.
func leaks() (err error) {
	for range 10 {
		if err = goleak.Find(); err == nil {
			return nil
		}
	}
	return err
}

// patience bounds everything a test waits for.
const patience = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, endpoints ...string) *clientv3.Client {
	t.Helper()
	if len(endpoints) == 0 {
		endpoints = shared.Endpoints()
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// clusterName is a name nobody else uses.
func clusterName(t *testing.T) string {
	t.Helper()
	return strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")) + "-" + uuid.NewString()[:8]
}

// call is one call of lead.
type call struct {
	node   string
	office cluster.Office
	ctx    context.Context
	leave  chan error // what is sent here lead returns
}

// node is a Cluster under test. Its lead runs until its context ends or the test says otherwise.
type node struct {
	*cluster.Cluster
	name  string
	boot  string
	calls chan call
	stop  func() error // ends Run and waits
}

type option func(*cluster.Config)

func withTTL(ttl time.Duration) option { return func(c *cluster.Config) { c.TTL = ttl } }

// start runs a node until the test ends or stop is called. All nodes given the same calls channel
// report there.
func start(t *testing.T, client *clientv3.Client, clusterName, name string, calls chan call, opts ...option) *node {
	t.Helper()
	n := &node{name: name, boot: uuid.NewString(), calls: calls}
	cfg := cluster.Config{
		Client:  client,
		Cluster: clusterName,
		Member: cluster.Member{Name: name, Boot: n.boot, Address: "127.0.0.1:1", Version: "test",
			Executors: map[string]int{"default": 4}, Tasks: []string{"log"}, Started: time.Unix(1, 0).UTC()},
		TTL: cluster.MinTTL,
	}
	for _, o := range opts {
		o(&cfg)
	}
	c, err := cluster.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Cluster = c
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, n.lead) }()
	n.stop = func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() { n.stop() })
	return n
}

// lead reports the call and stays until it is told or its context ends.
func (n *node) lead(ctx context.Context, office cluster.Office) error {
	c := call{node: n.name, office: office, ctx: ctx, leave: make(chan error)}
	select {
	case n.calls <- c:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-c.leave:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next returns the next call of lead.
func next(t *testing.T, calls chan call) call {
	t.Helper()
	select {
	case c := <-calls:
		return c
	case <-within(t).Done():
		t.Fatal("nobody came into office")
		return call{}
	}
}

// wait returns when ch is closed.
func wait(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-within(t).Done():
		t.Fatalf("waited in vain: %s", what)
	}
}

// eventually polls another process's state, etcd's, until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for ctx := within(t); !ok(); {
		if ctx.Err() != nil {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// candidates returns the election keys, first created first.
func candidates(t *testing.T, client *clientv3.Client, clusterName string) []cluster.Leader {
	t.Helper()
	resp, err := client.Get(within(t), "/carillon/"+clusterName+"/election/", clientv3.WithPrefix(),
		clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend))
	if err != nil {
		t.Fatal(err)
	}
	var all []cluster.Leader
	for _, kv := range resp.Kvs {
		all = append(all, cluster.Leader{Name: string(kv.Value), Term: kv.CreateRevision})
	}
	return all
}

// leaseOf returns the lease under which a key below the cluster's root was written.
func leaseOf(t *testing.T, client *clientv3.Client, key string) clientv3.LeaseID {
	t.Helper()
	resp, err := client.Get(within(t), key)
	if err != nil || len(resp.Kvs) == 0 {
		t.Fatalf("%s: %v, %v", key, resp, err)
	}
	return clientv3.LeaseID(resp.Kvs[0].Lease)
}
