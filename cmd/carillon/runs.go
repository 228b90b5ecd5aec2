package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

func (a *app) runCommand() *cobra.Command {
	return group("run", "Look at runs, follow, cancel and retry them", groupJobs,
		a.runListCommand(), a.runGetCommand(), a.runLogsCommand(), a.runCancelCommand(), a.runRetryCommand())
}

// runPlaces are the states that run list knows, by their flags.
var runPlaces = []struct {
	flag  string
	state carillon.RunState
	help  string
}{
	{"running", carillon.RunRunning, "those that nodes have now (the default)"},
	{"queued", carillon.RunQueued, "those that wait for an executor to take them up"},
	{"delayed", carillon.RunDelayed, "those that wait for a time: enqueued for later, in backoff, or unserved"},
	{"waiting", carillon.RunWaiting, "those in line for a slot of their job"},
	{"dead", carillon.RunEnded, "those that failed for good and were not retried"},
}

func (a *app) runListCommand() *cobra.Command {
	limit := 0
	chosen := make([]bool, len(runPlaces))
	c := &cobra.Command{
		Use: "list", Short: "List the runs that nodes have now, or others", Args: takes(),
		Long: "Lists the runs in one state. Of each stream and line up to 100,000 are looked\n" +
			"through; of dead runs each partition keeps the latest 1,000.",
		Example: "  carillon run list\n  carillon run list --dead --limit 20 -o json",
	}
	var names []string
	for i, p := range runPlaces {
		c.Flags().BoolVar(&chosen[i], p.flag, false, p.help)
		names = append(names, p.flag)
	}
	c.Flags().IntVar(&limit, "limit", 1000, "at most so many per store")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 {
			return usagef("--limit: %d must be positive", limit)
		}
		first := slices.Index(chosen, true)
		if first >= 0 && slices.Contains(chosen[first+1:], true) {
			return usagef("run list: give one of --%s", strings.Join(names, ", --"))
		}
		place := runPlaces[max(0, first)]
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			runs, err := runsOf(cmd.Context(), c, place.state, limit, in)
			if err != nil {
				return err
			}
			return a.answer(runs, func(w io.Writer) { writeRuns(w, place.flag, runs) })
		})
	}
	return c
}

// runsOf lists the runs of the selected store, or of all stores: those that run by their start.
func runsOf(ctx context.Context, c *carillon.Client, state carillon.RunState, limit int, in []carillon.CallOption) ([]carillon.RunInfo, error) {
	where := [][]carillon.CallOption{in}
	if len(in) == 0 {
		where = nil
		for _, name := range c.Stores() {
			where = append(where, []carillon.CallOption{carillon.InStore(name)})
		}
	}
	all := []carillon.RunInfo{}
	for _, in := range where {
		list := func() ([]carillon.RunInfo, error) { return c.Runs(ctx, state, limit, in...) }
		if state == carillon.RunEnded {
			list = func() ([]carillon.RunInfo, error) { return c.DeadRuns(ctx, limit, in...) }
		}
		runs, err := list()
		if err != nil {
			return nil, err
		}
		all = append(all, runs...)
	}
	if state == carillon.RunRunning {
		slices.SortStableFunc(all, func(a, b carillon.RunInfo) int {
			return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.RunID, b.RunID))
		})
	}
	return all, nil
}

func writeRuns(w io.Writer, what string, runs []carillon.RunInfo) {
	if len(runs) == 0 {
		fmt.Fprintf(w, "no runs are %s\n", what)
		return
	}
	titles := map[string][]string{
		"running": {"RUN", "STARTED", "NODE", "JOB"}, "queued": {"RUN", "SCHEDULED", "JOB"}, "delayed": {"RUN", "DUE", "JOB"},
		"waiting": {"RUN", "SCHEDULED", "JOB"}, "dead": {"RUN", "SCHEDULED", "JOB AND ERROR"},
	}[what]
	rows := make([][]string, len(runs))
	for i, r := range runs {
		switch {
		case what == "running" && r.Follows != "":
			rows[i] = []string{r.RunID, "follows", "", r.JobID}
		case what == "running":
			rows[i] = []string{r.RunID, r.Started.Format("15:04:05"), r.Node, r.JobID}
		case what == "delayed":
			rows[i] = []string{r.RunID, r.Due.Format("01-02 15:04:05"), r.JobID}
		case r.ScheduledTime.IsZero():
			rows[i] = []string{r.RunID, "-", r.JobID}
		default:
			rows[i] = []string{r.RunID, r.ScheduledTime.Format("01-02 15:04:05"), r.JobID}
		}
		if r.Unserved {
			rows[i][2] += fmt.Sprintf(": no live node of executor %s serves task %s", r.Executor, r.Task)
		}
		if what == "dead" && r.Row != nil {
			rows[i][2] += ": " + cmp.Or(r.Row.Error, r.Row.CauseText())
		}
	}
	limits := []int{36, 14, columns}
	if what == "running" {
		limits = []int{36, 8, 12, columns}
	}
	writeTable(w, titles, limits, rows)
}
