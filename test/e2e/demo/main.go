package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

const (
	jobs  = 10              // each due once a second
	calm  = 4 * time.Second // before the kill, and after the successor's first run
	limit = time.Minute     // for all of it
)

// run builds the command, runs the demonstration in a temporary directory and removes that.
func run(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	dir, err := os.MkdirTemp("", "carillon-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary, err := rig.Build(ctx, dir)
	if err != nil {
		return err
	}
	stack, err := rig.Start(ctx, rig.Config{Binary: binary, Dir: dir})
	if err != nil {
		return err
	}
	s := &show{Stack: stack, out: out, began: began}
	return errors.Join(s.play(ctx), stack.Close())
}

// show is one demonstration on a stack.
type show struct {
	*rig.Stack
	out   io.Writer
	began time.Time
}

// say prints a line with the time since the beginning.
func (s *show) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%5.1fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

func (s *show) play(ctx context.Context) error {
	if err := s.StartNodes(ctx, "node-1", "node-2", "node-3"); err != nil {
		return err
	}
	client, err := s.Client(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := s.AddSteady(ctx, client, jobs); err != nil {
		return err
	}
	s.say("etcd, Redis and three nodes run; %d jobs are due each second", jobs)
	if err := s.watch(ctx, calm); err != nil {
		return err
	}
	fault, err := s.kill(ctx)
	if err != nil {
		return err
	}
	if err := s.watch(ctx, calm); err != nil {
		return err
	}
	h, err := s.settle(ctx, client)
	if err != nil {
		return err
	}
	return s.account(h, fault)
}

// watch prints each second how many runs were answered since it was called.
func (s *show) watch(ctx context.Context, d time.Duration) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	before := len(s.Witness.Executions())
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		now := len(s.Witness.Executions())
		s.say("%d runs in the last second", now-before)
		before = now
	}
	return nil
}

// kill kills the leader and waits for the next one's first run.
func (s *show) kill(ctx context.Context) (history.Fault, error) {
	leader, term, err := s.Leader(ctx, 0)
	if err != nil {
		return history.Fault{}, err
	}
	if leader == nil {
		return history.Fault{}, fmt.Errorf("the leader %s does not run", term.Node)
	}
	if err := s.Busy(ctx, leader.Name); err != nil {
		return history.Fault{}, err
	}
	fault := s.Kill(leader)
	s.say("%s led in term %d: kill -9 %d, in the middle of a run", leader.Name, term.Term, leader.Pid())
	next, err := s.Watch.Leader(ctx, fault.Term)
	if err != nil {
		return fault, err
	}
	s.say("%s leads in term %d", next.Node, next.Term)
	return fault, s.Settled(ctx)
}

// settle stops the schedule, waits until every run has ended and returns the evidence.
func (s *show) settle(ctx context.Context, client *carillon.Client) (history.History, error) {
	if err := s.Pause(ctx, client); err != nil {
		return history.History{}, err
	}
	s.say("the schedule is paused; waiting for what still runs")
	if err := s.Drained(ctx); err != nil {
		return history.History{}, err
	}
	return s.History(ctx, client, "demo", 0)
}

// account prints the sums, and returns an error when they are not as promised.
func (s *show) account(h history.History, fault history.Fault) error {
	sum := history.Count(h)
	fmt.Fprintf(s.out, "\n  due       %4d   due times of %d jobs, up to a second before the pause\n", sum.Due, sum.Jobs)
	fmt.Fprintf(s.out, "  ran       %4d\n", sum.Ran)
	fmt.Fprintf(s.out, "  lost      %4d\n", sum.Lost)
	fmt.Fprintf(s.out, "  doubled   %4d\n", sum.Doubled)
	fmt.Fprintf(s.out, "  rerun     %4d   run again, as the next attempt, because their node was killed\n", sum.Reruns)
	if took, ok := h.Takeover(fault); ok {
		fmt.Fprintf(s.out, "\n  The schedule stood still for %s, then made up for what was due meanwhile.\n", took.Round(time.Millisecond))
	}
	var faults []error
	for _, b := range history.Check(h) {
		faults = append(faults, errors.New(b.String()))
	}
	return errors.Join(faults...)
}
