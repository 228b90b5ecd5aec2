package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

func (a *app) jobRewindCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "rewind {ID | --all}", Short: "Mend jobs that fired while Redis's clock was ahead", Args: cobra.ArbitraryArgs,
		Long: "A job that was dispatched while the clock of Redis was ahead is silent until the\n" +
			"clock comes to its last time. This gives it its next time counted from now; see\n" +
			"first that the clock is right. Its times between now and that last time come\n" +
			"again, under the run ids that they had: what they do may be done twice. Other\n" +
			"jobs stay as they are. With --all every such job of the stores, or of the one\n" +
			"that --store selects.",
		Example: "  carillon job rewind hello\n  carillon job rewind --all",
	}
	c.Flags().BoolVar(&all, "all", false, "every job whose last time lies ahead of the clock")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case all && len(args) > 0:
			return usagef("give an ID or --all, not both")
		case !all:
			if err := takes("ID")(cmd, args); err != nil {
				return err
			}
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			if all {
				return a.rewindAll(cmd.Context(), c)
			}
			j, err := c.RewindJob(cmd.Context(), args[0], in...)
			if err != nil {
				return err
			}
			return a.answer(j, func(w io.Writer) { fmt.Fprintf(w, "%s: next run %s\n", j.ID, nextRun(j)) })
		})
	}
	return c
}

// rewindAll mends every job of the stores that is ahead.
func (a *app) rewindAll(ctx context.Context, c *carillon.Client) error {
	jobs := []carillon.Job{}
	for _, name := range c.Stores() {
		in := carillon.InStore(name)
		ids, err := c.JobsAhead(ctx, in)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(slices.Values(ids)) {
			j, err := c.RewindJob(ctx, id, in)
			if err != nil {
				return fmt.Errorf("job %q: %w", id, err)
			}
			jobs = append(jobs, j)
		}
	}
	return a.answer(jobs, func(w io.Writer) {
		for _, j := range jobs {
			fmt.Fprintf(w, "%s: next run %s\n", j.ID, nextRun(j))
		}
		fmt.Fprintf(w, "%d jobs rewound\n", len(jobs))
	})
}
