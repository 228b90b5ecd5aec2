package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// RollBack kills Redis and starts it again without the last part of its append-only file, as a host
// does that loses power before it has synced, and notes the fault: what was acknowledged in the
// given time before the kill is gone.
func (s *Stack) RollBack(ctx context.Context, lost time.Duration) error {
	files, err := filepath.Glob(filepath.Join(s.sub("redis"), "appendonlydir", "*.incr.aof"))
	if err == nil && len(files) == 0 {
		err = errors.New("there is none")
	}
	if err != nil {
		return fmt.Errorf("rig: append-only file: %w", err)
	}
	file := slices.Max(files)
	before, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("rig: roll back: %w", err)
	}
	timer := time.NewTimer(lost)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	healed := s.Harm(history.RedisBack, "")
	defer healed()
	if err := s.redis.Kill(); err != nil {
		return err
	}
	if err := os.Truncate(file, before.Size()); err != nil {
		return fmt.Errorf("rig: roll back: %w", err)
	}
	return s.redis.Restart(ctx)
}
