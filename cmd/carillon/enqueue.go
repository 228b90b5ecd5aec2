package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// enqueueFlags say of what kind an ad-hoc run is.
type enqueueFlags struct {
	args, executor, timeout string
	key, keyLife            string
	at, after, file         string
	retry                   int
}

func (a *app) enqueueCommand() *cobra.Command {
	var f enqueueFlags
	c := &cobra.Command{
		Use: "enqueue TASK [--args JSON]", Short: "Run a task once, as soon as there is room or later", GroupID: groupJobs,
		Args: takes("TASK"),
		Example: "  carillon enqueue log --args '{\"message\":\"now\"}'\n" +
			"  carillon enqueue log --after 10m --key order-17 --retry 3",
	}
	c.Flags().StringVar(&f.args, "args", "", "arguments of the task, `JSON`")
	c.Flags().StringVarP(&f.file, "file", "f", "", "one run for each line of JSON in `FILE`, its arguments; - is standard input")
	c.Flags().StringVar(&f.executor, "executor", job.DefaultName, "`NAME` of the executor")
	c.Flags().StringVar(&f.at, "at", "", "not before this `TIME`, RFC 3339")
	c.Flags().StringVar(&f.after, "after", "", "not before this `DURATION` has passed")
	c.Flags().StringVar(&f.key, "key", "", "a second call with the same `KEY` gets the run of the first")
	c.Flags().StringVar(&f.key, "idempotency-key", "", "the same as --key")
	c.Flags().StringVar(&f.keyLife, "key-life", "24h", "for what `DURATION` the key is remembered, from the run's time")
	c.Flags().IntVar(&f.retry, "retry", 1, "attempts in all when it fails")
	c.Flags().StringVar(&f.timeout, "timeout", "", "longest `DURATION` of the run")
	c.RunE = func(cmd *cobra.Command, names []string) error {
		options, err := f.options(names[0])
		if err != nil {
			return usage(err)
		}
		raw := json.RawMessage("null")
		if f.args != "" {
			raw = json.RawMessage(f.args)
		}
		if f.file != "" {
			return a.enqueueAll(cmd.Context(), names[0], f, options)
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			sent, err := c.Submit(cmd.Context(), names[0], []any{raw}, append(options, in...)...)
			if err != nil {
				return err
			}
			a.warnUnserved(sent.Unserved, names[0], f.executor)
			answer := enqueued{RunID: sent.RunIDs[0], Existing: sent.Existing, Unserved: sent.Unserved}
			return a.answer(answer, func(w io.Writer) { fmt.Fprintf(w, "run %s\n", answer.RunID) })
		})
	}
	return c
}

// enqueued is the answer of an enqueue.
type enqueued struct {
	RunID    string   `json:"run_id,omitempty"`
	RunIDs   []string `json:"run_ids,omitempty"`
	Existing bool     `json:"existing,omitempty"` // the key stands for the run of an earlier call
	Unserved bool     `json:"unserved,omitempty"` // no live node of the executor serves the task
}

// warnUnserved says that runs will wait.
func (a *app) warnUnserved(unserved bool, task, executor string) {
	if unserved {
		fmt.Fprintf(a.stderr, "warning: no live node of executor %s serves task %s now: it waits until one does, or until carillon run cancel --task %s\n",
			executor, task, task)
	}
}

// enqueueAll enqueues a run for each JSON value of a file. All are read before the first is sent.
func (a *app) enqueueAll(ctx context.Context, task string, f enqueueFlags, options []carillon.CallOption) error {
	if f.args != "" || f.key != "" {
		return usagef("--file goes with neither --args nor --key: every run has its own arguments")
	}
	text, err := a.readInput(f.file)
	if err != nil {
		return err
	}
	values, err := jsonValues(text)
	if err != nil {
		return usage(err)
	}
	if len(values) == 0 {
		return usagef("%s holds no arguments; write one JSON value per line", f.file)
	}
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v.text
	}
	return a.withClient(ctx, func(c *carillon.Client, in []carillon.CallOption) error {
		sent, err := c.Submit(ctx, task, all, append(options, in...)...)
		if err != nil {
			return err
		}
		a.warnUnserved(sent.Unserved, task, f.executor)
		return a.answer(enqueued{RunIDs: sent.RunIDs, Unserved: sent.Unserved}, func(w io.Writer) { fmt.Fprintf(w, "%d runs\n", len(sent.RunIDs)) })
	})
}

// options refuses what no run could have.
func (f enqueueFlags) options(task string) ([]carillon.CallOption, error) {
	if err := job.ValidID("task", task); err != nil {
		return nil, err
	}
	if err := job.ValidID("--executor", f.executor); err != nil {
		return nil, err
	}
	if f.args != "" && !json.Valid([]byte(f.args)) {
		return nil, fmt.Errorf("--args: %s is not JSON", cut(f.args, 40))
	}
	if f.retry < 1 || f.retry > 1000 {
		return nil, fmt.Errorf("--retry: %d is not between 1 and 1000", f.retry)
	}
	options := []carillon.CallOption{carillon.OnExecutor(f.executor), carillon.WithRetry(carillon.Retry{MaxAttempts: f.retry})}
	if f.timeout != "" {
		d, err := job.ParseDuration(f.timeout)
		if err != nil {
			return nil, fmt.Errorf("--timeout: %w", err)
		}
		options = append(options, carillon.WithTimeout(carillon.Duration(d)))
	}
	if f.key != "" {
		life, err := job.ParseDuration(f.keyLife)
		if err != nil {
			return nil, fmt.Errorf("--key-life: %w", err)
		}
		if life <= 0 {
			return nil, fmt.Errorf("--key-life: %s must be positive", f.keyLife)
		}
		options = append(options, carillon.IdempotencyKeyFor(f.key, life))
	}
	when, err := f.when()
	return append(options, when...), err
}

// when reads --at and --after, of which one may be given.
func (f enqueueFlags) when() ([]carillon.CallOption, error) {
	switch {
	case f.at != "" && f.after != "":
		return nil, fmt.Errorf("give --at or --after, not both")
	case f.at != "":
		at, err := instant("--at", f.at)
		return []carillon.CallOption{carillon.RunAt(at)}, err
	case f.after != "":
		d, err := job.ParseDuration(f.after)
		if err != nil {
			return nil, fmt.Errorf("--after: %w", err)
		}
		return []carillon.CallOption{carillon.RunAfter(d)}, nil
	}
	return nil, nil
}

// instant reads a time of a flag.
func instant(flag, text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, fmt.Errorf("%s: %q is not a time such as 2026-01-01T00:00:00Z", flag, text)
	}
	return at, nil
}
