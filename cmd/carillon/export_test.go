package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestExportBringsBackWhatRedisLost has the leader export, empties Redis under it, and imports the file.
func TestExportBringsBackWhatRedisLost(t *testing.T) {
	t.Parallel()
	env, dir := startServers(t), filepath.Join(t.TempDir(), "exports")
	first := env.start(t, "node", "--name", "n0", "--log-level", "off")
	first.await(t, patient, "ready")
	env.call(t, closedOnce, "calendar", "add", "holidays")
	if r := env.call(t, `{"id":"j","task":"log","trigger":{"type":"cron","expr":"* * * * * *","exclude":[{"calendar":"holidays"}]}}`, "job", "add", "-f", "-"); r.code != 0 {
		t.Fatalf("job add: %+v", r)
	}
	first.end(t)

	node := env.start(t, "node", "--name", "n1", "--log-level", "off", "--export-dir", dir, "--export-keep", "3")
	ready := node.await(t, patient, "ready")
	file := awaitExport(t, dir)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(file, ".default@default.jsonl") || !strings.HasPrefix(string(text), `{"calendar":{"name":"holidays"`) || strings.Count(string(text), "\n") != 2 {
		t.Fatalf("%s holds %s", file, text)
	}
	if now := env.call(t, "", "store", "export").out; now != string(text) {
		t.Errorf("the file holds %s, store export prints %s", text, now)
	}
	metricOf(t, ready, `carillon_exports_total{node="n1",outcome="written",store="default"} 1`)

	options, err := redis.ParseURL(env["CARILLON_REDIS"])
	if err != nil {
		t.Fatal(err)
	}
	raw := redis.NewClient(options)
	defer raw.Close()
	if err := raw.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	env.must(t, nil, "store", "adopt")
	heard := env.start(t, "events", "--follow", "-o", "json")
	heard.await(t, patient, "store_replaced", "adopted") // the node serves its tasks again
	env.must(t, nil, "store", "import", file)
	heard.await(t, patient, "job_executed", `"job_id":"j"`)
	if names, err := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 || err != nil {
		t.Errorf("exports are %q, %v", names, err)
	}
	for _, b := range []*background{heard, node} {
		if r := b.end(t); r.code != 0 {
			t.Errorf("it ended with %+v", r)
		}
	}
}

// awaitExport returns the path of the first export.
func awaitExport(t *testing.T, dir string) string {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	limit := time.After(patient)
	for {
		if found, _ := filepath.Glob(filepath.Join(dir, "*.jsonl")); len(found) > 0 {
			return found[0]
		}
		select {
		case <-look.C:
		case <-limit:
			t.Fatal("nothing was exported")
		}
	}
}

// metricOf checks that the metrics of the node whose ready line is given have a line.
func metricOf(t *testing.T, ready, line string) {
	t.Helper()
	_, address, _ := strings.Cut(ready, "address=")
	r, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var text strings.Builder
	if err := r.Write(&text); err != nil || !strings.Contains(text.String(), line+"\n") {
		t.Errorf("metrics lack %q, %v", line, err)
	}
}
