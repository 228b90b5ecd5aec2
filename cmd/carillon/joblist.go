package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// jobFilter says which jobs a list shows. Its zero value is all of them.
type jobFilter struct {
	labels              map[string]string
	texts               []string // --label
	task, prefix, state string
	after               string
	limit               int
}

func (a *app) jobListCommand() *cobra.Command {
	var f jobFilter
	c := &cobra.Command{
		Use: "list", Short: "List the jobs, by next run time", Args: takes(),
		Long: "Lists the jobs by next run time; with --limit or --after by id, so that pages\n" +
			"can follow one another: --after takes the last id of the page before.",
		Example: "  carillon job list --label team=a --state paused\n  carillon job list --limit 100 --after nightly",
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.texts, "label", nil, "only those with this `KEY=VALUE` (repeatable: with all of them)")
	flags.StringVar(&f.task, "task", "", "only those of this task, a `NAME`")
	flags.StringVar(&f.prefix, "prefix", "", "only those whose ids begin with this `TEXT`")
	flags.StringVar(&f.state, "state", "", "only those that are active, paused or parked")
	flags.IntVar(&f.limit, "limit", 0, "at most so many (default all)")
	flags.StringVar(&f.after, "after", "", "only those with ids behind this `ID`")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			jobs, err := a.jobsOf(cmd.Context(), c, f.state, in)
			if err != nil {
				return err
			}
			jobs = f.of(jobs)
			return a.answer(jobs, func(w io.Writer) { writeJobs(w, jobs) })
		})
	}
	return c
}

// check reads the labels and refuses what no job could match.
func (f *jobFilter) check() error {
	f.labels = map[string]string{}
	for _, text := range f.texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return usagef("--label: %q is not KEY=VALUE", text)
		}
		if before, twice := f.labels[key]; twice && before != value {
			return usagef("--label: no job has both %s=%s and %s=%s", key, before, key, value)
		}
		f.labels[key] = value
	}
	if f.limit < 0 {
		return usagef("--limit: %d must not be negative", f.limit)
	}
	switch carillon.JobState(f.state) {
	case "", carillon.JobIsActive, carillon.JobIsPaused, carillon.JobIsParked:
		return nil
	}
	return usagef("--state: %q is none of active, paused, parked", f.state)
}

// of leaves the jobs that match, never nil. The state was judged by who read them.
func (f *jobFilter) of(jobs []job.Job) []job.Job {
	found := []job.Job{}
	for _, j := range jobs {
		if f.matches(j) {
			found = append(found, j)
		}
	}
	if f.after != "" || f.limit > 0 {
		slices.SortStableFunc(found, func(a, b job.Job) int { return strings.Compare(a.ID, b.ID) })
	}
	if f.limit > 0 && len(found) > f.limit {
		found = found[:f.limit]
	}
	return found
}

func (f *jobFilter) matches(j job.Job) bool {
	for key, value := range f.labels {
		if has, ok := j.Labels[key]; !ok || has != value {
			return false
		}
	}
	return (f.task == "" || j.Task == f.task) && strings.HasPrefix(j.ID, f.prefix) && (f.after == "" || j.ID > f.after)
}

// jobsOf lists the jobs of the selected store, or of all stores, in any state or in one.
func (a *app) jobsOf(ctx context.Context, c *carillon.Client, state string, in []carillon.CallOption) ([]job.Job, error) {
	read := c.Jobs
	if state != "" {
		read = func(ctx context.Context, opts ...carillon.CallOption) ([]job.Job, error) {
			return c.JobsIn(ctx, carillon.JobState(state), opts...)
		}
	}
	if len(in) > 0 {
		return read(ctx, in...)
	}
	var all []job.Job
	for _, name := range c.Stores() {
		jobs, err := read(ctx, carillon.InStore(name))
		if err != nil {
			return nil, err
		}
		all = append(all, jobs...)
	}
	return all, nil
}
