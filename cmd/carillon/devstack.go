package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/internal/devstack"
)

// endpointsFile is where the addresses are while carillon dev runs.
const endpointsFile = "endpoints.json"

// endpoints are the addresses that others need to join.
type endpoints struct {
	Etcd  []string `json:"etcd"`
	Redis string   `json:"redis"`
	HTTP  []string `json:"http"`
}

// devStack is the etcd and the Redis of carillon dev.
type devStack struct {
	dir        string
	temporary  bool
	notice     string // what the user must know of them
	etcd       *devstack.Etcd
	redis      interface{ Close() error }
	redisURL   string
	redisEnded <-chan struct{} // nil when Redis cannot end by itself
}

// startStack starts both in a directory, by default a temporary one. It returns when both answer.
func startStack(ctx context.Context, dir string, log hclog.Logger) (*devStack, error) {
	ctx, cancel := context.WithTimeout(ctx, devStart)
	defer cancel()
	s := &devStack{dir: dir}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	_, missing := exec.LookPath("redis-server")
	if missing != nil {
		s.notice = "redis-server is not installed: jobs are kept in memory and end with this process"
	}
	var etcdErr, redisErr error
	var wg sync.WaitGroup
	wg.Go(func() { etcdErr = s.startEtcd(ctx, missing == nil, log) })
	wg.Go(func() { redisErr = s.startRedis(ctx, missing == nil, log) })
	wg.Wait()
	if err := errors.Join(etcdErr, redisErr); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// makeDir makes the directory ready, and refuses one that another dev uses now.
func (s *devStack) makeDir() (err error) {
	if s.dir == "" {
		s.temporary = true
		s.dir, err = os.MkdirTemp("", "carillon-dev-")
	} else if s.dir, err = filepath.Abs(s.dir); err == nil {
		err = os.MkdirAll(s.dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(s.dir, endpointsFile))
	if err != nil {
		return nil // nobody has left one, or it says nothing
	}
	var left endpoints
	if json.Unmarshal(text, &left) == nil && answers(left.Etcd) {
		return fmt.Errorf("--data %s: another carillon dev runs there; end it first, or choose another directory", s.dir)
	}
	return nil
}

// answers reports whether somebody listens at the first of the URLs.
func answers(urls []string) bool {
	if len(urls) == 0 {
		return false
	}
	u, err := url.Parse(urls[0])
	if err != nil {
		return false
	}
	conn, err := net.DialTimeout("tcp", u.Host, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// startEtcd keeps etcd's data only where Redis keeps its own: the two must know each other.
func (s *devStack) startEtcd(ctx context.Context, keep bool, log hclog.Logger) (err error) {
	dir := ""
	if keep {
		dir = filepath.Join(s.dir, "etcd")
	}
	s.etcd, err = devstack.StartEtcd(ctx, devstack.EtcdConfig{Dir: dir, UnsafeNoFsync: true, Log: log})
	return err
}

func (s *devStack) startRedis(ctx context.Context, installed bool, log hclog.Logger) error {
	if !installed {
		m, err := devstack.StartMemory(ctx)
		if err == nil {
			s.redis, s.redisURL = m, m.URL()
		}
		return err
	}
	r, err := devstack.StartRedis(ctx, devstack.RedisConfig{Dir: filepath.Join(s.dir, "redis"), AppendOnly: true, Log: log})
	if err == nil {
		s.redis, s.redisURL, s.redisEnded = r, r.URL(), r.Done()
	}
	return err
}

// announce writes the addresses, whole or not at all.
func (s *devStack) announce(nodes []string) error {
	e := endpoints{Etcd: s.etcd.Endpoints(), Redis: s.redisURL, HTTP: nodes}
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write %s: %w", endpointsFile, err)
	}
	path := filepath.Join(s.dir, endpointsFile)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", endpointsFile, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", endpointsFile, err)
	}
	return nil
}

// close ends Redis, then etcd, and takes away what should not stay.
func (s *devStack) close() error {
	var faults []error
	if s.redis != nil {
		faults = append(faults, s.redis.Close())
	}
	if s.etcd != nil {
		faults = append(faults, s.etcd.Close())
	}
	if s.temporary {
		faults = append(faults, os.RemoveAll(s.dir))
	} else if err := os.Remove(filepath.Join(s.dir, endpointsFile)); !errors.Is(err, os.ErrNotExist) {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}
