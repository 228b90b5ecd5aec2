package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/carillon-project/carillon/bench/internal/report"
)

// redisUsed is what Redis has done since its start.
type redisUsed struct {
	commands int64
	cpu      time.Duration
	memory   int64 // bytes now
}

// idle measures what a cluster of three nodes costs that has nothing to do.
func (b *bench) idle(ctx context.Context) error {
	name, err := b.rig.empty(ctx)
	if err != nil {
		return err
	}
	t, err := b.rig.startTeam(ctx, name, teamSize, 0, nil)
	if err != nil {
		return err
	}
	return errors.Join(b.watchIdle(ctx, t), t.close())
}

func (b *bench) watchIdle(ctx context.Context, t *team) error {
	if err := sleep(ctx, time.Now().Add(b.idleWarm)); err != nil {
		return err
	}
	nodes, redis, err := t.rig.usage(ctx, t)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := sleep(ctx, began.Add(b.sizes.idle)); err != nil {
		return err
	}
	nodesLater, redisLater, err := t.rig.usage(ctx, t)
	if err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	commands := float64(redisLater.commands-redis.commands-1) / seconds // one was the question
	core := func(d time.Duration) float64 { return 100 * d.Seconds() / seconds }
	b.report.Add(
		report.Within("idle cluster of three, Redis commands", "commands/s", commands, 20),
		report.Within("idle cluster of three, nodes' processor", "% of a core", core(nodesLater-nodes), 1),
	)
	b.report.Note("idle cluster of three, Redis' processor", core(redisLater.cpu-redis.cpu), "% of a core")
	b.say("idle: %.1f commands/s, nodes %.2f %% of a core", commands, core(nodesLater-nodes))
	return nil
}

// usage is what all nodes of a team have used together, and Redis.
func (r *rig) usage(ctx context.Context, t *team) (nodes time.Duration, redis redisUsed, err error) {
	for _, p := range t.nodes {
		u, err := p.used(ctx)
		if err != nil {
			return 0, redis, err
		}
		nodes += u.CPU
	}
	redis, err = r.redisUsed(ctx)
	return nodes, redis, err
}

func (r *rig) redisUsed(ctx context.Context) (redisUsed, error) {
	info, err := r.admin.Info(ctx, "stats", "cpu", "memory").Result()
	if err != nil {
		return redisUsed{}, fmt.Errorf("ask Redis what it has used: %w", err)
	}
	return parseInfo(info)
}

// parseInfo reads the answer of INFO.
func parseInfo(info string) (redisUsed, error) {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	commands, err1 := strconv.ParseInt(fields["total_commands_processed"], 10, 64)
	memory, err2 := strconv.ParseInt(fields["used_memory"], 10, 64)
	user, err3 := strconv.ParseFloat(fields["used_cpu_user"], 64)
	system, err4 := strconv.ParseFloat(fields["used_cpu_sys"], 64)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return redisUsed{}, fmt.Errorf("what Redis says it has used is not understood: %w", err)
	}
	return redisUsed{commands: commands, memory: memory, cpu: time.Duration((user + system) * float64(time.Second))}, nil
}
