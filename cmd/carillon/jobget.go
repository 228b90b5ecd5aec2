package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

func (a *app) jobGetCommand() *cobra.Command {
	var next int
	c := &cobra.Command{
		Use: "get ID", Short: "Show a job", Args: takes("ID"),
		Long: "Shows a job. With --next also its next times, and in JSON its state and the\n" +
			"reason of a pause; they are no fields of a job document.",
		Example: "  carillon job get nightly --next 5",
	}
	c.Flags().IntVar(&next, "next", 0, "also the next `N` times, 1 to 10000, and in JSON the state")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		asked := cmd.Flags().Changed("next")
		if asked && (next < 1 || next > maxTimes) {
			return usagef("--next: %d is not between 1 and %d", next, maxTimes)
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			s, err := c.Standing(cmd.Context(), args[0], in...)
			if err != nil {
				return err
			}
			if !asked {
				return a.answer(s.Job, func(w io.Writer) { writeJob(w, s) })
			}
			times, err := c.NextTimes(cmd.Context(), args[0], next, in...)
			if err != nil {
				return err
			}
			texts := make([]string, len(times))
			for i, at := range times {
				texts[i] = job.FormatTime(at)
			}
			return a.answer(foreseen{s.Job, s.State, s.Reason, texts}, func(w io.Writer) {
				writeJob(w, s)
				for _, at := range texts {
					fmt.Fprintf(w, "%-20s%s\n", "then", at)
				}
			})
		})
	}
	return c
}

// foreseen is a job with what --next adds to it.
type foreseen struct {
	job.Job
	State  carillon.JobState `json:"state"`
	Reason string            `json:"reason,omitempty"`
	Next   []string          `json:"next"`
}
