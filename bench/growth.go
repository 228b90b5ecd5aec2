package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"syscall"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/bench/internal/report"
)

// grown is what was measured beside so many stored jobs.
type grown struct {
	jobs    int
	cost    []float64 // µs of processor per run, node and Redis
	gaps    []float64 // ms from the leader's SIGKILL to the next dispatch
	memory  float64   // MB that the node has had at most
	perJob  float64   // bytes in Redis
	elapsed []float64 // µs per run
	ran     account   // over the takeovers
}

// growth measures the same burst, and the same takeover, beside more and more stored jobs that are not
// due.
func (b *bench) growth(ctx context.Context) error {
	var all []grown
	for _, jobs := range b.sizes.growth {
		g, err := b.beside(ctx, jobs)
		if err != nil {
			return fmt.Errorf("beside %d jobs: %w", jobs, err)
		}
		b.say("beside %d jobs: %.1f µs of processor per run, takeover %.0f ms, node %.0f MB, %.0f bytes per job in Redis",
			jobs, report.Median(g.cost), report.Median(g.gaps), g.memory, g.perJob)
		all = append(all, g)
	}
	b.reportGrowth(all)
	return nil
}

func (b *bench) reportGrowth(all []grown) {
	base, last := all[0], all[len(all)-1]
	work := report.Number(float64(last.jobs)) + " stored jobs, "
	than := report.Number(float64(base.jobs)) + " jobs"
	// A bar of at most 1.3 times as much is one of at least 1/1.3 times as good.
	const near = 1 / 1.3
	b.report.Add(
		report.Lower(work+"processor per run", "µs", report.Median(last.cost), than, report.Median(base.cost), near),
		// How long after the signal the next time is due is chance, from nothing to a tick.
		report.Lower(work+"SIGKILL to next dispatch", "ms", report.Median(last.gaps), than+" and a tick", report.Median(base.gaps)+millis(tick), 1),
		report.Lower(work+"memory of the node", "MB", last.memory, than, base.memory, near),
		report.Within(work+"Redis memory per job", "bytes", last.perJob, 600),
	)
	due, once := 0, 0
	for _, g := range all {
		due, once = due+g.ran.due, once+g.ran.once()
	}
	b.report.Add(report.Higher("runs over these takeovers, neither lost nor doubled", "runs", float64(once), "due", float64(due), 1))
	var ticks []report.Tick
	cost, gap, memory := report.Curve{Name: "per run, µs"}, report.Curve{Name: "takeover, ms"}, report.Curve{Name: "node, MB"}
	for _, g := range all {
		x := math.Log10(float64(g.jobs))
		b.report.Note(fmt.Sprintf("beside %s stored jobs, burst of %s: from the instant to the last end, per run",
			report.Number(float64(g.jobs)), report.Number(float64(b.growthBurst))), report.Median(g.elapsed), "µs")
		ticks = append(ticks, report.Tick{At: x, Text: report.Number(float64(g.jobs)) + " jobs"})
		cost.Points = append(cost.Points, report.Point{X: x, Y: report.Median(g.cost)})
		gap.Points = append(gap.Points, report.Point{X: x, Y: report.Median(g.gaps)})
		memory.Points = append(memory.Points, report.Point{X: x, Y: g.memory})
	}
	b.report.Plots = append(b.report.Plots, report.Curves("growth", "What grows with the stored jobs", "", ticks, cost, gap, memory))
}

// beside measures with so many jobs stored that are due in a year. Only the first and the last size are
// measured in all rounds.
func (b *bench) beside(ctx context.Context, jobs int) (g grown, err error) {
	g.jobs = jobs
	cluster, err := b.rig.empty(ctx)
	if err != nil {
		return g, err
	}
	rounds := b.rounds
	if jobs != b.sizes.growth[0] && jobs != b.sizes.growth[len(b.sizes.growth)-1] {
		rounds = 1
	}
	ended := make(chan int, rounds)
	t, err := b.rig.startTeam(ctx, cluster, 1, b.growthBurst, func(m message) { ended <- m.Done })
	if err != nil {
		return g, err
	}
	client, err := carillon.NewClient(ctx, carillon.ClientConfig{Redis: b.rig.redis.URL(), Namespace: cluster})
	if err != nil {
		return g, errors.Join(err, t.close())
	}
	defer client.Close()
	err = b.bursts(ctx, t, client, &g, rounds, ended)
	if end := t.close(); err != nil || end != nil {
		return g, errors.Join(err, end)
	}
	p, err := b.startPlayground(ctx, cluster)
	if err != nil {
		return g, err
	}
	g.ran, err = b.play(ctx, p, func(ctx context.Context) (err error) {
		g.gaps, err = b.gaps(ctx, p, fault{name: "SIGKILL", sig: syscall.SIGKILL, times: rounds})
		return err
	})
	return g, errors.Join(err, p.close())
}

// bursts loads the background, then measures rounds of bursts.
func (b *bench) bursts(ctx context.Context, t *team, client *carillon.Client, g *grown, rounds int, ended <-chan int) error {
	before, err := b.rig.redisUsed(ctx)
	if err != nil {
		return err
	}
	year := carillon.At(time.Now().AddDate(1, 0, 0).Truncate(time.Second))
	if err := b.rig.load(ctx, client, year, g.jobs, "stored-"); err != nil {
		return err
	}
	after, err := b.rig.redisUsed(ctx)
	if err != nil {
		return err
	}
	g.perJob = float64(after.memory-before.memory) / float64(g.jobs)
	for round := range rounds {
		at, err := b.loadDue(ctx, client, b.growthBurst, fmt.Sprintf("due-%d-", round))
		if err != nil {
			return err
		}
		nodes, redis, err := b.rig.usage(ctx, t)
		if err != nil {
			return err
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		took := time.Since(at)
		nodesLater, redisLater, err := b.rig.usage(ctx, t)
		if err != nil {
			return err
		}
		n := float64(b.growthBurst)
		g.cost = append(g.cost, float64((nodesLater-nodes+redisLater.cpu-redis.cpu).Microseconds())/n)
		g.elapsed = append(g.elapsed, float64(took.Microseconds())/n)
	}
	for _, p := range t.nodes {
		u, err := p.used(ctx)
		if err != nil {
			return err
		}
		g.memory = float64(u.Memory) / (1 << 20)
	}
	return nil
}
