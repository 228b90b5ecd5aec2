package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/carillon-project/carillon"
)

const jobID = "interval_func_test"

// articleDefaults are coalesce=false, max_instances=8, misfire_grace_time=30.
func articleDefaults() carillon.Options {
	return carillon.Options{
		Coalesce: carillon.CoalesceAll, MaxInstances: 8, MisfireGraceTime: carillon.Grace(30 * time.Second),
	}
}

// running starts a node, calls f once it is ready, and returns when both have ended.
func running(ctx context.Context, node *carillon.Node, f func(context.Context, *carillon.Client) error) error {
	client, err := node.Client(ctx)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx) }()
	select {
	case <-node.Ready():
	case err := <-ended:
		return err
	}
	err = f(ctx, client)
	_ = node.Shutdown(ctx) // an error says that it has ended already
	return errors.Join(err, <-ended)
}

func first(ctx context.Context, s settings) error {
	node, err := s.node(articleDefaults())
	if err != nil {
		return err
	}
	return running(ctx, node, func(ctx context.Context, client *carillon.Client) error {
		job, err := client.AddJob(ctx, s.intervalJob(jobID, "interval_func"), carillon.ReplaceExisting())
		if err != nil {
			return err
		}
		s.printf("added: %s in store %s, coalesce=%s max_instances=%d\n", job.ID, job.Store, job.Coalesce, job.MaxInstances)
		_, err = client.AddJob(ctx, s.intervalJob(jobID, "interval_func"))
		if !errors.Is(err, carillon.ErrConflictingID) {
			return fmt.Errorf("adding the id again gave %w, not a conflict", err)
		}
		s.printf("added again: %v\n", err)
		_, err = client.AddJob(ctx, s.intervalJob("long_func_test", "long_func"), carillon.ReplaceExisting())
		if err != nil {
			return err
		}
		return sleep(ctx, s.lasting)
	})
}

func later(ctx context.Context, s settings) error {
	node, err := s.node(carillon.Options{MaxInstances: 1000, MisfireGraceTime: carillon.Grace(30 * time.Second)})
	if err != nil {
		return err
	}
	return running(ctx, node, func(ctx context.Context, client *carillon.Client) error {
		jobs, err := client.Jobs(ctx, carillon.InStore("redis"))
		if err != nil {
			return err
		}
		s.printf("stored jobs: %d\n", len(jobs))
		if len(jobs) == 0 {
			s.printf("the jobs of the scene \"first\" have come to their end, or it was not played; play it, then this one\n")
			return nil
		}
		for _, j := range jobs {
			next, _ := j.NextRunTime.Time()
			s.printf("  %s next at %s\n", j.ID, next.UTC().Format(time.RFC3339))
		}
		return sleep(ctx, s.lasting)
	})
}

func lookup(ctx context.Context, s settings) error {
	node, err := s.node(articleDefaults())
	if err != nil {
		return err
	}
	defer node.Close()
	client, err := node.Client(ctx) // a node that does not run may still manage jobs
	if err != nil {
		return err
	}
	added, err := client.AddJob(ctx, s.intervalJob("", "interval_func"))
	if err != nil {
		return err
	}
	s.printf("an id of its own: %s\n", added.ID)
	got, err := client.GetJob(ctx, added.ID, carillon.InStore("redis"))
	if err != nil {
		return err
	}
	s.printf("got: %s %s\n", got.ID, got.Store)
	if err := client.RemoveJob(ctx, added.ID, carillon.InStore("redis")); err != nil {
		return err
	}
	_, err = client.GetJob(ctx, added.ID, carillon.InStore("redis"))
	if !errors.Is(err, carillon.ErrJobNotFound) {
		return fmt.Errorf("after the removal get gave %w", err)
	}
	s.printf("removed: %v\n", err)
	return nil
}

// backlog adds jobs while no node runs, lets times pass, and starts one.
func backlog(ctx context.Context, s settings) error {
	node, err := s.node(articleDefaults())
	if err != nil {
		return err
	}
	defer node.Close()
	client, err := node.Client(ctx)
	if err != nil {
		return err
	}
	for id, change := range map[string]func(*carillon.Job){
		"backlog_all":    func(*carillon.Job) {},
		"backlog_one":    func(j *carillon.Job) { j.Coalesce = carillon.CoalesceLatest },
		"backlog_missed": func(j *carillon.Job) { j.MisfireGraceTime = carillon.Grace(time.Millisecond) },
	} {
		job := s.intervalJob(id, "interval_func")
		change(&job)
		if _, err := client.AddJob(ctx, job, carillon.ReplaceExisting()); err != nil {
			return err
		}
	}
	s.printf("nobody runs for %s\n", 4*s.every)
	if err := sleep(ctx, 4*s.every+s.every/2); err != nil {
		return err
	}
	return running(ctx, node, func(ctx context.Context, client *carillon.Client) error {
		if err := sleep(ctx, s.every/4); err != nil {
			return err
		}
		for _, id := range []string{"backlog_all", "backlog_one", "backlog_missed"} {
			rows, err := client.History(ctx, id, 100, carillon.InStore("redis"))
			if err != nil {
				return err
			}
			counts := map[string]int{}
			for _, r := range rows {
				counts[string(r.Outcome)] += max(r.Count, 1)
			}
			s.printf("%s: %v\n", id, counts)
			err = client.RemoveJob(ctx, id, carillon.InStore("redis"))
			if err != nil && !errors.Is(err, carillon.ErrJobNotFound) { // it may have come to its end
				return err
			}
		}
		return nil
	})
}

func pause(ctx context.Context, s settings) error {
	node, err := s.node(articleDefaults())
	if err != nil {
		return err
	}
	return running(ctx, node, func(ctx context.Context, client *carillon.Client) error {
		if _, err := client.AddJob(ctx, s.intervalJob("paused_job", "interval_func"), carillon.ReplaceExisting()); err != nil {
			return err
		}
		if err := client.Pause(ctx, carillon.Because("a walk-through")); err != nil {
			return err
		}
		s.printf("paused for %s: nothing fires\n", 2*s.every)
		if err := sleep(ctx, 2*s.every+s.every/2); err != nil {
			return err
		}
		if err := client.Resume(ctx); err != nil {
			return err
		}
		s.printf("resumed: the backlog runs\n")
		if err := sleep(ctx, s.every); err != nil {
			return err
		}
		err := client.RemoveJob(ctx, "paused_job", carillon.InStore("redis"))
		if errors.Is(err, carillon.ErrJobNotFound) { // it has come to its end
			return nil
		}
		return err
	})
}

func shutdown(ctx context.Context, s settings) error {
	for _, waits := range []bool{true, false} {
		node, err := s.node(articleDefaults())
		if err != nil {
			return err
		}
		s.printf("shutdown with wait=%v\n", waits)
		err = running(ctx, node, func(ctx context.Context, client *carillon.Client) error {
			_, err := client.Enqueue(ctx, "long_func", []string{"enqueued"}, carillon.InStore("redis"), carillon.OnExecutor("redis"))
			if err != nil {
				return err
			}
			if err := sleep(ctx, s.every/4); err != nil {
				return err
			}
			until, cancel := context.WithTimeout(ctx, 4*s.every)
			defer cancel()
			if !waits {
				cancel() // an ended context is shutdown without waiting
			}
			return node.Shutdown(until)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sleep waits, or returns nil early when the program is asked to end.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil
}
