package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// What became of one document of a list.
const (
	statusAdded     = "added"
	statusUpdated   = "updated"
	statusUnchanged = "unchanged"
	statusError     = "error"
	statusRemoved   = "removed"
	statusEnded     = "ended"
)

// addResult is the answer for one document of a list.
type addResult struct {
	ID     string   `json:"id"`
	Status string   `json:"status"`
	Error  string   `json:"error,omitempty"`
	Job    *job.Job `json:"job,omitempty"`
}

func (a *app) jobAddCommand() *cobra.Command {
	var file string
	var replace bool
	var fields jobFlags
	c := &cobra.Command{
		Use: "add {-f FILE|- | --task NAME --every 15s …}", Short: "Add a job, or a list of jobs", Args: takes(),
		Long: "Add a job, or a list of jobs.\n\nA file holds one document, a list, or JSON lines, as JSON or YAML. A list is\n" +
			"checked whole, then added one by one with a result each.",
		Example: "  carillon job add --id hello --task log --args '{\"message\":\"hi\"}' --every 15s\n" +
			"  carillon job add -f jobs.yaml",
	}
	c.Flags().BoolVar(&replace, "replace", false, "update a job whose id is taken")
	c.Flags().StringVarP(&file, "file", "f", "", "`FILE` with job documents; - is standard input")
	fields.register(c.Flags())
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		jobs, list, err := a.jobsGiven(file, &fields)
		if err != nil {
			return err
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			if list {
				return a.addList(cmd.Context(), c, jobs, replace, in)
			}
			return a.addOne(cmd.Context(), c, jobs[0], replace, in)
		})
	}
	return c
}

// jobsGiven reads and checks the jobs of the file or of the flags, before anything is contacted.
func (a *app) jobsGiven(file string, fields *jobFlags) (jobs []job.Job, list bool, err error) {
	doc, err := fields.document()
	if err != nil {
		return nil, false, err
	}
	var docs []source
	switch {
	case file != "" && len(doc) > 0:
		return nil, false, usagef("give a job either by -f or by flags, not by both")
	case file == "" && len(doc) == 0:
		return nil, false, usagef("no job was given; say -f FILE, or --task NAME and --every 15s, --cron EXPR or --at TIME")
	case file == "":
		text, err := json.Marshal(doc)
		if err != nil {
			return nil, false, usage(err)
		}
		docs = append(docs, source{1, text})
	default:
		text, err := a.readInput(file)
		if err != nil {
			return nil, false, err
		}
		if docs, list, err = readDocuments(text); err != nil {
			return nil, false, usagef("%s: %w", nameOf(file), err)
		}
	}
	if jobs, err = decodeJobs(docs, a.now()); err == nil {
		_, err = a.place()
	}
	return jobs, list, err
}

func (a *app) addOne(ctx context.Context, c *carillon.Client, j job.Job, replace bool, in []carillon.CallOption) error {
	r, err := add(ctx, c, j, replace, in)
	if err != nil {
		return err
	}
	return a.answer(r.Job, func(w io.Writer) { fmt.Fprintf(w, "%s %s; next run %s\n", r.Status, r.ID, nextRun(*r.Job)) })
}

// addList adds jobs one after another. A job that cannot be added does not stop the others.
func (a *app) addList(ctx context.Context, c *carillon.Client, jobs []job.Job, replace bool, in []carillon.CallOption) error {
	results := make([]addResult, len(jobs))
	failed := 0
	for i, j := range jobs {
		r, err := add(ctx, c, j, replace, in)
		if err != nil {
			r = addResult{ID: j.ID, Status: statusError, Error: err.Error()}
			failed++
		}
		results[i] = r
	}
	err := a.answer(results, func(w io.Writer) {
		for _, r := range results {
			if r.Job == nil {
				fmt.Fprintf(w, "%s %s: %s\n", r.Status, r.ID, r.Error)
				continue
			}
			fmt.Fprintf(w, "%s %s; next run %s\n", r.Status, r.ID, nextRun(*r.Job))
		}
	})
	if failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d jobs were not added; the answer says why", failed, len(jobs)))
	}
	return err
}

// add stores one job and says what that changed. The id is chosen here, so that the result of a
// job without one names it.
func add(ctx context.Context, c *carillon.Client, j job.Job, replace bool, in []carillon.CallOption) (addResult, error) {
	if j.ID == "" {
		j.ID = uuid.NewString()
	}
	r := addResult{ID: j.ID, Status: statusAdded}
	var before *job.Job
	if replace {
		in = append(in[:len(in):len(in)], carillon.ReplaceExisting())
		where := in
		if j.Store != "" {
			where = append(where, carillon.InStore(j.Store))
		}
		old, err := c.GetJob(ctx, j.ID, where...)
		switch {
		case err == nil:
			before = &old
		case !errors.Is(err, carillon.ErrJobNotFound):
			return r, err
		}
	}
	stored, err := c.AddJob(ctx, j, in...)
	if err != nil {
		return r, err
	}
	r.Job = &stored
	if before != nil {
		r.Status = statusUpdated
		if same(*before, stored) {
			r.Status = statusUnchanged
		}
	}
	return r, nil
}

// same reports whether two forms of a job differ at most in when it runs next.
func same(a, b job.Job) bool {
	a.NextRunTime, b.NextRunTime = job.NextRun{}, job.NextRun{}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
