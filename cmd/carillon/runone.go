package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

func (a *app) runGetCommand() *cobra.Command {
	jobID := ""
	c := &cobra.Command{
		Use: "get RUN", Short: "Show where a run is, or how it ended", Args: takes("RUN"),
		Long: "Shows a run: its state is stream, running, delayed, waiting or ended. A run\n" +
			"that has ended is found by the event log, the dead runs and the histories of\n" +
			"ad-hoc tasks; with --job in that job's history.",
	}
	c.Flags().StringVar(&jobID, "job", "", "`ID` of its job, to find one that ended long ago")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			r, err := c.GetRun(cmd.Context(), args[0], append(in, carillon.OfJob(jobID))...)
			if err != nil {
				return err
			}
			return a.answer(r, func(w io.Writer) { writeRun(w, r) })
		})
	}
	return c
}

func writeRun(w io.Writer, r carillon.RunInfo) {
	field := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-20s%s\n", name, text)
		}
	}
	at := func(name string, t time.Time) {
		if !t.IsZero() {
			field(name, moment(t))
		}
	}
	field("run", r.RunID)
	field("job", r.JobID)
	field("task", r.Task)
	field("state", string(r.State))
	switch {
	case r.Unserved && r.State == carillon.RunDelayed:
		field("waits", fmt.Sprintf("no live node of executor %s serves the task since %s; start one that does", r.Executor, moment(r.UnservedSince)))
	case r.Unserved:
		field("waits", fmt.Sprintf("no live node of executor %s serves the task; start one with --executor %s=N", r.Executor, r.Executor))
	}
	field("follows", r.Follows)
	at("scheduled", r.ScheduledTime)
	at("due", r.Due)
	field("attempt", fmt.Sprint(r.Attempt))
	field("node", r.Node)
	at("started", r.Started)
	if r.Cancelling {
		field("cancelling", "yes")
	}
	if r.Row == nil {
		return
	}
	field("outcome", string(r.Row.Outcome))
	at("finished", r.Row.Finished)
	field("error", r.Row.Error)
	field("cause", r.Row.CauseText())
	field("result", string(r.Row.Result))
	if r.Dead {
		field("retry it", "carillon run retry "+r.RunID)
	}
}

func (a *app) runLogsCommand() *cobra.Command {
	follow := false
	c := &cobra.Command{
		Use: "logs RUN [--follow]", Short: "Show the lines and the progress of a run", Args: takes("RUN"),
		Long: "Shows what the run's handler wrote at info and above, and its progress: the\n" +
			"latest 1,000 lines, for a week. With -o json there is one line per line.",
	}
	c.Flags().BoolVar(&follow, "follow", false, "go on with the lines to come, until the run has ended")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			return a.logs(cmd.Context(), c, args[0], follow, in)
		})
	}
	return c
}

// logs prints the lines of a run. An interrupt ends following, which is success; an output that
// cannot be written ends it, too.
func (a *app) logs(ctx context.Context, c *carillon.Client, runID string, follow bool, in []carillon.CallOption) error {
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	err := c.RunLog(reading, runID, follow, func(l carillon.LogLine) {
		if err := a.logLine(l); err != nil {
			stop(err)
		}
	}, in...)
	if ctx.Err() != nil && follow {
		return nil
	}
	if cause := context.Cause(reading); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

func (a *app) logLine(l carillon.LogLine) error {
	if a.output == "json" {
		return a.line(l)
	}
	level := l.Level
	if level == "progress" {
		level = fmt.Sprintf("%3.0f %%", 100*l.Fraction)
	}
	text := fmt.Sprintf("%s  %-5s  %s", l.Time.Format("15:04:05.000"), level, l.Text)
	if l.Attempt > 1 {
		text += fmt.Sprintf("  (attempt %d)", l.Attempt)
	}
	return a.write(text + "\n")
}

func (a *app) runCancelCommand() *cobra.Command {
	task := ""
	c := &cobra.Command{
		Use: "cancel RUN | --task NAME", Short: "End a run, or take it out before it starts",
		Args: func(cmd *cobra.Command, args []string) error {
			if task != "" {
				return takes()(cmd, args)
			}
			return takes("RUN")(cmd, args)
		},
		Long: "A run that a node has is asked to end. One that waits is closed at once. Of one\n" +
			"that has ended it says so, and exits with 1.\n\n" +
			"With --task every run of the task that waits is closed: queued, delayed, in\n" +
			"line, or waiting for a node that serves the task. Those that nodes have go on.",
		Example: "  carillon run cancel 0198f3c2-6e1a-7c7e-8f43-0d7c1a9be001\n  carillon run cancel --task report",
	}
	c.Flags().StringVar(&task, "task", "", "all waiting runs of the task with this `NAME`")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if task != "" {
			return a.cancelTask(cmd.Context(), task)
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			status, err := cancelRun(cmd.Context(), c, args[0], in)
			if err != nil {
				return err
			}
			return a.answer(map[string]string{"run_id": args[0], "status": status}, func(w io.Writer) {
				text := "the node that has it was told to end it"
				if status == statusCancelled {
					text = "it had not started"
				}
				fmt.Fprintf(w, "%s %s: %s\n", status, args[0], text)
			})
		})
	}
	return c
}

// cancelTask closes the waiting runs of a task in the selected store, or in all stores.
func (a *app) cancelTask(ctx context.Context, task string) error {
	if err := job.ValidID("--task", task); err != nil {
		return usage(err)
	}
	return a.withClient(ctx, func(c *carillon.Client, in []carillon.CallOption) error {
		where := [][]carillon.CallOption{in}
		if len(in) == 0 {
			where = nil
			for _, name := range c.Stores() {
				where = append(where, []carillon.CallOption{carillon.InStore(name)})
			}
		}
		total := 0
		for _, in := range where {
			n, err := c.CancelTask(ctx, task, in...)
			total += n
			if err != nil {
				return fmt.Errorf("cancel runs of task %s: %d were cancelled: %w", task, total, err)
			}
		}
		return a.answer(map[string]any{"task": task, "cancelled": total}, func(w io.Writer) {
			fmt.Fprintf(w, "%d waiting runs of task %s were cancelled\n", total, task)
		})
	})
}

// What a cancel did to a run.
const (
	statusCancelled  = "cancelled"  // closed before it started
	statusCancelling = "cancelling" // a node was told
)

// cancelRun ends a run and says how. That it had ended is an error that says with which outcome.
func cancelRun(ctx context.Context, c *carillon.Client, id string, in []carillon.CallOption) (string, error) {
	refused := c.CancelRun(ctx, id, in...)
	if refused != nil && !errors.Is(refused, carillon.ErrRunNotFound) {
		return "", refused
	}
	r, err := c.GetRun(ctx, id, in...)
	ended := err == nil && r.Row != nil
	switch {
	case refused != nil && ended:
		return "", fmt.Errorf("cancel run %s: it had ended already, at %s: %s", id, moment(r.Row.Finished), r.Row.Outcome)
	case refused != nil:
		return "", refused
	case ended && r.Row.Outcome == job.Cancelled && r.Row.Started.IsZero():
		return statusCancelled, nil
	}
	return statusCancelling, nil // where it is now, be it gone, it was with a node
}

func (a *app) runRetryCommand() *cobra.Command {
	return &cobra.Command{
		Use: "retry RUN", Short: "Run again, as a new run, what failed for good", Args: takes("RUN"),
		Long: "Takes a run out of the list of dead runs and sends it again, once. Prints the\n" +
			"id of the new run. See carillon run list --dead.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
				id, err := c.RetryRun(cmd.Context(), args[0], in...)
				if err != nil {
					return err
				}
				return a.answerRun(id)
			})
		},
	}
}
