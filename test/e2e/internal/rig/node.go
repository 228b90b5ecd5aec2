package rig

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Node is one `carillon node` process.
type Node struct {
	*Process
	Address string // of its listener, once it is ready

	noted bool          // its end stands among the faults
	ready chan struct{} // closed with Address set
	once  sync.Once
}

// StartNode starts a node with the stack's etcd and Redis and further arguments, and does not wait
// until it is ready. A name may be used again once the process that had it has ended.
func (s *Stack) StartNode(name string, args ...string) (*Node, error) {
	return s.StartNodeIn(name, nil, args...)
}

// StartNodeIn is StartNode with additions to the environment, NAME=VALUE each.
func (s *Stack) StartNodeIn(name string, env []string, args ...string) (*Node, error) {
	etcd, redis, err := s.access(name)
	if err != nil {
		return nil, err
	}
	argv := append([]string{
		s.cfg.Binary, "node", "--name", name, "--etcd", etcd, "--redis", redis,
		"--lease-ttl", s.cfg.LeaseTTL.String(), "--run-lease", s.cfg.RunLease.String(), "--drain-timeout", "10s",
		"--allow-http-to", "127.0.0.0/8",
	}, append(slices.Clone(s.cfg.Args), args...)...)
	n := &Node{ready: make(chan struct{})}
	p, err := Spawn(name, filepath.Join(s.cfg.Dir, name+".log"), env, argv, n.hear)
	if err != nil {
		return nil, err
	}
	n.Process = p
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes, n)
	s.owners[p.Pid()] = name
	return n, nil
}

// hear reads `ready name=N address=HOST:PORT`.
func (n *Node) hear(line string) {
	if !strings.HasPrefix(line, "ready ") {
		return
	}
	n.once.Do(func() {
		for _, field := range strings.Fields(line) {
			if address, ok := strings.CutPrefix(field, "address="); ok {
				n.Address = address
			}
		}
		close(n.ready)
	})
}

// Ready returns when the node has said that it is ready.
func (n *Node) Ready(ctx context.Context) error {
	select {
	case <-n.ready:
		return nil
	case <-n.Done():
		return fmt.Errorf("rig: node %s ended with code %d before it was ready, see its log", n.Name, n.ExitCode())
	case <-ctx.Done():
		return fmt.Errorf("rig: node %s is not ready: %w", n.Name, ctx.Err())
	}
}

// Healthy asks the node itself whether it is ready, within a second.
func (n *Node) Healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Address+"/readyz", nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(ask)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// Metric returns what the node's /metrics says of a name, the sum of it over all labels, within
// five seconds. It is an error if it says nothing.
func (n *Node) Metric(ctx context.Context, name string) (sum float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Address+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("rig: metrics of %s: %w", n.Name, err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(ask)
	if err != nil {
		return 0, fmt.Errorf("rig: metrics of %s: %w", n.Name, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, fmt.Errorf("rig: metrics of %s: %w", n.Name, err)
	}
	found := false
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if base, _, _ := strings.Cut(key, "{"); base != name {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("rig: metrics of %s: %w", n.Name, err)
		}
		sum, found = sum+v, true
	}
	if !found {
		return 0, fmt.Errorf("rig: metrics of %s: nothing is named %s", n.Name, name)
	}
	return sum, nil
}

// StartNodes starts the named nodes and returns when all are ready.
func (s *Stack) StartNodes(ctx context.Context, names ...string) error {
	var started []*Node
	for _, name := range names {
		n, err := s.StartNode(name)
		if err != nil {
			return err
		}
		started = append(started, n)
	}
	for _, n := range started {
		if err := n.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Node returns the latest process of that name that has not ended, or nil.
func (s *Stack) Node(name string) *Node {
	for _, n := range s.Running() {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// Running returns the nodes that have not ended, oldest first.
func (s *Stack) Running() []*Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	var running []*Node
	for _, n := range s.nodes {
		select {
		case <-n.Done():
		default:
			running = append(running, n)
		}
	}
	return running
}
