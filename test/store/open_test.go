package store_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/store"
)

func TestOpenRefusesWhatIsNotFit(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	raw := connect(t, server.URL())
	port := server.Addr()[strings.LastIndexByte(server.Addr(), ':')+1:]
	replica := startRedis(t, "--replicaof", "127.0.0.1", port)
	cases := []struct {
		name string
		cfg  store.Config
		want []string
	}{
		{"eviction", store.Config{URL: server.URL()}, []string{"allkeys-lru", "CONFIG SET maxmemory-policy noeviction"}},
		{"replica", store.Config{URL: replica.URL()}, []string{"slave", "master_name"}},
	}
	must(t, raw.ConfigSet(patience(t), "maxmemory-policy", "allkeys-lru").Err())
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Create = true
			_, err := store.Open(patience(t), c.cfg)
			if !errors.Is(err, store.ErrUnfit) {
				t.Fatalf("error is %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
	if n, err := raw.DBSize(patience(t)).Result(); err != nil || n > 0 {
		t.Errorf("%d keys were written, %v", n, err)
	}
	openStore(t, store.Config{URL: server.URL(), Create: true, AllowUnfit: true})
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	must(t, connect(t, server.URL()).ConfigSet(patience(t), "requirepass", "hunter2").Err())
	addrs, err := devstack.FreeAddrs(1)
	must(t, err)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	cases := []struct {
		name, url, text string
		want            error
	}{
		{"nobody listens", "redis://u:hunter2@" + addrs[0], addrs[0], store.ErrUnreachable},
		{"no password", server.URL(), "password in the URL", nil},
		{"wrong password", "redis://:hunter3@" + server.Addr(), "password in the URL", nil},
		{"URL", "redis//nonsense", "redis URL", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := store.Open(patience(t), store.Config{URL: c.url})
			if err == nil || !strings.Contains(err.Error(), c.text) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error is %v", err)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("the error holds a password: %v", err)
			}
		})
	}
	openStore(t, store.Config{URL: "redis://:hunter2@" + server.Addr(), Create: true})
}

func TestEmptiedServerIsLost(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	raw := connect(t, server.URL())
	cfg := store.Config{URL: server.URL(), Create: true}
	cfg.ExpectUID = openStore(t, cfg).UID()
	must(t, raw.FlushAll(patience(t)).Err())
	_, err := store.Open(patience(t), cfg)
	if !errors.Is(err, store.ErrStoreLost) || !strings.Contains(err.Error(), "carillon store adopt") {
		t.Errorf("error is %v", err)
	}
	if n, err := raw.DBSize(patience(t)).Result(); err != nil || n > 0 {
		t.Errorf("%d keys were written, %v", n, err)
	}
}

// What was accepted before Redis was killed is there when it is back, and calls made meanwhile fail
// with a name.
func TestRestart(t *testing.T) {
	t.Parallel()
	server, err := devstack.StartRedis(patience(t), devstack.RedisConfig{AppendOnly: true, Args: []string{"--appendfsync", "always"}})
	if errors.Is(err, devstack.ErrNoRedisServer) {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { _ = server.Close() })
	s := openStore(t, store.Config{URL: server.URL(), Create: true})
	now, err := s.Now(patience(t), 0)
	must(t, err)
	must(t, s.Add(patience(t), "op", dueJob("j", now)), s.Register(patience(t), []string{"default"}, []string{"t"}))
	must(t, server.Kill())
	if _, err := s.Get(patience(t), "j"); !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("error is %v", err)
	}
	must(t, server.Restart(patience(t)))
	e, err := s.Get(patience(t), "j")
	must(t, err)
	if e.RunTime != now {
		t.Errorf("run time is %d, was %d", e.RunTime, now)
	}
	must(t, s.Add(patience(t), "op", dueJob("j", now)))
	_, err = s.Enqueue(patience(t), 0, "op2", "x", time.Hour, "", "", []store.Message{adHoc("run")})
	must(t, err)
	if st := fetchAll(t, s, "n/b"); len(st.Run) != 1 {
		t.Errorf("fetched %+v", st)
	}
}

// Each life of a server has an order of jobs of its own: pages of two do not make a list.
func TestRestartWhileJobsAreListed(t *testing.T) {
	t.Parallel()
	server, err := devstack.StartRedis(patience(t), devstack.RedisConfig{AppendOnly: true})
	if errors.Is(err, devstack.ErrNoRedisServer) {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { _ = server.Close() })
	s := openStore(t, store.Config{URL: server.URL(), Create: true})
	for i := range 1200 {
		must(t, s.Add(patience(t), fmt.Sprint("op", i), dueJob(fmt.Sprint("j", i), 1)))
	}
	seen := 0
	err = s.EachJob(patience(t), func(store.Entry) bool {
		if seen++; seen == 1 {
			must(t, server.Kill(), server.Restart(patience(t)))
		}
		return true
	})
	if !errors.Is(err, store.ErrUnreachable) || !strings.Contains(err.Error(), "try again") {
		t.Errorf("error after %d jobs is %v", seen, err)
	}
}
