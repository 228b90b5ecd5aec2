package node_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// How much of the past is kept is for the nodes to say: what a client writes cuts nothing.
func TestClientsCutNoHistory(t *testing.T) {
	t.Parallel()
	cfg := config(t, clusterOf(t), "n")
	cfg.HistoryLimit, cfg.EventLimit = 1500, 15_000
	_, client := idle(t, cfg)
	raw := redis.NewClient(must(redis.ParseURL(cfg.Redis))(t))
	t.Cleanup(func() { _ = raw.Close() })
	key := "{" + cfg.Cluster + ":0}:"
	row := store.HistoryRow(job.Row{RunID: "r", Outcome: job.Executed, Attempt: 1, Started: time.Now(), Finished: time.Now()})
	for range 1200 {
		if err := raw.LPush(t.Context(), key+"history:@act", row).Err(); err != nil {
			t.Fatal(err)
		}
	}
	outside := must(carillon.NewClient(t.Context(), carillon.ClientConfig{Redis: cfg.Redis, Namespace: cfg.Cluster}))(t)
	t.Cleanup(outside.Close)
	run := must(client.Enqueue(t.Context(), "act", nil))(t)
	if err := outside.CancelRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if n := raw.LLen(t.Context(), key+"history:@act").Val(); n != 1201 {
		t.Errorf("%d rows are left, there were 1200 and one came", n)
	}
}
