package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/carillon-project/carillon/bench/internal/report"
	"github.com/carillon-project/carillon/cluster"
)

const (
	teamSize = 3
	// tickers are the jobs that are due once a second each, spread evenly. Times that were missed while
	// nobody led all run later, and wait for a run that a dead or stopped node still holds.
	tickers = 100
	// tick is how far apart their due times are.
	tick = time.Second / tickers
	// leaseTTL is how long a hung leader holds its office, as shipped.
	leaseTTL = cluster.DefaultTTL
)

// fault is a way in which a leader ends, and what the bar says of it.
type fault struct {
	name  string
	sig   os.Signal
	times int
	limit float64 // ms
}

// takeover measures how long the schedule stands still when the leader ends, and counts what ran.
func (b *bench) takeover(ctx context.Context) error {
	name, err := b.rig.empty(ctx)
	if err != nil {
		return err
	}
	faults := []fault{
		{"SIGKILL", syscall.SIGKILL, b.rounds, 150},
		{"SIGTERM", syscall.SIGTERM, b.rounds, 50},
		{"SIGSTOP", syscall.SIGSTOP, min(b.rounds, b.stops), millis(leaseTTL + 1500*time.Millisecond)},
	}
	p, err := b.startPlayground(ctx, name)
	if err != nil {
		return err
	}
	sum, err := b.play(ctx, p, func(ctx context.Context) error {
		for _, f := range faults {
			gaps, err := b.gaps(ctx, p, f)
			if err != nil {
				return err
			}
			b.report.Add(report.Within("leader "+f.name+" to next dispatch", "ms", report.Median(gaps), f.limit))
			b.report.Note("leader "+f.name+", the longest of the rounds", maximum(gaps), "ms")
		}
		return nil
	})
	if err := errors.Join(err, p.close()); err != nil {
		return err
	}
	b.report.Add(report.Higher("runs over all these faults, neither lost nor doubled", "runs", float64(sum.once()), "due", float64(sum.due), 1))
	return nil
}

// play lets the tickers fire while f does something to the nodes, and counts what ran.
func (b *bench) play(ctx context.Context, p *playground, f func(context.Context) error) (sum account, err error) {
	watching, stop := context.WithCancel(ctx)
	hearing, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- p.watch(watching, hearing) }()
	defer func() {
		stop()
		if end := <-ended; !errors.Is(end, context.Canceled) {
			err = errors.Join(err, end)
		}
	}()
	select {
	case <-hearing:
	case err := <-ended:
		ended <- err
		return sum, err
	}
	first, err := p.addTickers(ctx)
	if err != nil {
		return sum, err
	}
	if err := f(ctx); err != nil {
		return sum, err
	}
	if err := sleep(ctx, first.Add(2*time.Second)); err != nil { // so that there is something to count
		return sum, err
	}
	return p.settle(ctx, first, time.Now().Truncate(time.Second))
}

// gaps ends the leader several times, and returns how many ms after each the next term dispatched.
func (b *bench) gaps(ctx context.Context, p *playground, f fault) ([]float64, error) {
	var gaps []float64
	for round := range f.times {
		gap, err := b.gap(ctx, p, f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		gaps = append(gaps, millis(gap))
		b.say("leader %s, %d of %d: next dispatch after %.0f ms", f.name, round+1, f.times, millis(gap))
	}
	return gaps, nil
}

// gap ends the leader once and brings the team back to its size. Times of dispatches are those of
// Redis, which runs on this machine, in whole milliseconds.
func (b *bench) gap(ctx context.Context, p *playground, f fault) (time.Duration, error) {
	if err := sleep(ctx, time.Now().Add(b.calm)); err != nil {
		return 0, err
	}
	leader, term, _, err := p.office(ctx, 0)
	if err != nil {
		return 0, err
	}
	node := p.nodes[leader]
	if node == nil {
		return 0, fmt.Errorf("the leader %q is none of the nodes", leader)
	}
	began := time.Now()
	if err := node.signal(f.sig); err != nil {
		return 0, err
	}
	_, _, first, err := p.office(ctx, term)
	if f.sig == syscall.SIGSTOP {
		return first.Sub(began), errors.Join(err, node.signal(syscall.SIGCONT))
	}
	if err != nil {
		return 0, err
	}
	<-node.ended
	delete(p.nodes, leader)
	return first.Sub(began), p.start(ctx)
}

func maximum(values []float64) float64 {
	most := values[0]
	for _, v := range values[1:] {
		most = max(most, v)
	}
	return most
}
