package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

func (a *app) jobCommand() *cobra.Command {
	return group("job", "Add, look at and change jobs", groupJobs,
		a.jobAddCommand(), a.jobApplyCommand(), a.jobGetCommand(), a.jobListCommand(),
		a.jobChangeCommand("pause", "Stop a job's times until it is resumed"),
		a.jobChangeCommand("resume", "Let a paused job's times go on, counted from now"),
		a.jobModifyCommand(), a.jobRewindCommand(), a.jobRemoveCommand(), a.jobTriggerCommand(), a.jobBackfillCommand(), a.jobHistoryCommand(),
		a.jobExplainCommand(),
	)
}

// withClient runs f with a client of the stores that the flags name.
func (a *app) withClient(ctx context.Context, f func(*carillon.Client, []carillon.CallOption) error) error {
	client, in, err := a.client(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	return f(client, in)
}

// jobChangeCommand is pause or resume.
func (a *app) jobChangeCommand(verb, short string) *cobra.Command {
	var reason string
	c := &cobra.Command{Use: verb + " ID", Short: short, Args: takes("ID")}
	if verb == "pause" {
		c.Flags().StringVar(&reason, "reason", "", "`TEXT` for those who ask later")
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			change := c.ResumeJob
			if verb == "pause" {
				change = c.PauseJob
				in = append(in, carillon.Because(reason))
			}
			j, err := change(cmd.Context(), args[0], in...)
			if err != nil {
				return err
			}
			return a.answer(j, func(w io.Writer) {
				if j.Ended != "" {
					fmt.Fprintf(w, "%s has ended: %s; see carillon job history %s\n", j.ID, j.Ended, j.ID)
					return
				}
				fmt.Fprintf(w, "%sd %s; next run %s\n", verb, j.ID, nextRun(j))
			})
		})
	}
	return c
}

func (a *app) jobTriggerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "trigger ID", Short: "Run a job once, now, beside its schedule", Args: takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
				id, err := c.TriggerNow(cmd.Context(), args[0], in...)
				if err != nil {
					return err
				}
				if j, err := c.GetJob(cmd.Context(), args[0], in...); err == nil {
					unserved, err := c.Unserved(cmd.Context(), j.Task, append(in, carillon.OnExecutor(j.Executor))...)
					a.warnUnserved(err == nil && unserved, j.Task, j.Executor)
				}
				return a.answerRun(id)
			})
		},
	}
}

// answerRun prints the id of a run.
func (a *app) answerRun(id string) error {
	return a.answer(map[string]string{"run_id": id}, func(w io.Writer) { fmt.Fprintf(w, "run %s\n", id) })
}

// wholeHistory is more rows than a node keeps of a job.
const wholeHistory = 10_000_000

func (a *app) jobHistoryCommand() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "history ID", Short: "Show what became of a job's times, newest first", Args: takes("ID"),
		Long: "Shows one row per run, or per stretch of times that did not run. History\n" +
			"outlives its job by some days. Runs of enqueue stand under @TASK.",
		Example: "  carillon job history nightly --limit 20\n  carillon job history @log",
	}
	c.Flags().IntVar(&limit, "limit", 0, "at most so many rows (default all that are kept)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if limit < 0 {
			return usagef("--limit: %d must not be negative", limit)
		}
		if limit == 0 {
			limit = wholeHistory
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			rows, err := historyOf(cmd.Context(), c, args[0], limit, in)
			if err != nil {
				return err
			}
			return a.answer(rows, func(w io.Writer) { writeHistory(w, rows) })
		})
	}
	return c
}

// historyOf returns the rows of a job; no rows of a job that is not there are an error.
func historyOf(ctx context.Context, c *carillon.Client, id string, limit int, in []carillon.CallOption) ([]job.Row, error) {
	rows, err := c.History(ctx, id, limit, in...)
	if err != nil || len(rows) > 0 {
		return rows, err
	}
	if _, err := c.GetJob(ctx, id, in...); err != nil && (id[0] != '@' || !errors.Is(err, carillon.ErrJobNotFound)) {
		return nil, err
	}
	return []job.Row{}, nil
}
