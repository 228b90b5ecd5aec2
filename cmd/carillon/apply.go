package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// applying is how job apply makes the stores as documents say.
type applying struct {
	set    carillon.JobSet
	single bool // one document, whose job is the answer in JSON
	dryRun bool
	yes    bool
	asks   bool // somebody can be asked
}

func (a *app) jobApplyCommand() *cobra.Command {
	var how applying
	var paths []string
	var fields jobFlags
	c := &cobra.Command{
		Use: "apply -f PATH... [--prune]", Short: "Make the jobs as files say, and show the difference first",
		Args: cobra.ArbitraryArgs,
		Long: "Compares the jobs of files, or of all *.json, *.yaml and *.yml of folders, with\n" +
			"the stored ones, shows what differs, and writes that and nothing else. All is\n" +
			"checked before anything is written. Jobs that it adds are marked with the\n" +
			"label carillon.managed-by; --prune removes those so marked that no file\n" +
			"holds. A job keeps its pause; next_run_time counts when it is added.",
		Example: "  carillon job apply -f jobs/ --dry-run\n" +
			"  carillon job apply -f jobs/ --set shop --prune --yes",
	}
	flags := c.Flags()
	flags.StringArrayVarP(&paths, "file", "f", nil, "file or folder with job documents, a `PATH` (repeatable); - is standard input")
	flags.StringVar(&how.set.Name, "set", job.DefaultName, "`NAME` of the set that these files are, for --prune")
	flags.BoolVar(&how.set.Prune, "prune", false, "remove jobs of the set that no file holds")
	flags.BoolVar(&how.set.AllowEmpty, "allow-empty", false, "let --prune remove the whole set")
	flags.BoolVar(&how.set.Adopt, "adopt", false, "take jobs into the set that are there already")
	flags.BoolVar(&how.dryRun, "dry-run", false, "show the difference and write nothing")
	flags.BoolVarP(&how.yes, "yes", "y", false, "remove without asking")
	fields.register(flags)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.readSet(&how, append(paths, args...), &fields); err != nil {
			return err
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			return a.apply(cmd.Context(), c, how, in)
		})
	}
	return c
}

// readSet reads and checks the jobs of the paths or of the flags, before anything is contacted.
func (a *app) readSet(how *applying, paths []string, fields *jobFlags) error {
	err := job.ValidID("--set", how.set.Name)
	if err != nil {
		return usage(err)
	}
	if len(paths) == 0 {
		if how.set.Prune {
			return usagef("--prune goes with -f, which says what stays")
		}
		how.single = true
		if how.set.Jobs, _, err = a.jobsGiven("", fields); err == nil && how.set.Jobs[0].ID == "" {
			err = usagef("--id: is missing; without it every apply would add another job")
		}
		return err
	}
	doc, err := fields.document()
	if err != nil {
		return err
	}
	if len(doc) > 0 {
		return usagef("give jobs either by -f or by flags, not by both")
	}
	if how.set.Jobs, how.single, err = a.jobsOfPaths(paths); err != nil {
		return err
	}
	if len(how.set.Jobs) == 0 && !(how.set.Prune && how.set.AllowEmpty) {
		return usagef("no job was found in the files; with --prune --allow-empty that removes all of the set")
	}
	how.asks = a.output == "text" && !slices.Contains(paths, "-") && a.interactive()
	_, err = a.place()
	return err
}

// apply shows what differs and, unless it is a dry run or somebody says no, makes it so.
func (a *app) apply(ctx context.Context, c *carillon.Client, how applying, in []carillon.CallOption) error {
	plan, err := c.Plan(ctx, how.set, in...)
	if err != nil {
		return err
	}
	if a.output == "text" {
		if err := a.answer(nil, func(w io.Writer) { writePlan(w, plan) }); err != nil {
			return err
		}
	}
	if how.dryRun {
		return a.answer(plannedResults(plan), func(io.Writer) {})
	}
	if err := a.mayRemove(ctx, how, plan.Count(carillon.ActionRemove)); err != nil {
		return err
	}
	applied, failed := c.Apply(ctx, plan)
	results := appliedResults(applied)
	if how.single && !how.set.Prune && failed == nil && results[0].Job != nil {
		err = a.answer(results[0].Job, func(w io.Writer) { writeApplied(w, applied) })
	} else {
		err = a.answer(results, func(w io.Writer) { writeApplied(w, applied) })
	}
	if failed != nil {
		err = errors.Join(err, errors.New("not all of it was done; the answer says what was not"))
	}
	return err
}

// mayRemove makes sure that removals are meant.
func (a *app) mayRemove(ctx context.Context, how applying, n int) error {
	if n == 0 || how.yes {
		return nil
	}
	if !how.asks {
		return fmt.Errorf("jobs to remove: %d; say --yes if that is meant, or look at them with --dry-run; nothing was written", n)
	}
	yes, err := a.confirm(ctx, fmt.Sprintf("Remove %d of them, and do the rest?", n))
	if err == nil && !yes {
		err = errors.New("the answer was no; nothing was written")
	}
	return err
}
