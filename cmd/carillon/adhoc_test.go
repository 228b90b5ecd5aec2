package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAdHocRuns runs the commands about runs against one node.
func TestAdHocRuns(t *testing.T) {
	t.Parallel()
	env := startServers(t)
	node := env.start(t, "node", "--name", "n1", "--log-level", "off")
	node.await(t, patient, "ready name=n1")
	t.Run("for later, and cancelled", func(t *testing.T) { testLater(t, env) })
	t.Run("many at once", func(t *testing.T) { testEnqueueMany(t, env) })
	t.Run("lines of a run", func(t *testing.T) { testRunLogs(t, env) })
	t.Run("dead and retried", func(t *testing.T) { testDead(t, env) })
	t.Run("backfill", func(t *testing.T) { testBackfill(t, env) })
	t.Run("refused before contact", func(t *testing.T) { testRefusedRuns(t, env) })
	if r := node.end(t); r.code != 0 {
		t.Errorf("the node ended with %+v", r)
	}
}

type runID struct {
	RunID string `json:"run_id"`
}

func testEnqueueMany(t *testing.T, env environment) {
	r := env.call(t, "{\"message\":\"a\"}\n{\"message\":\"b\"}\n", "enqueue", "log", "-f", "-", "--after", "1h", "-o", "json")
	var got struct {
		RunIDs []string `json:"run_ids"`
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || len(got.RunIDs) != 2 {
		t.Fatalf("enqueue -f - is %+v (%v)", r, err)
	}
	for _, id := range got.RunIDs {
		env.must(t, nil, "run", "cancel", id)
	}
	env.refused(t, 2, []string{"line 2", "not JSON"}, "1\n{x}\n", "enqueue", "log", "-f", "-")
	env.refused(t, 2, []string{"neither --args nor --key"}, "1", "enqueue", "log", "-f", "-", "--key", "k")
}

func testLater(t *testing.T, env environment) {
	var first, again runID
	env.must(t, &first, "enqueue", "log", "--after", "1h", "--key", "k", "--key-life", "1h")
	env.must(t, &again, "enqueue", "log", "--at", "2030-01-01T00:00:00Z", "--key", "k")
	if first != again || first.RunID == "" {
		t.Errorf("the key made %v and %v", first, again)
	}
	var got document
	env.must(t, &got, "run", "get", first.RunID)
	want := []string{"attempt", "due", "executor", "job_id", "run_id", "scheduled_time", "state", "store", "task"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" || got["state"] != "delayed" || got["due"] != got["scheduled_time"] {
		t.Errorf("run get is %v\n%s", got, diff)
	}
	var list []document
	env.must(t, &list, "run", "list", "--delayed")
	if len(list) != 1 || list[0]["run_id"] != first.RunID {
		t.Errorf("run list --delayed is %v", list)
	}
	for _, flag := range []string{"--running", "--queued", "--waiting", "--dead"} {
		if r := env.call(t, "", "run", "list", flag, "-o", "json"); r.out != "[]\n" {
			t.Errorf("run list %s is %+v", flag, r)
		}
	}
	var how map[string]string
	env.must(t, &how, "run", "cancel", first.RunID)
	if diff := cmp.Diff(map[string]string{"run_id": first.RunID, "status": "cancelled"}, how); diff != "" {
		t.Error(diff)
	}
	env.refused(t, 1, []string{"had ended already", "cancelled", first.RunID}, "", "run", "cancel", first.RunID)
	got = nil
	env.must(t, &got, "run", "get", first.RunID)
	if got["state"] != "ended" || got["outcome"] != "cancelled" || got["cause"] == nil {
		t.Errorf("the cancelled run is %v", got)
	}
	env.refused(t, 1, []string{"run not found"}, "", "run", "get", "nobody")
}

func testRunLogs(t *testing.T, env environment) {
	var id runID
	env.must(t, &id, "enqueue", "log", "--args", `{"message":"hello <you>"}`)
	r := env.call(t, "", "run", "logs", id.RunID, "--follow", "-o", "json")
	var line document
	if err := json.Unmarshal([]byte(r.out), &line); err != nil || r.code != 0 {
		t.Fatalf("%v: %+v", err, r)
	}
	delete(line, "time")
	want := document{"run_id": id.RunID, "attempt": 1.0, "number": 1.0, "level": "info", "message": `task log message="hello <you>"`}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	if r := env.call(t, "", "run", "logs", id.RunID); r.code != 0 || !strings.HasSuffix(r.out, "  info   task log message=\"hello <you>\"\n") {
		t.Errorf("as text: %+v", r)
	}
	env.refused(t, 1, []string{"run not found"}, "", "run", "logs", "nobody")
}

func testDead(t *testing.T, env environment) {
	ended := env.start(t, "events", "--follow", "--kind", "job_error")
	var id, again runID
	env.must(t, &id, "enqueue", "log", "--args", `{"massage":"x"}`)
	ended.await(t, patient, "@log")
	var list []document
	env.must(t, &list, "run", "list", "--dead")
	if len(list) != 1 || list[0]["run_id"] != id.RunID || list[0]["dead"] != true || !strings.Contains(list[0]["error"].(string), "massage") {
		t.Errorf("run list --dead is %v", list)
	}
	for _, args := range []string{"run list --dead", "run get " + id.RunID} {
		if r := env.call(t, "", strings.Split(args, " ")...); r.code != 0 || !strings.Contains(r.out, "log: read arguments") {
			t.Errorf("%s: %+v", args, r)
		}
	}
	env.must(t, &again, "run", "retry", id.RunID)
	if again == id || again.RunID == "" {
		t.Errorf("the retry of %v is %v", id, again)
	}
	ended.await(t, patient, again.RunID[len(again.RunID)-8:])
	env.refused(t, 1, []string{"run not found", id.RunID}, "", "run", "retry", id.RunID)
	ended.end(t)
}

func testBackfill(t *testing.T, env environment) {
	env.must(t, nil, "job", "add", "--id", "b", "--task", "log", "--cron", "0 3 * * *")
	type answer struct {
		JobID     string   `json:"job_id"`
		RequestID string   `json:"request_id"`
		RunIDs    []string `json:"run_ids"`
	}
	var first, again, none answer
	rangeOf := []string{"job", "backfill", "b", "--from", "2024-03-01T03:00:00Z", "--to", "2024-03-03T03:00:00Z"}
	env.must(t, &first, rangeOf...)
	env.must(t, &again, append(rangeOf, "--request", first.RequestID)...)
	if diff := cmp.Diff(first, again); diff != "" || len(first.RunIDs) != 3 || first.JobID != "b" {
		t.Errorf("the backfill is %+v, its repeat differs by\n%s", first, diff)
	}
	env.must(t, &none, "job", "backfill", "b", "--from", "2024-03-01T04:00:00Z", "--to", "2024-03-01T05:00:00Z")
	if none.RunIDs == nil || len(none.RunIDs) != 0 {
		t.Errorf("a range without times gives %+v", none)
	}
	env.refused(t, 1, []string{"more than 2"}, "", append(rangeOf, "--limit", "2")...)
	env.refused(t, 1, []string{"not found", `"gone"`}, "", "job", "backfill", "gone", "--from", "2024-03-01T03:00:00Z")
}

func testRefusedRuns(t *testing.T, env environment) {
	for _, c := range []struct {
		name  string
		words string
		args  []string
	}{
		{"two times", "not both", []string{"enqueue", "log", "--at", "2030-01-01T00:00:00Z", "--after", "1s"}},
		{"a time without a zone", "--at", []string{"enqueue", "log", "--at", "2030-01-01 00:00"}},
		{"a negative delay", "--after", []string{"enqueue", "log", "--after", "-1s"}},
		{"a key without a life", "--key-life", []string{"enqueue", "log", "--key", "k", "--key-life", "0"}},
		{"two states", "give one of", []string{"run", "list", "--dead", "--running"}},
		{"no runs", "--limit", []string{"run", "list", "--limit", "0"}},
		{"no run", "RUN is missing", []string{"run", "logs"}},
		{"a backfill from nowhere", "--from", []string{"job", "backfill", "b"}},
		{"a backfill of too many", "--limit", []string{"job", "backfill", "b", "--from", "2024-03-01T03:00:00Z", "--limit", "10001"}},
		{"a backfill to no time", "--to", []string{"job", "backfill", "b", "--from", "2024-03-01T03:00:00Z", "--to", "now"}},
	} {
		t.Run(c.name, func(t *testing.T) { env.refused(t, 2, []string{c.words}, "", c.args...) })
	}
}
