package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

func (a *app) executorCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the executors that nodes have ever served", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
				all, err := c.Executors(cmd.Context(), in...)
				if err != nil {
					return err
				}
				return a.answer(all, func(w io.Writer) { writeExecutors(w, all) })
			})
		},
	}
	return group("executor", "List executors, pause and resume them", groupCluster, list,
		a.executorPauseCommand("pause", "Have no node start runs of an executor", true),
		a.executorPauseCommand("resume", "Let nodes start its runs again", false))
}

func (a *app) executorPauseCommand(verb, short string, on bool) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: verb + " NAME", Short: short, Args: takes("NAME"), Example: "  carillon executor " + verb + " reports",
	}
	if on {
		c.Long = "Stops every node from starting runs of an executor, in all stores or in the one\n" +
			"selected. Runs under way go on; what comes due waits until it is resumed, and\n" +
			"misfire_grace_time is judged then. When it returns, no run starts any more."
		c.Example += " --reason 'the disk is full'"
		c.Flags().StringVar(&reason, "reason", "", "`TEXT` for those who ask later")
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			var err error
			if on {
				err = c.PauseExecutor(cmd.Context(), args[0], append(in, carillon.Because(reason))...)
			} else {
				err = c.ResumeExecutor(cmd.Context(), args[0], in...)
			}
			if err != nil {
				return err
			}
			return a.answer(map[string]any{"executor": args[0], "paused": on}, func(w io.Writer) {
				fmt.Fprintf(w, "executor %s is %sd\n", args[0], verb)
			})
		})
	}
	return c
}

func writeExecutors(w io.Writer, all []carillon.ExecutorInfo) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no node has served an executor yet")
		return
	}
	rows := make([][]string, len(all))
	for i, e := range all {
		paused := ""
		if e.Paused {
			paused = "since " + moment(e.Since)
		}
		if e.Partial {
			paused += ", in a part of the store"
		}
		if e.Reason != "" {
			paused += ": " + e.Reason
		}
		rows[i] = []string{e.Name, e.Store, strconv.FormatInt(e.Backlog, 10), strconv.Itoa(e.Running), paused}
	}
	writeTable(w, []string{"EXECUTOR", "STORE", "BACKLOG", "RUNNING", "PAUSED"}, []int{20, 12, 9, 7, columns}, rows)
}
