package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// peersFile records, in the data directory, the peer addresses the members were founded with: they
// are part of etcd's own stored membership, so the next start must use the same ones.
const peersFile = "members.json"

// EtcdConfig says what etcd to start. The zero value is one member in a temporary directory.
type EtcdConfig struct {
	// Dir holds the members' data, one directory each. Empty means a temporary directory that
	// Close removes.
	Dir string
	// Members is 1 or 3. Zero means 1.
	Members int
	// UnsafeNoFsync makes writes cheap and lets a crash of the machine lose them. For tests.
	UnsafeNoFsync bool
	// Log receives etcd's warnings, at debug level, and its errors, as warnings. Nil means none.
	Log hclog.Logger
}

// Etcd is a running etcd of one or three members inside this process. Its methods may be called
// from several goroutines.
type Etcd struct {
	cfg     EtcdConfig
	dir     string
	ownsDir bool

	mu      sync.Mutex
	specs   []MemberConfig
	running []*member // nil where a member is stopped
}

// StartEtcd starts etcd and returns once every member serves clients, or ctx ends. The caller ends
// it with Close. ctx governs the start only.
func StartEtcd(ctx context.Context, cfg EtcdConfig) (*Etcd, error) {
	if cfg.Members == 0 {
		cfg.Members = 1
	}
	if cfg.Members != 1 && cfg.Members != 3 {
		return nil, fmt.Errorf("devstack: etcd: members must be 1 or 3, not %d", cfg.Members)
	}
	dir, owns, err := dataDir(cfg.Dir, "carillon-etcd-")
	if err != nil {
		return nil, fmt.Errorf("devstack: etcd: data directory: %w", err)
	}
	e := &Etcd{cfg: cfg, dir: dir, ownsDir: owns}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(err, e.removeDir())
	}
	return e, nil
}

// Endpoints returns the client URLs of all members, the stopped ones too, in member order.
func (e *Etcd) Endpoints() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	urls := make([]string, len(e.specs))
	for i, s := range e.specs {
		urls[i] = s.ClientURL
	}
	return urls
}

// StopMember stops member i (from 0) without handing anything over, as a crash would, and keeps its
// data. Connections of clients are cut at once. A stopped member is left alone.
func (e *Etcd) StopMember(i int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[i] != nil {
		e.running[i].stop()
		e.running[i] = nil
	}
}

// StartMember starts member i (from 0) again at its old addresses and waits until it serves, which
// needs a quorum of members: to bring back a whole cluster, start its members at once. A running
// member is left alone.
func (e *Etcd) StartMember(ctx context.Context, i int) error {
	m, err := e.launch(i)
	if err != nil {
		return fmt.Errorf("devstack: etcd: start member %d: %w", i, err)
	}
	if err := m.waitReady(ctx); err != nil {
		e.StopMember(i)
		return fmt.Errorf("devstack: etcd: start member %d: %w", i, err)
	}
	return nil
}

// launch returns member i, started if it was not running.
func (e *Etcd) launch(i int) (*member, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[i] != nil {
		return e.running[i], nil
	}
	m, err := launchMember(e.specs[i])
	if err == nil {
		e.running[i] = m
	}
	return m, err
}

// Close stops every member and waits for it. It may be called again.
func (e *Etcd) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	stopAll(e.running)
	clear(e.running)
	return e.removeDir()
}

func (e *Etcd) removeDir() error {
	if !e.ownsDir {
		return nil
	}
	if err := os.RemoveAll(e.dir); err != nil {
		return fmt.Errorf("devstack: etcd: remove data directory: %w", err)
	}
	return nil
}

// start launches all members, choosing new ports as long as they turn out to be taken. Members with
// data keep the peer addresses they were founded with.
func (e *Etcd) start(ctx context.Context) error {
	founded, err := e.recordedPeers()
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := e.startOnce(ctx, founded)
		if err == nil || !portTaken(err) || attempt == portAttempts {
			return err
		}
		if founded != nil {
			continue // data is kept; only the client ports change
		}
		for i := range e.cfg.Members {
			if err := os.RemoveAll(e.memberDir(i)); err != nil {
				return fmt.Errorf("devstack: etcd: clear a failed start: %w", err)
			}
		}
	}
}

func (e *Etcd) startOnce(ctx context.Context, founded []string) error {
	n := e.cfg.Members
	addrs, err := FreeAddrs(2 * n)
	if err != nil {
		return err
	}
	peers := founded
	// A single member talks to nobody, so it may move to a new peer port.
	if peers == nil || n == 1 {
		peers = addrs[n:]
	}
	e.specs = e.memberConfigs(addrs[:n], peers)
	e.running = make([]*member, n)
	for i, spec := range e.specs {
		if e.running[i], err = launchMember(spec); err != nil {
			stopAll(e.running)
			return fmt.Errorf("devstack: etcd: start member %s: %w", spec.Name, err)
		}
	}
	for i, m := range e.running {
		if err := m.waitReady(ctx); err != nil {
			stopAll(e.running)
			return fmt.Errorf("devstack: etcd: start member %s: %w", e.specs[i].Name, err)
		}
	}
	return e.recordPeers(peers)
}

func (e *Etcd) memberConfigs(clients, peers []string) []MemberConfig {
	initial := make([]string, len(peers))
	for i, p := range peers {
		initial[i] = memberName(i) + "=http://" + p
	}
	specs := make([]MemberConfig, len(peers))
	for i := range specs {
		specs[i] = MemberConfig{
			Name:           memberName(i),
			Dir:            e.memberDir(i),
			ClientURL:      "http://" + clients[i],
			PeerURL:        "http://" + peers[i],
			InitialCluster: strings.Join(initial, ","),
			UnsafeNoFsync:  e.cfg.UnsafeNoFsync,
			Log:            e.cfg.Log,
		}
	}
	return specs
}

func memberName(i int) string { return fmt.Sprintf("etcd-%d", i+1) }

func (e *Etcd) memberDir(i int) string { return filepath.Join(e.dir, memberName(i)) }

// recordedPeers returns the peer addresses of an earlier start in this directory, or nil.
func (e *Etcd) recordedPeers() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(e.dir, peersFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("devstack: etcd: read members: %w", err)
	}
	var peers []string
	if err := json.Unmarshal(text, &peers); err != nil {
		return nil, fmt.Errorf("devstack: etcd: read members: %s: %w", peersFile, err)
	}
	if len(peers) != e.cfg.Members {
		return nil, fmt.Errorf("devstack: etcd: %s was founded with %d member(s), not %d: start it with as many, or use another directory",
			e.dir, len(peers), e.cfg.Members)
	}
	return peers, nil
}

func (e *Etcd) recordPeers(peers []string) error {
	text, err := json.Marshal(slices.Clone(peers))
	if err != nil {
		return fmt.Errorf("devstack: etcd: record members: %w", err)
	}
	if err := os.WriteFile(filepath.Join(e.dir, peersFile), text, 0o600); err != nil {
		stopAll(e.running)
		return fmt.Errorf("devstack: etcd: record members: %w", err)
	}
	return nil
}

func stopAll(members []*member) {
	var wg sync.WaitGroup
	for _, m := range members {
		if m != nil {
			wg.Go(m.stop)
		}
	}
	wg.Wait()
}

// dataDir returns dir, created if need be, or a new temporary directory that the caller owns.
func dataDir(dir, pattern string) (path string, owned bool, err error) {
	if dir == "" {
		path, err = os.MkdirTemp("", pattern)
		return path, true, err
	}
	if dir, err = filepath.Abs(dir); err != nil { // a server that works in it knows it by no other name
		return dir, false, err
	}
	return dir, false, os.MkdirAll(dir, 0o700)
}
