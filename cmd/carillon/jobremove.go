package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

// removing is what job remove takes away, and how.
type removing struct {
	all, yes, cancelRunning bool
}

func (a *app) jobRemoveCommand() *cobra.Command {
	var how removing
	c := &cobra.Command{
		Use: "remove {ID | --all}", Short: "Remove a job and its runs that have not started", Args: cobra.ArbitraryArgs,
		Long: "Removes a job, or with --all every job of the stores, or of the one that --store\n" +
			"selects. --all asks before it does, and without a terminal wants --yes.",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case how.all && len(args) > 0:
				return usagef("give an ID or --all, not both")
			case !how.all:
				if err := takes("ID")(cmd, args); err != nil {
					return err
				}
			case !how.yes && !a.interactive():
				return usagef("--all removes every job; say --yes if that is meant")
			}
			return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
				stores := c.Stores()
				if how.cancelRunning {
					in = append(in, carillon.CancelRunning())
				}
				if how.all {
					return a.removeAll(cmd.Context(), c, stores, how, in)
				}
				if err := c.RemoveJob(cmd.Context(), args[0], in...); err != nil {
					return err
				}
				return a.answer(map[string]string{"id": args[0], "status": statusRemoved}, func(w io.Writer) { fmt.Fprintf(w, "removed %s\n", args[0]) })
			})
		},
	}
	c.Flags().BoolVar(&how.all, "all", false, "remove every job")
	c.Flags().BoolVarP(&how.yes, "yes", "y", false, "remove all without asking")
	c.Flags().BoolVar(&how.cancelRunning, "cancel-running", false, "cancel runs that have started, too")
	return c
}

// removeAll removes every job of the stores, once that is confirmed.
func (a *app) removeAll(ctx context.Context, c *carillon.Client, stores []string, how removing, in []carillon.CallOption) error {
	if !how.yes {
		yes, err := a.confirm(ctx, fmt.Sprintf("Remove every job of %s?", strings.Join(stores, ", ")))
		if err == nil && !yes {
			err = errors.New("the answer was no; nothing was removed")
		}
		if err != nil {
			return err
		}
	}
	removed := 0
	for _, name := range stores {
		n, err := c.RemoveAllJobs(ctx, append(in[:len(in):len(in)], carillon.InStore(name))...)
		removed += n
		if err != nil {
			return fmt.Errorf("after %d were removed: %w", removed, err)
		}
	}
	return a.answer(map[string]int{"removed": removed}, func(w io.Writer) { fmt.Fprintf(w, "removed %d jobs\n", removed) })
}
