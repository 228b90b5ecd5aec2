package node_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/internal/devstack"
)

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

type health struct {
	Status, Node string
	Reasons      []string
	Unreached    []string
}

func ready(t *testing.T, address string) (int, health) {
	t.Helper()
	status, body := get(t, "http://"+address+"/readyz")
	var h health
	if err := json.Unmarshal([]byte(body), &h); err != nil {
		t.Fatalf("readyz says %q: %v", body, err)
	}
	return status, h
}

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	server, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{AppendOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	cfg := config(t, clusterOf(t), "n")
	cfg.Redis = server.URL()
	n := lift(t, newNode(t, cfg))
	if status, body := get(t, "http://"+n.Address()+"/healthz"); status != 200 || !strings.Contains(body, `"node":"n"`) {
		t.Errorf("healthz says %d %s", status, body)
	}
	if status, h := ready(t, n.Address()); status != 200 || h.Status != "ready" || h.Node != "n" {
		t.Errorf("readyz says %d %+v", status, h)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if status, h := ready(t, n.Address()); status != 503 || len(h.Reasons) != 1 || !strings.Contains(h.Reasons[0], server.Addr()) {
		t.Errorf("without Redis readyz says %d %+v", status, h)
	}
	if status, _ := get(t, "http://"+n.Address()+"/healthz"); status != 200 {
		t.Errorf("without Redis healthz says %d", status)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "readiness to come back", func() bool { status, _ := ready(t, n.Address()); return status == 200 })
}

// One shard that is gone stops only its own partitions: the node is ready, and says which do not answer.
func TestReadyWhereAnyPartitionAnswers(t *testing.T) {
	t.Parallel()
	name := clusterOf(t)
	cfg := config(t, name, "n")
	cfg.Partitions = 2
	n := lift(t, newNode(t, cfg))
	raw := redis.NewClient(must(redis.ParseURL(cfg.Redis))(t))
	t.Cleanup(func() { _ = raw.Close() })
	if status, h := ready(t, n.Address()); status != 200 || len(h.Unreached) != 0 {
		t.Errorf("readyz says %d %+v", status, h)
	}
	spoil := func(meta string) { // what answers with an error is as good as gone
		t.Helper()
		must(raw.Rename(t.Context(), meta, meta+":kept").Result())(t)
		must(raw.Set(t.Context(), meta, "not a hash", 0).Result())(t)
	}
	spoil("{" + name + ":1}:meta")
	if status, h := ready(t, n.Address()); status != 200 || len(h.Unreached) != 1 || !strings.Contains(h.Unreached[0], "partition 1") {
		t.Errorf("with one of two partitions readyz says %d %+v", status, h)
	}
	spoil("{" + name + ":0}:meta")
	if status, h := ready(t, n.Address()); status != 503 || len(h.Reasons) != 1 || len(h.Unreached) != 0 {
		t.Errorf("without any partition readyz says %d %+v", status, h)
	}
}

// A node that drains gets no new work from those who ask, however its end was asked for.
func TestDrainingIsNotReady(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*lifted)
	}{
		{"shutdown", func(l *lifted) { go func() { _ = l.Shutdown(t.Context()) }() }},
		{"context", func(l *lifted) { l.cancel() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := liftNew(t, clusterOf(t), "n")
			args, begun, end := untilTold(t)
			must(n.Enqueue(t.Context(), "act", args))(t)
			receive(t, begun, "the run")
			c.end(n)
			eventually(t, 5*time.Second, "the node to say that it shuts down", func() bool {
				status, h := ready(t, n.Address())
				return status == 503 && strings.Contains(strings.Join(h.Reasons, " "), "shutting down")
			})
			if status, _ := get(t, "http://"+n.Address()+"/healthz"); status != 200 {
				t.Errorf("healthz says %d", status)
			}
			close(end)
		})
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	n := liftNew(t, clusterOf(t), "n")
	ctx := t.Context()
	j := carillon.Job{ID: "past", Task: "act", Args: act(t, nothing), Trigger: carillon.At(time.Now().Add(-time.Second))}
	must(n.AddJob(ctx, j))(t)
	rows(t, n.Client, "past", 1)
	late := carillon.Job{ID: "late", Task: "act", Trigger: carillon.At(time.Now().Add(-time.Hour))}
	late.MisfireGraceTime = carillon.Grace(time.Second)
	must(n.AddJob(ctx, late))(t)
	rows(t, n.Client, "late", 1)
	want := map[string]float64{
		"carillon_leader": 1, "carillon_cluster_members": 1, "carillon_dispatched_total": 1, "carillon_runs_total": 1,
		"carillon_skipped_total": 1, "carillon_queue_depth": 0, "carillon_slot_repairs_total": 0, "carillon_parked_jobs_total": 0,
		"carillon_late_finishes_total": 0, "carillon_dropped_outcomes_total": 0, "carillon_start_lateness_seconds": 1,
		"carillon_due_lateness_seconds": 1, "carillon_run_duration_seconds": 1,
	}
	got := map[string]float64{}
	eventually(t, 5*time.Second, "the metrics to have it all", func() bool {
		got = scrape(t, n.Address())
		return got["carillon_runs_total"] == 1 && got["carillon_skipped_total"] == 1 && got["carillon_cluster_members"] == 1
	})
	for name, value := range want {
		if v, ok := got[name]; !ok || v != value {
			t.Errorf("%s is %v, %t, want %v", name, v, ok, value)
		}
	}
	if got["carillon_term"] < 1 {
		t.Errorf("carillon_term is %v", got["carillon_term"])
	}
}

// scrape reads /metrics: the value of each family, or how many were observed, added up over labels.
func scrape(t *testing.T, address string) map[string]float64 {
	t.Helper()
	status, body := get(t, "http://"+address+"/metrics")
	if status != 200 {
		t.Fatalf("metrics say %d", status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatalf("metrics cannot be read: %v\n%s", err, body)
	}
	sums := map[string]float64{}
	for name, f := range families {
		if strings.HasPrefix(name, "carillon_") && f.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
		for _, m := range f.GetMetric() {
			sums[name] += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sums
}
