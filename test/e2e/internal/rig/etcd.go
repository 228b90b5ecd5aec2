package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/internal/devstack"
)

// memberEnv holds, in a child, which etcd member it is to be.
const memberEnv = "CARILLON_E2E_ETCD_MEMBER"

// Child runs the etcd member that this process was started to be, and returns its exit code; isChild
// is false, at once, in every other process. A program calls it before all else.
func Child() (code int, isChild bool) {
	text := os.Getenv(memberEnv)
	if text == "" {
		return 0, false
	}
	log := hclog.New(&hclog.LoggerOptions{Name: "etcd", Level: hclog.Info, Output: os.Stderr})
	var cfg devstack.MemberConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		log.Error("cannot read what to be", "error", err)
		return 2, true
	}
	cfg.Log = log
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := devstack.RunEtcdMember(ctx, cfg); err != nil {
		log.Error("member ended", "error", err)
		return 1, true
	}
	return 0, true
}

// etcd is a set of members as child processes.
type etcd struct {
	dir       string
	specs     []devstack.MemberConfig
	members   []*Process
	endpoints []string
}

// startEtcd starts n members and returns when each serves. A port that was taken meanwhile costs
// another try.
func startEtcd(ctx context.Context, dir string, n int) (*etcd, error) {
	const tries = 3
	for try := 1; ; try++ {
		e := &etcd{dir: filepath.Join(dir, fmt.Sprintf("etcd-%d", try))}
		err := e.startAll(ctx, n)
		if err == nil {
			return e, nil
		}
		e.close()
		if try == tries || ctx.Err() != nil {
			return nil, err
		}
	}
}

func (e *etcd) startAll(ctx context.Context, n int) error {
	addrs, err := devstack.FreeAddrs(2 * n)
	if err != nil {
		return err
	}
	var initial []string
	for i := range n {
		initial = append(initial, fmt.Sprintf("etcd-%d=http://%s", i+1, addrs[n+i]))
		e.endpoints = append(e.endpoints, "http://"+addrs[i])
	}
	if err := os.MkdirAll(e.dir, 0o755); err != nil {
		return fmt.Errorf("rig: etcd: %w", err)
	}
	for i := range n {
		name := fmt.Sprintf("etcd-%d", i+1)
		e.specs = append(e.specs, devstack.MemberConfig{
			Name: name, Dir: filepath.Join(e.dir, name), ClientURL: e.endpoints[i], PeerURL: "http://" + addrs[n+i],
			InitialCluster: strings.Join(initial, ","), UnsafeNoFsync: true,
		})
		member, err := e.startMember(i)
		if err != nil {
			return err
		}
		e.members = append(e.members, member)
	}
	for i, m := range e.members {
		if err := waitMember(ctx, e.endpoints[i], m); err != nil {
			return err
		}
	}
	return nil
}

func (e *etcd) startMember(i int) (*Process, error) {
	spec, err := json.Marshal(e.specs[i])
	if err != nil {
		return nil, fmt.Errorf("rig: etcd: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("rig: etcd: %w", err)
	}
	name := e.specs[i].Name
	return Spawn(name, filepath.Join(e.dir, name+".log"), []string{memberEnv + "=" + string(spec)}, []string{self}, nil)
}

// waitMember returns when the member answers a linearizable read, which takes a quorum.
func waitMember(ctx context.Context, endpoint string, m *Process) error {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	if err != nil {
		return fmt.Errorf("rig: etcd: %w", err)
	}
	defer client.Close()
	for {
		asked, cancel := context.WithTimeout(ctx, time.Second)
		_, err := client.Get(asked, "ready")
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-m.Done():
			return errors.New("rig: etcd: " + m.Name + " ended at once, see its log")
		case <-ctx.Done():
			return fmt.Errorf("rig: etcd: %s is not ready: %w", m.Name, errors.Join(ctx.Err(), err))
		default:
		}
	}
}

func (e *etcd) close() {
	for _, m := range e.members {
		m.Kill()
	}
}

// KillMember kills the i-th of the etcd members, counted from 0, with SIGKILL.
func (s *Stack) KillMember(i int) { s.outside.members[i].Kill() }

// RestoreMember starts members that were killed again, with the data they had, and returns when each
// answers, which takes a quorum: restore as many as that needs at once.
func (s *Stack) RestoreMember(ctx context.Context, members ...int) error {
	for _, i := range members {
		m, err := s.outside.startMember(i)
		if err != nil {
			return err
		}
		s.outside.members[i] = m
	}
	for _, i := range members {
		if err := waitMember(ctx, s.outside.endpoints[i], s.outside.members[i]); err != nil {
			return err
		}
	}
	return nil
}

// Members is how many etcd members are processes of their own.
func (s *Stack) Members() int {
	if s.outside == nil {
		return 0
	}
	return len(s.outside.members)
}
