package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
)

func (r *rig) asynqAt() asynq.RedisClientOpt {
	return asynq.RedisClientOpt{Addr: r.redis.Addr(), PoolSize: loaders}
}

// asynqBurst is the burst through asynq: tasks scheduled for one instant, until the last handler was
// called. It looks for what is due each second, five times as often as it does by default.
func (b *bench) asynqBurst(ctx context.Context, jobs int) (time.Duration, error) {
	if _, err := b.rig.empty(ctx); err != nil {
		return 0, err
	}
	client := asynq.NewClient(b.rig.asynqAt())
	defer func() { _ = client.Close() }() // it has sent all
	count := newCounter(jobs)
	server := asynq.NewServer(b.rig.asynqAt(), asynq.Config{
		Concurrency: workers, LogLevel: asynq.FatalLevel, DelayedTaskCheckInterval: time.Second,
	})
	mux := asynq.NewServeMux()
	mux.HandleFunc(task, func(context.Context, *asynq.Task) error { count.add(); return nil })
	at := b.after(3*time.Second, jobs, 50*time.Microsecond)
	_, err := share(ctx, loaders, jobs, func(ctx context.Context, i int) error {
		_, err := client.EnqueueContext(ctx, asynq.NewTask(task, nil), asynq.ProcessAt(at), asynq.TaskID(fmt.Sprintf("job-%d", i)))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("asynq: %w", err)
	}
	if time.Now().After(at) {
		return 0, tooLate(jobs)
	}
	if err := server.Start(mux); err != nil {
		return 0, fmt.Errorf("asynq: %w", err)
	}
	defer server.Shutdown()
	if err := count.wait(ctx, patience); err != nil {
		return 0, fmt.Errorf("asynq: %w", err)
	}
	return time.Since(at), nil
}

// asynqEnqueue enqueues tasks one by one.
func (b *bench) asynqEnqueue(ctx context.Context, n int) (time.Duration, error) {
	if _, err := b.rig.empty(ctx); err != nil {
		return 0, err
	}
	client := asynq.NewClient(b.rig.asynqAt())
	defer func() { _ = client.Close() }() // it has sent all
	took, err := share(ctx, enqueuers, n, func(ctx context.Context, _ int) error {
		_, err := client.EnqueueContext(ctx, asynq.NewTask(task, nil))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("asynq: %w", err)
	}
	return took, nil
}
