package matrix

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// stream and held are keys of the one partition that stacks have.
const (
	stream = "{default:0}:stream:default"
	held   = "{default:0}:running"
)

func redisFaults() []Fault {
	return []Fault{
		{
			Name: "redis-restart", Says: "Redis killed (SIGKILL) and started again", Chaos: true,
			Promise: "none lost or doubled; dispatch goes on when Redis does",
			Strike:  restartRedis,
		},
		{
			Name: "redis-rolled-back", Says: "Redis killed, the last 2 s of its append-only file cut off, started again",
			Promise: "none lost; what ran in the 2 s that are gone may run again, under the same run ids",
			Strike:  rollBackRedis,
		},
		{
			Name: "redis-out-of-memory", Says: "Redis refuses writes for lack of memory, for longer than a run's lease",
			Promise: "what runs keeps its lease and ends; nothing is dispatched; when there is memory again all of it is",
			Strike:  starveRedis,
		},
		{
			Name: "redis-script-flush", Says: "SCRIPT FLUSH, ten times in a second", Chaos: true,
			Promise: "nothing is noticed",
			Strike:  flushScripts,
		},
		{
			Name: "redis-busy", Says: "a foreign script keeps Redis busy for 2 s", Chaos: true,
			Promise: "none lost or doubled; dispatch goes on when Redis answers",
			Strike:  busyRedis,
		},
		{
			Name: "redis-group-destroyed", Says: "the consumer group of the work stream destroyed", Chaos: true,
			Promise: "none lost or doubled; nodes make it again at its beginning",
			Strike:  destroyGroup,
		},
		{
			Name: "redis-emptied", Says: "FLUSHALL, noticed, then adopted and restored from an export",
			Promise: "alarm within two seconds, nothing dispatched or made anew; after store adopt and store import the jobs fire again; counted from then",
			Strike:  emptyRedis,
		},
	}
}

func restartRedis(ctx context.Context, f *Field) error {
	healed := f.Harm(history.RedisDown, "")
	defer healed()
	if err := f.Redis().Kill(); err != nil {
		return err
	}
	if err := f.Redis().Restart(ctx); err != nil {
		return err
	}
	return f.goesOn(ctx)
}

// goesOn waits for a run that is due from now on, and records how long it took.
func (f *Field) goesOn(ctx context.Context) error {
	began := f.Now()
	if err := f.Runs(ctx, began); err != nil {
		return err
	}
	f.Figure("until a run that is due after the end of it", "%s", f.Now().Sub(began).Round(10*time.Millisecond))
	return nil
}

func rollBackRedis(ctx context.Context, f *Field) error {
	if err := f.RollBack(ctx, 2*time.Second); err != nil {
		return err
	}
	return f.goesOn(ctx)
}

// starveRedis has a run going that takes longer than its lease.
func starveRedis(ctx context.Context, f *Field) error {
	f.fresh++
	long := rig.Spec{
		Job: history.Job{ID: fmt.Sprintf("long-%d", f.fresh), First: f.Now().Add(200 * time.Millisecond)},
		URL: f.Witness.URL(f.RunLease() + 2*time.Second),
	}
	if err := f.Add(ctx, f.Client, long); err != nil {
		return err
	}
	is := func(answered bool) func([]history.Execution) bool {
		return func(seen []history.Execution) bool {
			for _, e := range seen {
				if e.JobID == long.ID && (e.Answered || !answered) {
					return true
				}
			}
			return false
		}
	}
	if err := f.Witness.Wait(ctx, "the long run", is(false)); err != nil {
		return err
	}
	healed := f.Harm(history.Disturbed, "")
	defer healed()
	if err := f.Raw().ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		return err
	}
	full := f.Now()
	err := f.Witness.Wait(ctx, "the end of the long run", is(true))
	if err == nil {
		err = f.emptied(ctx, held)
	}
	for _, e := range f.Witness.Executions() {
		if e.Scheduled.After(full.Add(100 * time.Millisecond)) { // a dispatch may have been on its way
			err = errors.Join(err, fmt.Errorf("matrix: %s was dispatched without memory", e.JobID))
		}
	}
	if err := errors.Join(err, f.Raw().ConfigSet(ctx, "maxmemory", "0").Err()); err != nil {
		return err
	}
	return f.goesOn(ctx)
}

// emptied returns when a key is gone.
func (f *Field) emptied(ctx context.Context, key string) error {
	for {
		n, err := f.Raw().Exists(ctx, key).Result()
		if err != nil || n == 0 {
			return err
		}
		if err := f.Rest(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("matrix: %s is not empty: %w", key, err)
		}
	}
}

func flushScripts(ctx context.Context, f *Field) error {
	healed := f.Harm(history.Disturbed, "")
	defer healed()
	for range 10 {
		if err := f.Raw().ScriptFlush(ctx).Err(); err != nil {
			return err
		}
		if err := f.Rest(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return f.goesOn(ctx)
}

func busyRedis(ctx context.Context, f *Field) error {
	if err := f.Raw().ConfigSet(ctx, "busy-reply-threshold", "200").Err(); err != nil {
		return err
	}
	healed := f.Harm(history.RedisDown, "")
	defer healed()
	spinning := make(chan error, 1)
	go func() { // ends when the script is killed
		client := f.Raw().WithTimeout(time.Minute)
		spinning <- client.Eval(ctx, "while true do end", nil).Err()
	}()
	err := f.Rest(ctx, 2*time.Second)
	err = errors.Join(err, f.Raw().ScriptKill(context.WithoutCancel(ctx)).Err())
	if ended := <-spinning; ended == nil || !strings.Contains(ended.Error(), "killed by user") {
		err = errors.Join(err, fmt.Errorf("matrix: the busy script ended with: %w", ended))
	}
	if err != nil {
		return err
	}
	return f.goesOn(ctx)
}

func destroyGroup(ctx context.Context, f *Field) error {
	healed := f.Harm(history.Disturbed, "")
	defer healed()
	n, err := f.Raw().XGroupDestroy(ctx, stream, "nodes").Result()
	if err == nil && n != 1 {
		err = errors.New("matrix: there was no group to destroy")
	}
	if err != nil {
		return err
	}
	return f.goesOn(ctx)
}
