package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// eventFilter says which events to print.
type eventFilter struct {
	follow bool
	tail   int
	job    string
	kinds  []string
}

func (a *app) eventsCommand() *cobra.Command {
	var f eventFilter
	c := &cobra.Command{
		Use: "events [--follow]", Short: "Show the cluster's event log, oldest first", GroupID: groupJobs, Args: takes(),
		Long: "Shows the events that the log still holds, and with --follow those to come,\n" +
			"until it is interrupted. With -o json there is one event per line.",
		Example: "  carillon events --follow --tail 0 -o json\n  carillon events --job hello --kind job_error,job_missed",
	}
	c.Flags().BoolVar(&f.follow, "follow", false, "go on with the events to come")
	c.Flags().IntVar(&f.tail, "tail", -1, "begin with the last `N` events of the log (default all)")
	c.Flags().StringVar(&f.job, "job", "", "only of the job with this `ID`")
	c.Flags().StringSliceVar(&f.kinds, "kind", nil, "only of these `KINDS`, separated by commas")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, k := range f.kinds {
			if !slices.Contains(job.EventKinds(), job.EventKind(k)) {
				return usagef("--kind: %q is not a kind of event, such as job_executed", k)
			}
		}
		return a.events(cmd.Context(), f)
	}
	return c
}

func (f eventFilter) wants(e job.Event) bool {
	return (f.job == "" || e.JobID == f.job) && (len(f.kinds) == 0 || slices.Contains(f.kinds, string(e.Kind)))
}

// events prints the log of all stores and, if asked, follows it.
func (a *app) events(ctx context.Context, f eventFilter) error {
	stores, err := a.openStores(ctx)
	if err != nil {
		return err
	}
	defer closeAll(stores)
	var all []job.Event
	cursors := make([]store.Cursor, len(stores))
	for i, s := range stores {
		for {
			got, next, err := s.Events(ctx, cursors[i], 0)
			if err != nil {
				return err
			}
			if cursors[i] = next; len(got) == 0 {
				break
			}
			for _, e := range got {
				if f.wants(e) {
					all = append(all, e)
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b job.Event) int { return a.Time.Compare(b.Time) })
	if f.tail >= 0 {
		all = all[max(0, len(all)-f.tail):]
	}
	for _, e := range all {
		if err := a.event(e); err != nil {
			return err
		}
	}
	if !f.follow {
		return nil
	}
	return a.follow(ctx, f, stores, cursors)
}

// follow prints events after the cursors until ctx ends, which is success, or a store fails.
func (a *app) follow(ctx context.Context, f eventFilter, stores []*store.Store, cursors []store.Cursor) error {
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	events := make(chan job.Event)
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() {
			if err := a.watch(watching, s, cursors[i], events); err != nil {
				stop(err)
			}
		})
	}
	defer wg.Wait()
	defer stop(nil)
	for {
		select {
		case <-watching.Done():
			if ctx.Err() != nil {
				return nil
			}
			return context.Cause(watching)
		case e := <-events:
			if !f.wants(e) {
				continue
			}
			if err := a.event(e); err != nil {
				return err
			}
		}
	}
}

// outage is how many readings may fail in a row, a second apart, before a store is given up.
const outage = 30

// watch hands on the events of one store. A short outage is waited for.
func (a *app) watch(ctx context.Context, s *store.Store, at store.Cursor, events chan<- job.Event) error {
	failures := 0
	for ctx.Err() == nil {
		got, next, err := s.Events(ctx, at, time.Second)
		if err != nil {
			if failures++; failures > outage {
				return err
			}
			a.logger(hclog.Warn).Debug("events cannot be read", "store", s.Name(), "error", err)
			pause(ctx, time.Second)
			continue
		}
		failures, at = 0, next
		for _, e := range got {
			select {
			case events <- e:
			case <-ctx.Done():
				return nil
			}
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// event prints one event as a line.
func (a *app) event(e job.Event) error {
	if a.output == "json" {
		return a.line(e)
	}
	var about []string
	for _, part := range []struct{ name, text string }{
		{"", e.JobID}, {"on ", e.Node}, {"run ", shortRun(e.RunID)}, {"", e.Cause},
	} {
		if part.text != "" {
			about = append(about, part.name+part.text)
		}
	}
	if e.Term != 0 {
		about = append(about, fmt.Sprintf("term %d", e.Term))
	}
	if e.Attempt > 1 {
		about = append(about, fmt.Sprintf("attempt %d", e.Attempt))
	}
	text := fmt.Sprintf("%s  %-18s %s", e.Time.UTC().Format("01-02 15:04:05.000"), e.Kind, strings.Join(about, "  "))
	return a.write(strings.TrimRight(cut(text, columns), " ") + "\n")
}

// shortRun is enough of a run's id to tell it from its neighbours: the end, since ids of one
// minute begin alike.
func shortRun(id string) string { return id[max(0, len(id)-8):] }
