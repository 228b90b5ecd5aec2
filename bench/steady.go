package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/bench/internal/report"
)

// peerRounds is in how many rounds gocron, which no bar asks for, takes part at most.
const peerRounds = 3

// steady measures jobs that are due once a second each, spread over the second.
func (b *bench) steady(ctx context.Context) error {
	var rounds, peers []steadyRound
	for round := range b.rounds {
		var ours steadyRound
		err := b.inTime(func() (err error) { ours, err = b.carillonSteady(ctx, true); return err })
		if err != nil {
			return err
		}
		rounds = append(rounds, ours)
		b.say("steady, round %d of %d: carillon p50 %.2f ms, p99 %.2f ms, %d of %d once",
			round+1, b.rounds, ours.late.at(50), ours.late.at(99), ours.once, ours.due)
		if round >= peerRounds {
			continue
		}
		theirs, err := b.gocronSteady(ctx)
		if err != nil {
			return err
		}
		peers = append(peers, theirs)
		b.say("steady, round %d: gocron p50 %.2f ms, p99 %.2f ms", round+1, theirs.late.at(50), theirs.late.at(99))
	}
	var together steadyRound
	err := b.inTime(func() (err error) { together, err = b.carillonSteady(ctx, false); return err })
	if err != nil {
		return err
	}
	b.reportSteady(rounds, peers, together)
	return nil
}

func (b *bench) reportSteady(rounds, peers []steadyRound, together steadyRound) {
	p50, p99 := medianLate(rounds, 50), medianLate(rounds, 99)
	due, once := 0, 0
	for _, r := range rounds {
		due, once = due+r.due, once+r.once
	}
	work := fmt.Sprintf("steady %s runs/s", report.Number(float64(b.steadyJobs)))
	b.report.Add(
		report.Within(work+", lateness p50", "ms", p50, 3).AimingAt(1.5),
		report.Within(work+", lateness p99", "ms", p99, 20).AimingAt(2),
		report.Higher(work+", ran exactly once", "runs", float64(once), "due", float64(due), 1),
	)
	b.report.Note(work+" in gocron, in one process, lateness p50", medianLate(peers, 50), "ms")
	b.report.Note(work+" in gocron, in one process, lateness p99", medianLate(peers, 99), "ms")
	b.report.Note("the same jobs, all due at each whole second, lateness p50", together.late.at(50), "ms")
	b.report.Note("the same jobs, all due at each whole second, lateness p99", together.late.at(99), "ms")
	b.report.Plots = append(b.report.Plots, report.Curves("lateness", "Start lateness by percentile, "+work, "ms", percentileTicks(),
		latenessCurve("carillon", rounds), latenessCurve("gocron", peers)))
}

func medianLate(rounds []steadyRound, percentile float64) float64 {
	var all []float64
	for _, r := range rounds {
		all = append(all, r.late.at(percentile))
	}
	return report.Median(all)
}

// percentiles are where lateness is drawn, further apart the rarer they are.
var percentiles = []float64{50, 75, 90, 95, 99, 99.5, 99.9}

func rarity(percentile float64) float64 { return -math.Log10(1 - percentile/100) }

func percentileTicks() []report.Tick {
	ticks := make([]report.Tick, len(percentiles))
	for i, p := range percentiles {
		ticks[i] = report.Tick{At: rarity(p), Text: fmt.Sprintf("p%g", p)}
	}
	return ticks
}

func latenessCurve(name string, rounds []steadyRound) report.Curve {
	c := report.Curve{Name: name}
	for _, p := range percentiles {
		c.Points = append(c.Points, report.Point{X: rarity(p), Y: medianLate(rounds, p)})
	}
	return c
}

// steadyIDs begins the ids of the jobs; their number follows.
const steadyIDs = "job-"

// carillonSteady stores the jobs, lets them fire for a while and counts. Times still missing ten seconds
// later are counted as not run; of a schedule that falls behind, some are folded into later ones.
func (b *bench) carillonSteady(ctx context.Context, spread bool) (r steadyRound, err error) {
	cluster, err := b.rig.empty(ctx)
	if err != nil {
		return r, err
	}
	var book atomic.Pointer[ledger]
	n, err := b.rig.startNode(ctx, cluster, func(_ context.Context, run carillon.Run) (any, error) {
		started := time.Now()
		i, err := strconv.Atoi(strings.TrimPrefix(run.JobID, steadyIDs))
		if err != nil {
			return nil, err
		}
		if l := book.Load(); l != nil {
			l.note(i, run.ScheduledTime, started)
		}
		return nil, nil
	})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	first := b.after(2*time.Second, b.steadyJobs, 250*time.Microsecond).Truncate(time.Second)
	l := newLedger(first.Add(b.steadyWarm), b.steadyJobs, b.steadyFor)
	book.Store(l)
	_, err = share(ctx, loaders, b.steadyJobs, func(ctx context.Context, i int) error {
		start := first
		if spread {
			start = start.Add(b.phase(i))
		}
		_, err := n.client.AddJob(ctx, carillon.Job{ID: steadyIDs + strconv.Itoa(i), Task: task, Trigger: everySecond(start)})
		return err
	})
	if err != nil {
		return r, err
	}
	if time.Now().After(first) {
		return r, tooLate(b.steadyJobs)
	}
	if err := sleep(ctx, l.began.Add(b.steadyFor)); err != nil {
		return r, err
	}
	_ = l.all.wait(ctx, 10*time.Second) // what has not come is in the report
	return l.round(), context.Cause(ctx)
}

// phase spreads the jobs over the second, by whole milliseconds.
func (b *bench) phase(i int) time.Duration {
	return (time.Second * time.Duration(i) / time.Duration(b.steadyJobs)).Truncate(time.Millisecond)
}

func everySecond(start time.Time) json.RawMessage {
	return fmt.Appendf(nil, `{"type":"interval","every":"1s","start_date":%q}`, start.UTC().Format(time.RFC3339Nano))
}
