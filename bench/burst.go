package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/bench/internal/report"
)

// contender is somebody who does the same work: n pieces of it, timed.
type contender struct {
	name string
	work func(b *bench, ctx context.Context, n int) (time.Duration, error)
}

// compare lets each of them do the work in turn, round by round, and returns their rates.
func (b *bench) compare(ctx context.Context, what string, n int, all []contender) (map[string][]float64, error) {
	rates := map[string][]float64{}
	for round := range b.rounds {
		for _, c := range all {
			var took time.Duration
			err := b.inTime(func() (err error) { took, err = c.work(b, ctx, n); return err })
			if err != nil {
				return nil, err
			}
			rates[c.name] = append(rates[c.name], perSecond(n, took))
			b.say("%s, round %d of %d: %s %.0f/s", what, round+1, b.rounds, c.name, perSecond(n, took))
		}
	}
	return rates, nil
}

// bar is the median of some rounds, and how far they were apart.
func bar(name string, rounds []float64) report.Bar {
	return report.Bar{Name: name, Value: report.Median(rounds), Low: slices.Min(rounds), High: slices.Max(rounds)}
}

// burst measures jobs that are all due at one instant, until the last has finished.
func (b *bench) burst(ctx context.Context) error {
	rates, err := b.compare(ctx, "burst", b.sizes.burst, []contender{
		{"carillon", (*bench).carillonBurst}, {"asynq", (*bench).asynqBurst}, {"bare Redis", (*bench).bareBurst},
	})
	if err != nil {
		return err
	}
	const unit = "runs/s"
	ours := report.Median(rates["carillon"])
	b.report.Add(
		report.Higher("burst, all due at one instant", unit, ours, "asynq", report.Median(rates["asynq"]), 4).AimingAt(8),
		report.Higher("burst, beside the bare minimum", unit, ours, "bare Redis", report.Median(rates["bare Redis"]), 0.25).AimingAt(0.5),
	)
	b.report.Plots = append(b.report.Plots, report.Bars("burst", "Jobs due at one instant, done per second", unit,
		bar("carillon", rates["carillon"]), bar("asynq", rates["asynq"]), bar("bare Redis", rates["bare Redis"])))
	return nil
}

// carillonBurst measures from the instant until the outcome of the last run is stored.
func (b *bench) carillonBurst(ctx context.Context, jobs int) (took time.Duration, err error) {
	cluster, err := b.rig.empty(ctx)
	if err != nil {
		return 0, err
	}
	n, err := b.rig.startNode(ctx, cluster, noop)
	if err != nil {
		return 0, err
	}
	took, err = b.burstOn(ctx, n, jobs)
	if end := n.close(); err == nil {
		err = end
	}
	return took, err
}

func (b *bench) burstOn(ctx context.Context, n *node, jobs int) (took time.Duration, err error) {
	count := newCounter(jobs)
	remove := n.AddListener(carillon.Mask(carillon.JobExecuted), func(carillon.Event) { count.add() })
	defer remove()
	at, err := b.loadDue(ctx, n.client, jobs, "job-")
	if err != nil {
		return 0, err
	}
	if b.dir != "" {
		p, err := b.rig.startProfile(ctx, b.dir, at)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, p.end(ctx)) }()
	}
	err = count.wait(ctx, patience)
	return time.Since(at), err
}
