package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// sampleJobs are what carillon dev shows.
func sampleJobs() []carillon.Job {
	sample := func(id, message string, trigger []byte) carillon.Job {
		return carillon.Job{
			ID: id, Task: "log", Trigger: trigger, Description: "sample of carillon dev",
			Args: carillon.Args(map[string]string{"message": message}),
		}
	}
	return []carillon.Job{
		sample("hello-every-2s", "hello", carillon.Every(2*time.Second)),
		sample("tick-every-5s", "tick", carillon.Every(5*time.Second)),
		sample("chime-every-minute", "a minute has begun", carillon.Cron("* * * * *")),
	}
}

// devBegin adds the sample jobs and tells what runs where, once the nodes are ready.
func (a *app) devBegin(ctx context.Context, client *carillon.Client, nodes []*carillon.Node, stack *devStack) error {
	var ids, http []string
	for _, j := range sampleJobs() {
		if _, err := client.AddJob(ctx, j, carillon.ReplaceExisting()); err != nil {
			return err
		}
		ids = append(ids, j.ID)
	}
	for _, n := range nodes {
		http = append(http, "http://"+n.Address())
	}
	if err := stack.announce(http); err != nil {
		return err
	}
	if a.output == "json" {
		return a.line(endpoints{Etcd: stack.etcd.Endpoints(), Redis: stack.redisURL, HTTP: http})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "carillon dev is ready: %d nodes, etcd and Redis on this machine\n", len(nodes))
	for _, n := range nodes {
		fmt.Fprintf(&b, "  %-7s http://%s/healthz\n", n.Name(), n.Address())
	}
	fmt.Fprintf(&b, "  etcd    %s\n  redis   %s\n  data    %s\n", strings.Join(stack.etcd.Endpoints(), ","), stack.redisURL, stack.dir)
	fmt.Fprintf(&b, "  jobs    %s\n", strings.Join(ids, ", "))
	fmt.Fprintf(&b, "In another terminal:\n  export CARILLON_ETCD=%s\n  export CARILLON_REDIS=%s\n", strings.Join(stack.etcd.Endpoints(), ","), stack.redisURL)
	b.WriteString("  carillon job list; carillon cluster status; carillon events --follow\nCtrl-C ends it.\n")
	return a.write(b.String())
}

// devReport tells what happens in the cluster.
type devReport struct{ app *app }

// reported are the events that it tells.
var reported = job.Mask(
	job.LeaderElected, job.NodeLost, job.JobAdded, job.JobModified, job.JobRemoved, job.JobParked, job.JobStarted,
	job.JobError, job.JobMissed, job.JobMaxInstances, job.JobCoalesced, job.JobRetrying, job.JobLost, job.JobCancelled,
	job.SchedulerPaused, job.SchedulerResumed, job.ExecutorPaused, job.ExecutorResumed,
)

// run tells events until ctx ends. A Redis that fails meanwhile is told by the nodes.
func (r *devReport) run(ctx context.Context, client *carillon.Client) {
	for ctx.Err() == nil {
		err := client.Subscribe(ctx, reported, r.tell)
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(r.app.stderr, errorLine(fmt.Errorf("events cannot be read: %w", err)))
			pause(ctx, time.Second)
		}
	}
}

// tell writes one event; that standard output is gone is no reason to stop.
func (r *devReport) tell(e carillon.Event) {
	if r.app.output == "json" {
		_ = r.app.line(e)
		return
	}
	_ = r.app.write(describe(e) + "\n")
}

// describe is an event as one line.
func describe(e carillon.Event) string {
	var text string
	switch e.Kind {
	case job.LeaderElected:
		text = fmt.Sprintf("%s leads (term %d)", e.Node, e.Term)
	case job.JobStarted:
		late := e.Time.Sub(e.ScheduledTime).Round(time.Millisecond)
		text = fmt.Sprintf("%-20s fired on %-8s run …%s  %d ms late", e.JobID, e.Node, shortRun(e.RunID), late.Milliseconds())
		if e.Attempt > 1 {
			text += fmt.Sprintf(", attempt %d", e.Attempt)
		}
	default:
		text = strings.TrimSpace(fmt.Sprintf("%-20s %s %s %s", e.JobID, strings.TrimPrefix(string(e.Kind), "job_"), e.Node, e.Cause))
	}
	at := e.Time.Local() //nolint:forbidigo // read beside the clock of the person at the terminal; schedules nothing
	return cut(at.Format(time.TimeOnly)+" "+text, columns)
}
