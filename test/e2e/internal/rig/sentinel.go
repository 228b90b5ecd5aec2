package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/internal/devstack"
)

// copyist is the user as whom the replica copies, so that it can be shut out.
const copyist = "copyist"

// StartSentinels starts a master, a replica and three sentinels that watch them, and returns when
// the sentinels would agree on a failover.
func StartSentinels(ctx context.Context, dir string) (s *Servers, err error) {
	s = &Servers{clients: map[int]*redis.Client{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err = s.add(ctx, dir); err != nil {
		return s, err
	}
	if err = s.LetCopy(ctx, true); err != nil {
		return s, err
	}
	port := portOf(s.Redis[0].Addr())
	if err = s.add(ctx, dir, "--replicaof", "127.0.0.1", port, "--masteruser", copyist, "--masterauth", copyist); err != nil {
		return s, err
	}
	if err = s.follows(ctx, 1); err != nil {
		return s, err
	}
	addrs, err := devstack.FreeAddrs(3)
	if err != nil {
		return s, err
	}
	for i, addr := range addrs {
		if err = s.watch(dir, i, addr, port); err != nil {
			return s, err
		}
	}
	s.url = "redis://" + addrs[0] + "?master_name=main&addr=" + addrs[1] + "&addr=" + addrs[2]
	return s, watched(ctx, addrs)
}

// LetCopy lets the replica copy the master, or shuts it out: then it falls behind.
func (s *Servers) LetCopy(ctx context.Context, yes bool) error {
	state := "off"
	if yes {
		state = "on"
	}
	master := s.Raw(0)
	err := master.Do(ctx, "ACL", "SETUSER", copyist, state, ">"+copyist, "+psync", "+replconf", "+ping").Err()
	if err == nil && !yes {
		err = master.Do(ctx, "CLIENT", "KILL", "TYPE", "replica").Err()
	}
	return err
}

// watch starts a sentinel.
func (s *Servers) watch(dir string, i int, addr, master string) error {
	name := fmt.Sprintf("sentinel-%d", i+1)
	file := filepath.Join(dir, name+".conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor main 127.0.0.1 %s 2\nsentinel down-after-milliseconds main 1000\n"+
		"sentinel failover-timeout main 20000\n", portOf(addr), dir, master)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return fmt.Errorf("rig: %s: %w", name, err)
	}
	p, err := Spawn(name, filepath.Join(dir, name+".log"), nil, []string{"redis-server", file, "--sentinel"}, nil)
	if err == nil {
		s.sentinels = append(s.sentinels, p)
	}
	return err
}

// watched waits until each sentinel knows the two others and the replica.
func watched(ctx context.Context, addrs []string) error {
	for _, addr := range addrs {
		c := redis.NewClient(&redis.Options{Addr: addr})
		err := until(ctx, "the sentinels agree", func() bool {
			info, err := c.Info(ctx, "sentinel").Result()
			return err == nil && strings.Contains(info, "slaves=1,sentinels=3")
		})
		if err = errors.Join(err, c.Close()); err != nil {
			return err
		}
	}
	return nil
}
