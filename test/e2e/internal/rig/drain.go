package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Drained returns when the store holds no run in any place: streams and their pending lists,
// running, leases, slots, delayed and waiting are empty. It polls Redis itself. When ctx ends first
// the error says what is left.
func (s *Stack) Drained(ctx context.Context) error {
	if s.servers != nil {
		return s.idle(ctx)
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		left, err := s.leftovers(ctx)
		if err == nil && len(left) == 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("rig: not drained: %s: %w", strings.Join(left, ", "), errors.Join(err, ctx.Err()))
		}
	}
}

// places are the beginnings of the names, after the hash tag, of all keys that hold runs.
var places = []string{"stream:", "running", "leases", "slots:", "delayed", "waiting"}

// Left returns, in words, what is left that should have gone: in the store keys of runs and consumers of
// processes that have ended, else children of nodes. It waits two run leases for the leader to tidy up first.
func (s *Stack) Left(ctx context.Context) []string {
	if s.servers != nil {
		return s.findings(ctx)
	}
	patient, cancel := context.WithTimeout(ctx, 2*s.cfg.RunLease)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		left, err := s.leftovers(ctx)
		ghosts, lost := s.ghosts(ctx)
		left = append(append(left, ghosts...), s.kin()...)
		if err := errors.Join(err, lost); err != nil {
			left = append(left, err.Error())
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-patient.Done():
			return left
		}
	}
}

// kin describes children of nodes, also of those that were killed, that live.
func (s *Stack) kin() (found []string) {
	for _, n := range s.Running() {
		for _, pid := range Children(n.Pid()) {
			found = append(found, fmt.Sprintf("process %d of %s", pid, n.Name))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range s.orphans {
		if Alive(pid) {
			found = append(found, fmt.Sprintf("process %d of a node that was killed", pid))
		}
	}
	return found
}

// ghosts describes consumers beyond one for each running node.
func (s *Stack) ghosts(ctx context.Context) (found []string, err error) {
	running := map[string]int{}
	for _, n := range s.Running() {
		running[n.Name]++
	}
	keys := s.raw.Scan(ctx, 0, "{"+cluster+":*}:stream:*", 1000).Iterator()
	for keys.Next(ctx) {
		groups, err := s.raw.XInfoGroups(ctx, keys.Val()).Result()
		if err != nil {
			return found, err
		}
		for _, g := range groups {
			consumers, err := s.raw.XInfoConsumers(ctx, keys.Val(), g.Name).Result()
			if err != nil {
				return found, err
			}
			seen := map[string]int{}
			for _, c := range consumers {
				name, _, _ := strings.Cut(c.Name, "/")
				if seen[name]++; seen[name] > running[name] {
					found = append(found, "consumer "+c.Name+" of "+keys.Val())
				}
			}
		}
	}
	return found, keys.Err()
}

// leftovers describes every key that still holds a run.
func (s *Stack) leftovers(ctx context.Context) ([]string, error) {
	var left []string
	keys := s.raw.Scan(ctx, 0, "{"+cluster+":*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		_, name, _ := strings.Cut(key, "}:")
		for _, place := range places {
			if !strings.HasPrefix(name, place) {
				continue
			}
			what, err := s.leftover(ctx, key, place)
			if err != nil {
				return left, err
			}
			if what != "" {
				left = append(left, name+" "+what)
			}
			break
		}
	}
	return left, keys.Err()
}

// leftover describes one key; Redis deletes empty ones, save streams.
func (s *Stack) leftover(ctx context.Context, key, place string) (string, error) {
	if place != "stream:" {
		return "exists", nil
	}
	length, err := s.raw.XLen(ctx, key).Result()
	if err != nil {
		return "", err
	}
	groups, err := s.raw.XInfoGroups(ctx, key).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", err
	}
	pending := int64(0)
	for _, g := range groups {
		pending += g.Pending
	}
	if length == 0 && pending == 0 {
		return "", nil
	}
	return fmt.Sprintf("holds %d entries, %d pending", length, pending), nil
}
