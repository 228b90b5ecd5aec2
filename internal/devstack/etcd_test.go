package devstack_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/carillon-project/carillon/internal/devstack"
)

func startEtcd(t *testing.T, cfg devstack.EtcdConfig) *devstack.Etcd {
	t.Helper()
	cfg.UnsafeNoFsync = true
	e, err := devstack.StartEtcd(patience(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, endpoints ...string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func mustPut(t *testing.T, c *clientv3.Client, key, value string) {
	t.Helper()
	ctx := patience(t)
	_, err := c.Put(ctx, key, value)
	for err != nil && ctx.Err() == nil { // etcd refuses writes while it elects a new leader
		_, err = c.Put(ctx, key, value)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mustHold(t *testing.T, c *clientv3.Client, key, want string) {
	t.Helper()
	resp, err := c.Get(patience(t), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Kvs) != 1 || string(resp.Kvs[0].Value) != want {
		t.Fatalf("%s holds %v, want %q", key, resp.Kvs, want)
	}
}

func TestEtcdKeepsItsDataInItsDirectory(t *testing.T) {
	dir := t.TempDir()
	first := startEtcd(t, devstack.EtcdConfig{Dir: dir})
	mustPut(t, dial(t, first.Endpoints()...), "k", "v")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := startEtcd(t, devstack.EtcdConfig{Dir: dir})
	mustHold(t, dial(t, second.Endpoints()...), "k", "v")
}

func TestEtcdServesWithOneOfThreeMembersDown(t *testing.T) {
	dir := t.TempDir()
	e := startEtcd(t, devstack.EtcdConfig{Dir: dir, Members: 3})
	c := dial(t, e.Endpoints()...)
	mustPut(t, c, "a", "1")
	e.StopMember(0)
	mustPut(t, c, "a", "2")
	if err := e.StartMember(patience(t), 0); err != nil {
		t.Fatal(err)
	}
	mustHold(t, dial(t, e.Endpoints()[0]), "a", "2")
	restartAll(t, e)
	mustHold(t, c, "a", "2")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	again := startEtcd(t, devstack.EtcdConfig{Dir: dir, Members: 3})
	mustHold(t, dial(t, again.Endpoints()...), "a", "2")
}

// restartAll stops all three members, then starts them together.
func restartAll(t *testing.T, e *devstack.Etcd) {
	t.Helper()
	for i := range 3 {
		e.StopMember(i)
	}
	ctx, errs := patience(t), make(chan error)
	for i := range 3 {
		go func() { errs <- e.StartMember(ctx, i) }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestEtcdRefusesAnotherNumberOfMembers(t *testing.T) {
	for _, n := range []int{-1, 2, 4} {
		if _, err := devstack.StartEtcd(t.Context(), devstack.EtcdConfig{Members: n}); err == nil {
			t.Errorf("%d members were accepted", n)
		}
	}
	dir := t.TempDir()
	if err := startEtcd(t, devstack.EtcdConfig{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := devstack.StartEtcd(t.Context(), devstack.EtcdConfig{Dir: dir, Members: 3})
	if err == nil || !strings.Contains(err.Error(), "founded with 1 member") {
		t.Errorf("a directory of one member was started with three: %v", err)
	}
}

func TestEtcdRemovesItsTemporaryDirectory(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	e := startEtcd(t, devstack.EtcdConfig{})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestEtcdMemberInAProcessOfItsOwnSurvivesSIGKILL(t *testing.T) {
	addrs, err := devstack.FreeAddrs(2)
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), childRole+"=etcd-member", "DIR="+t.TempDir(),
		"CLIENT=http://"+addrs[0], "PEER=http://"+addrs[1])
	c := dial(t, "http://"+addrs[0])
	run := func(use func(), end func(*os.Process) error) error {
		cmd := exec.Command(os.Args[0])
		cmd.Env, cmd.Stdout = env, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		use()
		if err := end(cmd.Process); err != nil {
			t.Fatal(err)
		}
		return cmd.Wait()
	}
	if err := run(func() { mustPut(t, c, "k", "v") }, (*os.Process).Kill); err == nil {
		t.Error("SIGKILL left no trace")
	}
	interrupt := func(p *os.Process) error { return p.Signal(os.Interrupt) }
	if err := run(func() { mustHold(t, c, "k", "v") }, interrupt); err != nil {
		t.Errorf("asked to end, the member failed: %v", err)
	}
}
