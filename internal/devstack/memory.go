package devstack

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"
)

// Memory is a Redis inside this process, for a machine without redis-server. It is miniredis:
// nothing is stored on disk, and a few commands are missing or answer less. Its clock is the
// machine's: TIME advances and keys expire by themselves.
type Memory struct{ server *miniredis.Miniredis }

// StartMemory starts a Memory on a free loopback port. The caller ends it with Close.
func StartMemory(ctx context.Context) (*Memory, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("devstack: memory: start: %w", err)
	}
	m := miniredis.NewMiniRedis()
	// Without this, keys with a TTL live until somebody calls FastForward.
	m.ClockTTL(true)
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("devstack: memory: start: %w", err)
	}
	return &Memory{server: m}, nil
}

// URL returns the address as go-redis and the --redis flag take it.
func (m *Memory) URL() string { return redisURL(m.Addr()) }

// Addr returns "127.0.0.1:port".
func (m *Memory) Addr() string { return m.server.Addr() }

// Close cuts all connections and waits for the server's goroutines. It may be called again.
func (m *Memory) Close() error {
	m.server.Close()
	return nil
}

func redisURL(addr string) string { return "redis://" + addr + "/0" }
