package store_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/store"
)

// BenchmarkEnqueue enqueues through a client, and reports how many microseconds of Redis' processor and
// of this process' a run costs.
func BenchmarkEnqueue(b *testing.B) {
	const callers, bulk = 16, 1_000
	b.Run("one by one", func(b *testing.B) {
		benchClient(b, callers, 1, func(ctx context.Context, c *carillon.Client) error {
			_, err := c.Enqueue(ctx, "noop", nil)
			return err
		})
	})
	args := make([]any, bulk)
	b.Run("bulk", func(b *testing.B) {
		benchClient(b, callers, bulk, func(ctx context.Context, c *carillon.Client) error {
			_, err := c.EnqueueMany(ctx, "noop", args)
			return err
		})
	})
}

// BenchmarkAdd adds jobs through a client, one after another and from callers that meet, with the same
// figures.
func BenchmarkAdd(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			benchClient(b, callers, 1, func(ctx context.Context, c *carillon.Client) error {
				_, err := c.AddJob(ctx, carillon.Job{Task: "noop", Trigger: carillon.Cron("0 4 * * *")})
				return err
			})
		})
	}
}

// benchClient has callers share b.N runs or jobs, of which each call of f makes so many.
func benchClient(b *testing.B, callers, each int, f func(context.Context, *carillon.Client) error) {
	server, err := devstack.StartRedis(b.Context(), devstack.RedisConfig{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Close() })
	options, _ := redis.ParseURL(server.URL())
	p := &pipeline{b: b, raw: redis.NewClient(options)}
	b.Cleanup(func() { _ = p.raw.Close() })
	p.s, err = store.Open(b.Context(), store.Config{URL: server.URL(), Create: true, Logger: hclog.NewNullLogger()})
	p.check(err)
	b.Cleanup(p.s.Close)
	p.check(p.s.Register(b.Context(), []string{"default"}, []string{"noop"}))
	c, err := carillon.NewClient(b.Context(), carillon.ClientConfig{Redis: server.URL()})
	p.check(err)
	b.Cleanup(c.Close)
	p.check(f(b.Context(), c)) // the server knows the scripts now
	served, used := p.usec(), processUsec()
	b.ReportAllocs()
	b.ResetTimer()
	calls := (b.N + each - 1) / each
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for n := i; n < calls; n += callers {
				if err := f(b.Context(), c); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	runs := float64(calls * each)
	b.ReportMetric((p.usec()-served)/runs, "redis-us/run")
	b.ReportMetric((processUsec()-used)/runs, "go-us/run")
	b.ReportMetric(runs/b.Elapsed().Seconds(), "runs/s")
	b.ReportMetric(0, "ns/op")
}

// processUsec is how much of a processor this process has used so far, in microseconds.
func processUsec() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e3
}
