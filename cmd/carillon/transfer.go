package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

func (a *app) storeExportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Print the jobs of the stores as JSON lines", Args: takes(),
		Long: "Prints one document per job, which goes on where the job is: an interval has\n" +
			"its start_date, max_runs is what is left, next_run_time is null for a job that\n" +
			"is paused or parked. Pending runs and history are not in it.",
		Example: "  carillon store export > jobs.jsonl",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
				return a.export(cmd.Context(), c, in)
			})
		},
	}
}

// export prints the jobs of the selected store, or of all stores, once all are read.
func (a *app) export(ctx context.Context, c *carillon.Client, in []carillon.CallOption) error {
	jobs, err := exported(ctx, c, in)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if err := a.line(j); err != nil {
			return err
		}
	}
	return nil
}

// exported are the jobs of the selected store, or of all stores, as they were given.
func exported(ctx context.Context, c *carillon.Client, in []carillon.CallOption) ([]carillon.Job, error) {
	if len(in) > 0 {
		return c.Export(ctx, in...)
	}
	var all []carillon.Job
	for _, name := range c.Stores() {
		jobs, err := c.Export(ctx, carillon.InStore(name))
		if err != nil {
			return nil, err
		}
		all = append(all, jobs...)
	}
	return all, nil
}

func (a *app) storeImportCommand() *cobra.Command {
	var replace bool
	c := &cobra.Command{
		Use: "import FILE|-", Short: "Add the jobs that store export printed", Args: takes("FILE"),
		Long: "Adds the jobs to the stores that they name, or to the one that --store selects.\n" +
			"All are checked first; if one is refused or its id is taken, none is added.",
		Example: "  carillon store import jobs.jsonl --replace",
	}
	c.Flags().BoolVar(&replace, "replace", false, "update jobs whose ids are taken")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := a.readInput(args[0])
		if err != nil {
			return err
		}
		docs, _, err := readDocuments(text)
		if err != nil {
			return usagef("%s: %w", nameOf(args[0]), err)
		}
		jobs, err := decodeJobs(docs, a.now())
		if err != nil {
			return err
		}
		for i, j := range jobs {
			if j.ID == "" {
				return usagef("document %d: id: is missing; an import could not be repeated without it", i+1)
			}
		}
		if _, err := a.place(); err != nil {
			return err
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			if replace {
				in = append(in, carillon.ReplaceExisting())
			}
			stored, err := c.Import(cmd.Context(), jobs, in...)
			if err != nil {
				return err
			}
			return a.answer(map[string]int{"imported": len(stored)}, func(w io.Writer) { fmt.Fprintf(w, "imported %d jobs\n", len(stored)) })
		})
	}
	return c
}
