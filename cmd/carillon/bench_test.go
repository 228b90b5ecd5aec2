package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

func TestBenchMeasuresAndLeavesNothing(t *testing.T) {
	t.Parallel()
	env := startServers(t)
	var r benchResult
	env.must(t, &r, "bench", "enqueue", "--runs", "1500")
	if r.Work != "enqueue" || r.OneByOne == nil || r.Bulk == nil || r.OneByOne.Count != 1500 || r.OneByOne.PerSecond <= 0 || r.Bulk.PerSecond <= r.OneByOne.PerSecond {
		t.Errorf("enqueue: %+v, one by one %+v, bulk %+v; want both, and bulk to be faster", r, r.OneByOne, r.Bulk)
	}
	r = benchResult{}
	env.must(t, &r, "bench", "burst", "--jobs", "50")
	if r.Work != "burst" || r.Stored == nil || r.Ran == nil || r.Ran.Count != 50 || r.Ran.Seconds <= 0 {
		t.Errorf("burst: %+v, ran %+v", r, r.Ran)
	}
	r = benchResult{}
	env.must(t, &r, "bench", "steady", "--jobs", "20", "--for", "1s")
	if d := r.Steady; r.Work != "steady" || r.Jobs != 20 || d == nil || d.Due != 20 || d.Missing != 0 || d.P50 <= 0 || d.P50 > d.P99 || d.P99 > d.Max {
		t.Errorf("steady: %+v, %+v", r, r.Steady)
	}
	if left := leftovers(t, env); len(left) > 0 {
		t.Errorf("%d keys are left behind, such as %q", len(left), left[0])
	}
}

// leftovers are the keys in Redis and etcd.
func leftovers(t *testing.T, env environment) []string {
	t.Helper()
	opts, err := redis.ParseURL(env["CARILLON_REDIS"])
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opts)
	defer c.Close()
	left, err := c.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	if env["CARILLON_ETCD"] == "" {
		return left
	}
	etcd, err := clientv3.New(clientv3.Config{Endpoints: []string{env["CARILLON_ETCD"]}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	got, err := etcd.Get(t.Context(), "", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range got.Kvs {
		left = append(left, string(kv.Key))
	}
	return left
}

func TestBenchNeedsRedisOnly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	env := environment{"CARILLON_REDIS": startRedis(ctx, t)}
	r := env.call(t, "", "bench", "enqueue", "--runs", "10")
	if r.code != 0 || r.err != "" || !strings.Contains(r.out, "runs enqueued in bulk") {
		t.Errorf("%+v; want a table, and no progress where nobody sees it", r)
	}
	if left := leftovers(t, env); len(left) > 0 {
		t.Errorf("%d keys are left behind, such as %q", len(left), left[0])
	}
	environment{}.refused(t, 1, []string{"127.0.0.1:1"}, "", "bench", "enqueue", "--redis", "redis://127.0.0.1:1/0")
}

// What others have in a Redis stays, and who measures is told of it.
func TestBenchBesideOthers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	env := environment{"CARILLON_REDIS": startRedis(ctx, t)}
	opts, err := redis.ParseURL(env["CARILLON_REDIS"])
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opts)
	defer c.Close()
	want := []string{"theirs", "{carillon:0}:jobs", "{" + benchPrefix + "00000000:0}:jobs"} // the last is of another benchmark
	for _, key := range want {
		if err := c.HSet(ctx, key, "j", "x").Err(); err != nil {
			t.Fatal(err)
		}
	}
	r := env.call(t, "", "bench", "enqueue", "--runs", "10", "-o", "json")
	if r.code != 0 || !strings.Contains(r.err, "others have 3 keys in this Redis") {
		t.Errorf("%+v; want a warning of the keys", r)
	}
	left := leftovers(t, env)
	slices.Sort(left)
	slices.Sort(want)
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("keys afterwards (-want +got):\n%s", diff)
	}
}

func TestInterruptedBenchLeavesNothing(t *testing.T) {
	t.Parallel()
	env := startServers(t)
	opts, err := redis.ParseURL(env["CARILLON_REDIS"])
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opts)
	defer c.Close()
	b := env.start(t, "bench", "steady", "--jobs", "50", "--for", "1h")
	for ran := int64(0); ran == 0; { // until jobs are stored: the namespace's name is not known
		keys, err := c.Keys(t.Context(), "*:history:*").Result()
		if err != nil {
			t.Fatal(err)
		}
		ran = int64(len(keys))
	}
	if r := b.end(t); r.code != 1 || !strings.Contains(r.err, "interrupted: all that it stored has been removed") {
		t.Errorf("%+v, want exit code 1 and what became of the keys", r)
	}
	if left := leftovers(t, env); len(left) > 0 {
		t.Errorf("%d keys are left behind, such as %q", len(left), left[0])
	}
}

func TestLatenessByPercentile(t *testing.T) {
	var late []time.Duration
	for i := range 100 {
		late = append(late, time.Duration(100-i)*time.Millisecond)
	}
	want := &benchDelay{Due: 102, Missing: 2, P50: 50, P90: 90, P99: 99, Max: 100}
	if diff := cmp.Diff(want, steadyOf(102, late)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&benchDelay{Due: 3, Missing: 3}, steadyOf(3, nil)); diff != "" {
		t.Errorf("of none: %s", diff)
	}
}

func TestLateRunsCountsDueTimesOnce(t *testing.T) {
	from := time.Unix(100, 0)
	l := &lateRuns{from: from, to: from.Add(time.Second), due: 2, ran: map[string]bool{}, all: make(chan struct{})}
	l.note("before", from.Add(-time.Millisecond), time.Second)
	l.note("after", from.Add(time.Second), time.Second)
	l.note("a", from, time.Millisecond)
	l.note("a", from, time.Minute) // its next attempt
	if n := l.count(); n != 1 {
		t.Errorf("%d are counted, want 1", n)
	}
	l.note("b", from.Add(time.Second-1), 3*time.Millisecond)
	select {
	case <-l.all:
	default:
		t.Error("all have run, and it does not tell")
	}
	if diff := cmp.Diff([]time.Duration{time.Millisecond, 3 * time.Millisecond}, l.late); diff != "" {
		t.Error(diff)
	}
}

func TestProgressIsALine(t *testing.T) {
	tests := []struct {
		name     string
		done, of int
		want     string
	}{
		{"none", 0, 10, "storing    [..............................] 0 of 10"},
		{"half", 5, 10, "storing    [###############...............] 5 of 10"},
		{"all", 10, 10, "storing    [##############################] 10 of 10"},
		{"more than all", 11, 10, "storing    [##############################] 11 of 10"},
		{"of nothing", 0, 0, "storing    [##############################] 0 of 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := progress("storing", tt.done, tt.of); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}
