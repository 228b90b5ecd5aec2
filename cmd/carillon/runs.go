package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func (a *app) enqueueCommand() *cobra.Command {
	var args, executor, key, timeout string
	var retry int
	c := &cobra.Command{
		Use: "enqueue TASK [--args JSON]", Short: "Run a task once, as soon as there is room", GroupID: groupJobs,
		Args: takes("TASK"), Example: "  carillon enqueue log --args '{\"message\":\"now\"}'",
	}
	c.Flags().StringVar(&args, "args", "", "arguments of the task, `JSON`")
	c.Flags().StringVar(&executor, "executor", job.DefaultName, "`NAME` of the executor")
	c.Flags().StringVar(&key, "idempotency-key", "", "a second call with the same `KEY` within 24 hours gets the run of the first")
	c.Flags().IntVar(&retry, "retry", 1, "attempts in all when it fails")
	c.Flags().StringVar(&timeout, "timeout", "", "longest `DURATION` of the run")
	c.RunE = func(cmd *cobra.Command, names []string) error {
		options := []carillon.CallOption{carillon.OnExecutor(executor), carillon.WithRetry(carillon.Retry{MaxAttempts: retry})}
		if key != "" {
			options = append(options, carillon.IdempotencyKey(key))
		}
		if err := checkRun(names[0], executor, args, retry); err != nil {
			return usage(err)
		}
		if timeout != "" {
			d, err := job.ParseDuration(timeout)
			if err != nil {
				return usagef("--timeout: %w", err)
			}
			options = append(options, carillon.WithTimeout(carillon.Duration(d)))
		}
		raw := json.RawMessage("null")
		if args != "" {
			raw = json.RawMessage(args)
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			id, err := c.Enqueue(cmd.Context(), names[0], raw, append(options, in...)...)
			if err != nil {
				return err
			}
			return a.answerRun(id)
		})
	}
	return c
}

// checkRun refuses what no run could have.
func checkRun(task, executor, args string, retry int) error {
	if err := job.ValidID("task", task); err != nil {
		return err
	}
	if err := job.ValidID("--executor", executor); err != nil {
		return err
	}
	if args != "" && !json.Valid([]byte(args)) {
		return fmt.Errorf("--args: %s is not JSON", cut(args, 40))
	}
	if retry < 1 || retry > 1000 {
		return fmt.Errorf("--retry: %d is not between 1 and 1000", retry)
	}
	return nil
}

func (a *app) runCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the runs that nodes have now, oldest first", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listRuns(cmd) },
	}
	cancel := &cobra.Command{
		Use: "cancel RUN", Short: "Ask the node that has a run to end it", Args: takes("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
				if err := c.CancelRun(cmd.Context(), args[0], in...); err != nil {
					return err
				}
				return a.answer(map[string]string{"run_id": args[0], "status": "cancelling"},
					func(w io.Writer) { fmt.Fprintf(w, "cancelling %s\n", args[0]) })
			})
		},
	}
	return group("run", "Look at runs, and cancel them", groupJobs, list, cancel)
}

// runningRun is a run that a node has now, as run list prints it.
type runningRun struct {
	RunID         string `json:"run_id"`
	Store         string `json:"store"`
	JobID         string `json:"job_id"`
	Task          string `json:"task"`
	Executor      string `json:"executor"`
	ScheduledTime string `json:"scheduled_time"`
	Attempt       int    `json:"attempt"`
	Node          string `json:"node"`
	Started       string `json:"started"`
	Cancelled     bool   `json:"cancelled,omitempty"`
}

func (a *app) listRuns(cmd *cobra.Command) error {
	stores, err := a.openStores(cmd.Context())
	if err != nil {
		return err
	}
	defer closeAll(stores)
	runs := []runningRun{}
	for _, s := range stores {
		for p := range s.Partitions() {
			got, err := s.Running(cmd.Context(), p)
			if err != nil {
				return err
			}
			for _, r := range got {
				runs = append(runs, runningOf(s.Name(), r))
			}
		}
	}
	slices.SortFunc(runs, func(a, b runningRun) int { return strings.Compare(a.Started+a.RunID, b.Started+b.RunID) })
	return a.answer(runs, func(w io.Writer) {
		if len(runs) == 0 {
			fmt.Fprintln(w, "nothing runs")
			return
		}
		rows := make([][]string, len(runs))
		for i, r := range runs {
			rows[i] = []string{r.RunID, r.Started[11:19], r.Node, r.JobID}
		}
		writeTable(w, []string{"RUN", "STARTED", "NODE", "JOB"}, []int{36, 8, 12, columns}, rows)
	})
}

func runningOf(name string, r store.RunningRun) runningRun {
	out := runningRun{
		Store: name, JobID: r.JobID, Task: r.Task, Executor: r.Executor, Attempt: r.Attempt, Node: r.Node,
		Started: job.FormatTime(time.UnixMilli(r.Started)), Cancelled: r.Cancelled,
	}
	if len(r.Runs) > 0 {
		out.RunID, out.ScheduledTime = r.Runs[0].ID, job.FormatTime(time.UnixMilli(r.Runs[0].Scheduled))
	}
	return out
}
