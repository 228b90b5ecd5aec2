package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"
)

// The files of a profiled burst. What the process had allocated before is told apart by a file of its own.
const (
	cpuFile         = "cpu.pprof"
	allocatedFile   = "allocs.pprof"
	allocatedBefore = "allocs-before.pprof"
	redisFile       = "redis.txt"
)

// profile is what is gathered of one burst of Carillon: where this process spends its processor and its
// allocations, and what Redis says of its commands. A later burst writes over the files.
type profile struct {
	dir   string
	rig   *rig
	began time.Time
	used  time.Duration // of this process's processor, at the beginning
	redis redisUsed     // likewise, of Redis
	cpu   *os.File
}

// startProfile has Redis count from zero, waits for the instant, and begins to gather. The caller ends it.
func (r *rig) startProfile(ctx context.Context, dir string, at time.Time) (*profile, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	p := &profile{dir: dir, rig: r}
	if err := errors.Join(r.admin.ConfigResetStat(ctx).Err(), r.admin.ConfigSet(ctx, "latency-monitor-threshold", "5").Err(),
		r.admin.Do(ctx, "LATENCY", "RESET").Err()); err != nil {
		return nil, fmt.Errorf("have Redis count anew: %w", err)
	}
	if err := p.allocations(allocatedBefore); err != nil {
		return nil, err
	}
	var err error
	if p.redis, err = r.redisUsed(ctx); err != nil {
		return nil, err
	}
	if p.cpu, err = os.Create(filepath.Join(dir, cpuFile)); err != nil {
		return nil, err
	}
	if err := sleep(ctx, at); err != nil {
		return nil, errors.Join(err, p.cpu.Close())
	}
	if err := pprof.StartCPUProfile(p.cpu); err != nil {
		return nil, errors.Join(err, p.cpu.Close())
	}
	p.began, p.used = time.Now(), used().CPU
	return p, nil
}

// end writes the files.
func (p *profile) end(ctx context.Context) error {
	took, cpu := time.Since(p.began), used().CPU-p.used
	pprof.StopCPUProfile()
	return errors.Join(p.cpu.Close(), p.allocations(allocatedFile), writeFile(filepath.Join(p.dir, redisFile), func(w io.Writer) error {
		return p.writeRedis(ctx, w, took, cpu)
	}))
}

// allocations writes all that the process has allocated so far.
func (p *profile) allocations(name string) error {
	runtime.GC() // the profile tells what the last collection knew
	return writeFile(filepath.Join(p.dir, name), func(w io.Writer) error {
		return pprof.Lookup("allocs").WriteTo(w, 0)
	})
}

// writeRedis writes how busy both processors were, and what Redis says of its commands and its stalls.
func (p *profile) writeRedis(ctx context.Context, w io.Writer, took, cpu time.Duration) error {
	redis, err := p.rig.redisUsed(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "took %.3f s; processor of this process %.3f s, of Redis %.3f s\n",
		took.Seconds(), cpu.Seconds(), (redis.cpu - p.redis.cpu).Seconds()); err != nil {
		return err
	}
	for _, section := range []string{"commandstats", "latencystats"} {
		text, err := p.rig.admin.Info(ctx, section).Result()
		if err != nil {
			return fmt.Errorf("ask Redis for its %s: %w", section, err)
		}
		if _, err := fmt.Fprintf(w, "\n%s", text); err != nil {
			return err
		}
	}
	stalls, err := p.rig.admin.Do(ctx, "LATENCY", "LATEST").Slice()
	if err != nil {
		return fmt.Errorf("ask Redis for its stalls: %w", err)
	}
	if _, err := io.WriteString(w, "\n# Stalls of 5 ms and more: event, time of the last, its ms, longest ms\n"); err != nil {
		return err
	}
	for _, stall := range stalls {
		if _, err := fmt.Fprintln(w, stall); err != nil {
			return err
		}
	}
	return nil
}
