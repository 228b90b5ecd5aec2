package store_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/store"
)

// spent is the time of Redis and the number of calls of a command since CONFIG RESETSTAT.
func spent(t *testing.T, raw *redis.Client, command string) (time.Duration, int) {
	t.Helper()
	info, err := raw.Info(t.Context(), "commandstats").Result()
	must(t, err)
	m := regexp.MustCompile(`cmdstat_` + command + `:calls=(\d+),usec=(\d+)`).FindStringSubmatch(info)
	if m == nil {
		return 0, 0
	}
	calls, _ := strconv.Atoi(m[1])
	usec, _ := strconv.Atoi(m[2])
	return time.Duration(usec) * time.Microsecond, calls
}

// fill runs many commands, some thousand at a time.
func fill(t *testing.T, raw *redis.Client, n int, add func(p redis.Pipeliner, i int)) {
	t.Helper()
	for i := 0; i < n; {
		_, err := raw.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			for end := min(n, i+5000); i < end; i++ {
				add(p, i)
			}
			return nil
		})
		must(t, err)
	}
}

// TestHousekeepingIsManySmallSteps holds rule 17 with 50,000 running runs, 50,000 removed jobs and a backlog of
// as many messages: no command takes Redis 50 ms on average, and the calls grow with the number at most.
func TestHousekeepingIsManySmallSteps(t *testing.T) {
	t.Parallel()
	const n = 50_000
	server := startRedis(t)
	raw, ctx := connect(t, server.URL()), context.WithoutCancel(t.Context())
	s, err := store.Open(ctx, store.Config{URL: server.URL(), Create: true, Namespace: "ns", Logger: hclog.NewNullLogger()})
	must(t, err)
	t.Cleanup(s.Close)
	office := store.Office{Epoch: "e", Term: 1}
	must(t, s.TakeOffice(ctx, 0, office))
	key := func(name string) string { return "{ns:0}:" + name }
	body := func(i int) string {
		m := store.Message{Attempt: 1, Max: 1, Executor: "default", UID: fmt.Sprint("alive-", i), JobID: fmt.Sprint("job-", i), Slot: fmt.Sprint("job-", i), Task: "t",
			Runs: []store.MessageRun{{ID: fmt.Sprint("run-", i)}}}
		return m.Encode()
	}
	fill(t, raw, n, func(p redis.Pipeliner, i int) {
		p.HSet(ctx, key("running"), fmt.Sprint("run-", i), fmt.Sprintf("n/b/1\t1\t1\tjob-%d\tdefault\t0\n%s", i, body(i)))
		p.ZAdd(ctx, key("leases"), redis.Z{Score: 1e15, Member: fmt.Sprint("run-", i)})
		p.Set(ctx, key(fmt.Sprint("slots:job-", i)), 1, 0)
		p.XAdd(ctx, &redis.XAddArgs{Stream: key("stream:default"), Values: []string{"m", body(n + i)}})
		p.ZAdd(ctx, key("removed"), redis.Z{Score: 1.7e12, Member: fmt.Sprint("removed-", i)})
	})
	must(t, raw.Set(ctx, key("slots:job-7"), 3, 0).Err())
	must(t, raw.ConfigResetStat(ctx).Err())

	mended, err := s.Audit(ctx, 0, office)
	must(t, err)
	if len(mended) != 1 {
		t.Errorf("mended: %v", mended)
	}
	if clamped, err := s.ClampLeases(ctx, 0, office, time.Minute); clamped != n || err != nil {
		t.Errorf("clamped: %d, %v", clamped, err)
	}
	f, forgotten, done := s.Forgetting(0, 0), 0, false
	for !done {
		step, err := f.Step(ctx, office)
		must(t, err)
		forgotten, done = forgotten+step.Forgotten, step.Done
	}
	if forgotten != n {
		t.Errorf("forgotten: %d", forgotten)
	}
	total := time.Duration(0)
	for command, most := range map[string]int{"evalsha": 600, "hscan": 1000, "scan": 1000, "mget": 500, "xrange": 500, "zmscore": 500} {
		took, calls := spent(t, raw, command)
		total += took
		t.Logf("%s: %d calls, %s each", command, calls, took/time.Duration(max(calls, 1)))
		if calls > most {
			t.Errorf("%s was called %d times, want %d at most", command, calls, most)
		}
		if calls > 0 && took/time.Duration(calls) > 50*time.Millisecond {
			t.Errorf("%s takes %s", command, took/time.Duration(calls))
		}
	}
	// A second has a thousand removals, so a tenth of Redis must forget a thousand in a second.
	if each := total / n; each > 100*time.Microsecond {
		t.Errorf("housekeeping takes Redis %s for each run, message and uid", each)
	}
}
