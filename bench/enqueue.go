package main

import (
	"context"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/bench/internal/report"
)

const (
	// enqueuers is how many goroutines enqueue.
	enqueuers = 16
	// bulkCall is how many runs one call enqueues in bulk.
	bulkCall = 1000
)

// enqueue measures how fast runs are enqueued, with nobody who takes them.
func (b *bench) enqueue(ctx context.Context) error {
	one, err := b.compare(ctx, "enqueue one by one", b.sizes.enqueued, []contender{
		{"carillon", (*bench).carillonEnqueue}, {"asynq", (*bench).asynqEnqueue},
	})
	if err != nil {
		return err
	}
	many, err := b.compare(ctx, "enqueue in bulk", b.sizes.bulk, []contender{{"carillon", (*bench).carillonBulk}})
	if err != nil {
		return err
	}
	const unit = "runs/s"
	peer := report.Median(one["asynq"])
	b.report.Add(
		report.Higher("enqueue one by one, 16 goroutines", unit, report.Median(one["carillon"]), "asynq", peer, 1),
		report.Higher("enqueue in bulk", unit, report.Median(many["carillon"]), "asynq one by one", peer, 5),
	)
	b.report.Plots = append(b.report.Plots, report.Bars("enqueue", "Runs enqueued per second", unit,
		bar("carillon one by one", one["carillon"]), bar("asynq one by one", one["asynq"]), bar("carillon in bulk", many["carillon"])))
	return nil
}

func (b *bench) carillonEnqueue(ctx context.Context, n int) (time.Duration, error) {
	return b.enqueueInto(ctx, n, func(ctx context.Context, c *carillon.Client, _ int) error {
		_, err := c.Enqueue(ctx, task, nil)
		return err
	})
}

func (b *bench) carillonBulk(ctx context.Context, n int) (time.Duration, error) {
	args := make([]any, bulkCall)
	return b.enqueueInto(ctx, (n+bulkCall-1)/bulkCall, func(ctx context.Context, c *carillon.Client, _ int) error {
		_, err := c.EnqueueMany(ctx, task, args)
		return err
	})
}

// enqueueInto times calls of f on a new store whose tasks are known, by a node that does not run.
func (b *bench) enqueueInto(ctx context.Context, calls int, f func(context.Context, *carillon.Client, int) error) (time.Duration, error) {
	cluster, err := b.rig.empty(ctx)
	if err != nil {
		return 0, err
	}
	n, err := b.rig.newNode("bench", cluster)
	if err != nil {
		return 0, err
	}
	defer n.Close()
	n.HandleFunc(task, noop)
	client, err := n.Client(ctx)
	if err != nil {
		return 0, err
	}
	return share(ctx, enqueuers, calls, func(ctx context.Context, i int) error { return f(ctx, client, i) })
}
