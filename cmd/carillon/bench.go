package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// benchFlags say how much a benchmark does.
type benchFlags struct {
	workers int
	runs    int
	jobs    int
	length  time.Duration
}

const (
	benchWorkers = 10_000            // at most
	benchRuns    = 1_000_000         // at most
	benchJobs    = 100_000           // at most
	benchTimes   = 10_000_000        // due times of a steady schedule, at most
	benchWaiting = 30 * time.Second  // for what is due and has not run
	benchRemoval = 30 * time.Second  // for the removal of what was stored
	benchPrefix  = "carillon-bench-" // of the namespace and the cluster
)

func (a *app) benchCommand() *cobra.Command {
	return group("bench", "Measure what your own Redis can do", groupOther,
		a.benchEnqueueCommand(), a.benchBurstCommand(), a.benchSteadyCommand())
}

const benchWhere = "\n\nNeeds Redis; without --etcd it uses an etcd of its own. All that it stores is in\n" +
	"a namespace " + benchPrefix + "…, removed at the end. It keeps Redis busy:\nothers who use it will notice."

func (a *app) benchEnqueueCommand() *cobra.Command {
	var f benchFlags
	c := a.benchWork("enqueue", "How fast runs are enqueued, one by one and in bulk",
		"Enqueues runs from 16 goroutines, first one by one, then 1,000 a call. Nobody\ntakes them up.", &f, benchEnqueue)
	c.Flags().IntVar(&f.runs, "runs", 20_000, "how many runs to enqueue each way")
	return c
}

func (a *app) benchBurstCommand() *cobra.Command {
	var f benchFlags
	c := a.benchWork("burst", "How fast jobs run that are all due at once",
		"Stores jobs that are all due, held back by a pause, then resumes and measures\nuntil the last has ended. Handlers do nothing.", &f, benchBurst)
	c.Flags().IntVar(&f.jobs, "jobs", 10_000, "how many jobs are due")
	c.Flags().IntVar(&f.workers, "concurrency", 100, "how many handlers run at once")
	return c
}

func (a *app) benchSteadyCommand() *cobra.Command {
	var f benchFlags
	c := a.benchWork("steady", "How late runs of a steady schedule start",
		"Stores jobs that are due once a second each, spread over the second, and\nmeasures by the clock of Redis how late their runs start.", &f, benchSteady)
	c.Flags().IntVar(&f.jobs, "jobs", 1000, "how many jobs there are: as many runs a second")
	c.Flags().IntVar(&f.workers, "concurrency", 100, "how many handlers run at once")
	durationVar(c.Flags(), &f.length, "for", 10*time.Second, "how long to measure, in whole seconds")
	return c
}

// benchWork makes the command of one benchmark. do measures on a stage, and returns what it found.
func (a *app) benchWork(name, short, long string, f *benchFlags, do func(context.Context, *benchStage, benchFlags) (benchResult, error)) *cobra.Command {
	*f = benchFlags{workers: 100, runs: 1, jobs: 1, length: time.Second}
	return &cobra.Command{
		Use: name, Short: short, Long: long + benchWhere, Args: takes(),
		Example: "  carillon bench " + name + " --redis redis://localhost:6379/0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.validate(); err != nil {
				return err
			}
			return a.bench(cmd.Context(), *f, do)
		},
	}
}

// validate refuses sizes that no benchmark has.
func (f benchFlags) validate() error {
	switch {
	case f.workers < 1 || f.workers > benchWorkers:
		return usagef("--concurrency: %d is not between 1 and %d", f.workers, benchWorkers)
	case f.runs < 1 || f.runs > benchRuns:
		return usagef("--runs: %d is not between 1 and %d", f.runs, benchRuns)
	case f.jobs < 1 || f.jobs > benchJobs:
		return usagef("--jobs: %d is not between 1 and %d", f.jobs, benchJobs)
	case f.length < time.Second || f.length%time.Second != 0:
		return usagef("--for: %s is not a number of whole seconds", f.length)
	case int(f.length/time.Second) > benchTimes/f.jobs:
		return usagef("--for: %s of %d jobs are more than %d due times", f.length, f.jobs, benchTimes)
	}
	return nil
}

// bench sets the stage, measures, and removes what was stored, also when it is interrupted.
func (a *app) bench(ctx context.Context, f benchFlags, do func(context.Context, *benchStage, benchFlags) (benchResult, error)) error {
	stage, err := a.benchStage(ctx, f)
	if err != nil {
		return err
	}
	found, err := do(ctx, stage, f)
	removed := stage.close(ctx)
	if removed == nil && errors.Is(err, context.Canceled) {
		return fmt.Errorf("all that it stored has been removed: %w", err)
	}
	if err := errors.Join(err, removed); err != nil {
		return err
	}
	return a.answer(found, found.table)
}
