package devstack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"
)

// MemberConfig says which etcd member to run. All fields but the last two are needed.
type MemberConfig struct {
	// Name is the member's name, as InitialCluster spells it.
	Name string
	// Dir holds the member's data. A directory with data makes the member rejoin with it.
	Dir string
	// ClientURL and PeerURL are "http://127.0.0.1:port", served and advertised.
	ClientURL, PeerURL string
	// InitialCluster is "name=peerURL,name=peerURL,…" of all members, this one included. It counts
	// only while Dir is empty.
	InitialCluster string
	// UnsafeNoFsync makes writes cheap and lets a crash of the machine lose them.
	UnsafeNoFsync bool
	// Log is as in EtcdConfig.
	Log hclog.Logger
}

// RunEtcdMember runs one etcd member until ctx ends, and returns nil then; it returns earlier, with
// the reason, when the member stops by itself or cannot start. It is for a child process that a
// test may kill: the other members, if any, are other processes.
func RunEtcdMember(ctx context.Context, cfg MemberConfig) error {
	m, err := launchMember(cfg)
	if err != nil {
		return fmt.Errorf("devstack: etcd: run member %s: %w", cfg.Name, err)
	}
	defer m.stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-m.etcd.Err():
		return fmt.Errorf("devstack: etcd: run member %s: %w", cfg.Name, err)
	case <-m.etcd.Server.StopNotify():
		return fmt.Errorf("devstack: etcd: run member %s: stopped by itself", cfg.Name)
	}
}

// member is one running etcd server.
type member struct {
	etcd *embed.Etcd

	mu    sync.Mutex
	grpcs []*grpc.Server // kept to cut client connections at once when stopping
}

// launchMember starts a member and does not wait until it serves.
func launchMember(spec MemberConfig) (*member, error) {
	m := &member{}
	cfg, err := m.embedConfig(spec)
	if err != nil {
		return nil, err
	}
	m.etcd, err = embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (m *member) embedConfig(spec MemberConfig) (*embed.Config, error) {
	client, err := url.Parse(spec.ClientURL)
	if err != nil {
		return nil, fmt.Errorf("client url: %w", err)
	}
	peer, err := url.Parse(spec.PeerURL)
	if err != nil {
		return nil, fmt.Errorf("peer url: %w", err)
	}
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = spec.Name, spec.Dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.InitialCluster = spec.InitialCluster
	cfg.UnsafeNoFsync = spec.UnsafeNoFsync
	cfg.EnableGRPCGateway = false
	// Months of `carillon dev` in one directory must not fill it with old revisions.
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModePeriodic, "1h"
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapTo(spec.Log))
	cfg.ServiceRegister = func(s *grpc.Server) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.grpcs = append(m.grpcs, s)
	}
	return cfg, nil
}

// waitReady returns once the member serves clients, which takes a quorum.
func (m *member) waitReady(ctx context.Context) error {
	select {
	case <-m.etcd.Server.ReadyNotify():
		return nil
	case err := <-m.etcd.Err():
		return err
	case <-m.etcd.Server.StopNotify():
		return errors.New("stopped by itself")
	case <-ctx.Done():
		return fmt.Errorf("not ready: %w", ctx.Err())
	}
}

// stop ends the member and waits for it. Left to itself etcd would wait seconds for open watches to
// end and for somebody to take the leadership over.
func (m *member) stop() {
	m.mu.Lock()
	open := slices.Clone(m.grpcs)
	m.mu.Unlock()
	for _, s := range open {
		s.Stop()
	}
	m.etcd.Server.HardStop()
	m.etcd.Close()
}
