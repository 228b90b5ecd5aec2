package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

func (a *app) storeExportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Print the calendars and jobs of the stores as JSON lines", Args: takes(),
		Long: "Prints one line per calendar, then one document per job, which goes on where\n" +
			"the job is: an interval has its start_date, max_runs is what is left,\n" +
			"next_run_time is null for a job that is paused or parked. Pending runs and\n" +
			"history are not in it.",
		Example: "  carillon store export > jobs.jsonl",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
				return c.WriteExport(cmd.Context(), a.stdout, in...)
			})
		},
	}
}

// calendarLine is a calendar in an export.
type calendarLine struct {
	Calendar *carillon.Calendar `json:"calendar"`
}

func (a *app) storeImportCommand() *cobra.Command {
	var replace bool
	c := &cobra.Command{
		Use: "import FILE|-", Short: "Add what store export printed", Args: takes("FILE"),
		Long: "Adds calendars and jobs to the stores that they name, or to the one that\n" +
			"--store selects. Jobs are checked first; if one is refused or its id is taken,\n" +
			"none is added. A calendar that is there must say the same, or --replace be said.",
		Example: "  carillon store import jobs.jsonl --replace",
	}
	c.Flags().BoolVar(&replace, "replace", false, "update jobs whose ids are taken, and calendars that differ")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := a.readInput(args[0])
		if err != nil {
			return err
		}
		docs, _, err := readDocuments(text)
		if err != nil {
			return usagef("%s: %w", nameOf(args[0]), err)
		}
		docs, calendars, err := calendarsFirst(docs)
		if err != nil {
			return err
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
			if err := c.ImportCalendars(cmd.Context(), calendars, in...); err != nil {
				return err
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

// calendarsFirst takes the calendars out of what an export printed, and checks them.
func calendarsFirst(docs []source) (jobs []source, calendars []carillon.Calendar, err error) {
	for _, doc := range docs {
		var line calendarLine
		if json.Unmarshal(doc.text, &line) != nil || line.Calendar == nil {
			jobs = append(jobs, doc)
			continue
		}
		if err := carillon.CheckCalendar(line.Calendar.Name, line.Calendar.Document); err != nil {
			return nil, nil, usagef("line %d: %w", doc.line, err)
		}
		calendars = append(calendars, *line.Calendar)
	}
	return jobs, calendars, nil
}
