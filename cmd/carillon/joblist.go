package main

import (
	"cmp"
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
			found, err := f.find(cmd.Context(), c, in)
			if err != nil {
				return err
			}
			jobs := make([]job.Job, len(found))
			for i, s := range found {
				jobs[i] = s.Job
			}
			return a.answer(jobs, func(w io.Writer) { writeJobs(w, found) })
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

// find lists the jobs that match, of the selected store or of all stores.
func (f *jobFilter) find(ctx context.Context, c *carillon.Client, in []carillon.CallOption) ([]carillon.Standing, error) {
	stores := [][]carillon.CallOption{in}
	if len(in) == 0 {
		stores = nil
		for _, name := range c.Stores() {
			stores = append(stores, []carillon.CallOption{carillon.InStore(name)})
		}
	}
	if f.limit > 0 || f.after != "" {
		return f.byID(ctx, c, stores)
	}
	var found []carillon.Standing
	for _, in := range stores {
		all, err := c.Standings(ctx, in...)
		if err != nil {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(all, func(s carillon.Standing) bool { return !f.matches(s) })...)
	}
	return found, nil
}

// byID lists a page of the jobs that match, by id.
func (f *jobFilter) byID(ctx context.Context, c *carillon.Client, stores [][]carillon.CallOption) ([]carillon.Standing, error) {
	p := page{limit: f.limit}
	for _, in := range stores {
		err := c.EachJob(ctx, func(s carillon.Standing) bool {
			if f.matches(s) {
				p.add(s)
			}
			return true
		}, in...)
		if err != nil {
			return nil, err
		}
	}
	return p.first(), nil
}

func (f *jobFilter) matches(s carillon.Standing) bool {
	j := s.Job
	for key, value := range f.labels {
		if has, ok := j.Labels[key]; !ok || has != value {
			return false
		}
	}
	return (f.state == "" || string(s.State) == f.state) && (f.task == "" || j.Task == f.task) &&
		strings.HasPrefix(j.ID, f.prefix) && (f.after == "" || j.ID > f.after)
}

// page keeps the first jobs by id of any number that come in any order, some twice. It never holds more
// than twice its limit; 0 is no limit.
type page struct {
	limit int
	jobs  []carillon.Standing
}

func (p *page) add(s carillon.Standing) {
	p.jobs = append(p.jobs, s)
	if p.limit > 0 && len(p.jobs) >= 2*p.limit {
		p.first()
	}
}

// first leaves the first jobs, and returns them.
func (p *page) first() []carillon.Standing {
	order := func(a, b carillon.Standing) int {
		return cmp.Or(strings.Compare(a.Job.ID, b.Job.ID), strings.Compare(a.Job.Store, b.Job.Store))
	}
	slices.SortFunc(p.jobs, order)
	p.jobs = slices.CompactFunc(p.jobs, func(a, b carillon.Standing) bool { return order(a, b) == 0 })
	if p.limit > 0 && len(p.jobs) > p.limit {
		clear(p.jobs[p.limit:])
		p.jobs = p.jobs[:p.limit]
	}
	return p.jobs
}
