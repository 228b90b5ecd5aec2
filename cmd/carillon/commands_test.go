package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const patient = 20 * time.Second

// TestCommands runs the commands against one node, itself started by its command.
func TestCommands(t *testing.T) {
	t.Parallel()
	env := startServers(t)
	env.refused(t, 1, []string{"not initialised", "start a node"}, "", "job", "list")
	node := env.start(t, "node", "--name", "n1", "--log-level", "off", "--executor", "default=4", "--executor", "mail=2")
	ready := node.await(t, patient, "ready name=n1 address=127.0.0.1:")
	address := strings.TrimPrefix(ready, "ready name=n1 address=")

	t.Run("job shapes", func(t *testing.T) { testJobShapes(t, env) })
	t.Run("conflicts and unknown names", func(t *testing.T) { testRefusals(t, env) })
	t.Run("lists", func(t *testing.T) { testLists(t, env) })
	t.Run("modify", func(t *testing.T) { testModify(t, env) })
	t.Run("runs and history", func(t *testing.T) { testRuns(t, env) })
	t.Run("events", func(t *testing.T) { testEvents(t, env) })
	t.Run("cluster", func(t *testing.T) { testCluster(t, env, address) })
	t.Run("groups", func(t *testing.T) { testGroups(t, env) })
	t.Run("executors", func(t *testing.T) { testExecutors(t, env) })
	t.Run("stores", func(t *testing.T) { testStores(t, env) })
	t.Run("store check", func(t *testing.T) { testStoreCheck(t, env) })
	t.Run("shell and http are closed", func(t *testing.T) { testClosedTasks(t, env) })
	t.Run("text fits", func(t *testing.T) { testText(t, env) })

	if r := node.end(t); r.code != 0 || r.err != "" {
		t.Errorf("the node ended with %+v", r)
	}
}

type document map[string]any

func testJobShapes(t *testing.T, env environment) {
	var added, got document
	env.must(t, &added, "job", "add", "--id", "shape", "--task", "log", "--args", `{"message":"<hi>"}`, "--every", "1h", "--label", "team=a")
	env.must(t, &got, "job", "get", "shape")
	if diff := cmp.Diff(added, got); diff != "" {
		t.Errorf("add and get differ:\n%s", diff)
	}
	if at, err := time.Parse("2006-01-02T15:04:05.000Z", got["next_run_time"].(string)); err != nil || at.IsZero() {
		t.Errorf("next_run_time %v: %v", got["next_run_time"], err)
	}
	if kind := got["trigger"].(map[string]any)["type"]; kind != "interval" {
		t.Errorf("trigger is %v", got["trigger"])
	}
	delete(got, "next_run_time")
	delete(got, "trigger")
	want := document{
		"id": "shape", "name": "log", "task": "log", "args": map[string]any{"message": "<hi>"}, "executor": "default", "store": "default",
		"coalesce": "latest", "misfire_grace_time": nil, "max_instances": 1.0, "overlap": "skip", "on_lost": "rerun",
		"retry": map[string]any{"max_attempts": 1.0}, "labels": map[string]any{"team": "a"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
	var paused, resumed document
	env.must(t, &paused, "job", "pause", "shape", "--reason", "holiday")
	if next, said := paused["next_run_time"]; next != nil || !said {
		t.Errorf("next_run_time of a paused job is %v, %v", next, said)
	}
	if r := env.call(t, "", "job", "get", "shape"); !strings.Contains(r.out, "because             holiday\n") || !strings.Contains(r.out, "state               paused\n") {
		t.Errorf("a paused job is shown as\n%s", r.out)
	}
	var more document
	env.must(t, &more, "job", "get", "shape", "--next", "2")
	if more["state"] != "paused" || more["reason"] != "holiday" || len(more["next"].([]any)) != 0 {
		t.Errorf("a paused job with its next times is %v", more)
	}
	env.must(t, &resumed, "job", "resume", "shape")
	more = nil
	env.must(t, &more, "job", "get", "shape", "--next", "3")
	if next := more["next"].([]any); more["state"] != "active" || len(next) != 3 || next[0] != resumed["next_run_time"] {
		t.Errorf("a job with its next times is %v", more)
	}
	env.refused(t, 2, []string{"--next"}, "", "job", "get", "shape", "--next", "0")
	if resumed["next_run_time"] == nil {
		t.Error("a resumed job has no next_run_time")
	}
	var list []document
	env.must(t, &list, "job", "list")
	if len(list) != 1 || list[0]["id"] != "shape" {
		t.Errorf("list is %v", list)
	}
	env.must(t, nil, "job", "remove", "shape")
	if r := env.call(t, "", "job", "list", "-o", "json"); r.out != "[]\n" {
		t.Errorf("an empty list is %q", r.out)
	}
}

func testRefusals(t *testing.T, env environment) {
	env.must(t, nil, "job", "add", "--id", "taken", "--task", "log", "--every", "1h")
	env.refused(t, 1, []string{"conflicting", `"taken"`}, "", "job", "add", "--id", "taken", "--task", "log", "--every", "2h")
	env.refused(t, 1, []string{"unknown executor", `"gpu"`, "mail"}, "", "job", "add", "--task", "log", "--every", "1h", "--executor", "gpu")
	env.refused(t, 1, []string{"unknown task", `"fly"`}, "", "job", "add", "--task", "fly", "--every", "1h")
	env.refused(t, 1, []string{"unknown task", `"fly"`}, "", "enqueue", "fly")
	env.refused(t, 1, []string{"unknown store", `"cellar"`}, "", "job", "get", "taken", "--store", "cellar")
	env.refused(t, 1, []string{"no time left"}, "", "job", "add", "--task", "log", "--trigger", `{"type":"interval","hours":1,"end_date":"2020-01-01","start_date":"2019-01-01"}`)
	for _, verb := range []string{"get", "pause", "resume", "remove", "trigger", "history"} {
		env.refused(t, 1, []string{"not found", `"gone"`}, "", "job", verb, "gone")
	}
	env.refused(t, 1, []string{"not found", `"gone"`}, "", "job", "modify", "gone", "--every", "1s")
	env.refused(t, 1, []string{"run not found", "00000000"}, "", "run", "cancel", "00000000-0000-0000-0000-000000000000")
	var list []document
	env.must(t, &list, "job", "list")
	if len(list) != 1 {
		t.Errorf("refused jobs were stored: %v", list)
	}
	env.must(t, nil, "job", "remove", "taken")
}

func testLists(t *testing.T, env environment) {
	const docs = "id: one\ntask: log\ntrigger: {type: interval, every: 1h}\n---\nid: two\ntask: fly\ntrigger: {type: interval, every: 1h}\n---\n" +
		"id: three\ntask: log\ntrigger: {type: cron, expr: 0 3 * * *}\n"
	statuses := func(code int, in string, args ...string) []string {
		t.Helper()
		r := env.call(t, in, append(args, "-o", "json")...)
		var results []addResult
		if err := json.Unmarshal([]byte(r.out), &results); err != nil || r.code != code {
			t.Fatalf("%v: %d, %q, %q: %v", args, r.code, r.out, r.err, err)
		}
		var got []string
		for _, one := range results {
			got = append(got, one.ID+" "+one.Status)
			if (one.Job == nil) == (one.Error == "") {
				t.Errorf("%s has job %v and error %q", one.ID, one.Job, one.Error)
			}
		}
		return got
	}
	got := statuses(1, docs, "job", "add", "-f", "-")
	if diff := cmp.Diff([]string{"one added", "two error", "three added"}, got); diff != "" {
		t.Error(diff)
	}
	again := strings.ReplaceAll(strings.Replace(docs, "0 3", "0 4", 1), "fly", "log")
	got = statuses(0, again, "job", "apply", "-f", "-")
	if diff := cmp.Diff([]string{"one unchanged", "two added", "three updated"}, got); diff != "" {
		t.Error(diff)
	}
	for _, id := range []string{"one", "two", "three"} {
		env.must(t, nil, "job", "remove", id)
	}
}

func testModify(t *testing.T, env environment) {
	env.must(t, nil, "job", "add", "--id", "m", "--task", "log", "--every", "1h", "--timeout", "5", "--retry", "3", "--label", "a=1", "--label", "b=2")
	const change = `{"timeout":null,"misfire_grace_time":"30s","max_instances":2,"labels":{"a":null,"c":"3"},"retry":{"backoff":{"initial":"2s"}},"args":{"message":"x"}}`
	r := env.call(t, change, "job", "modify", "m", "-f", "-", "-o", "json")
	var got document
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatalf("%v: %q", err, r.err)
	}
	want := document{
		"timeout": nil, "misfire_grace_time": "30s", "max_instances": 2.0, "labels": map[string]any{"b": "2", "c": "3"},
		"retry": map[string]any{"max_attempts": 3.0, "backoff": map[string]any{"initial": "2s"}}, "args": map[string]any{"message": "x"},
	}
	for field := range want {
		if diff := cmp.Diff(want[field], got[field]); diff != "" {
			t.Errorf("%s: %s", field, diff)
		}
	}
	env.must(t, &got, "job", "modify", "m", "--every", "30m", "--misfire-grace-time", "none")
	if got["misfire_grace_time"] != nil || got["trigger"].(map[string]any)["every"] != "30m" {
		t.Errorf("modified to %v", got)
	}
	env.must(t, nil, "job", "remove", "m")
}

func testRuns(t *testing.T, env environment) {
	ended := env.start(t, "events", "--follow", "--kind", "job_executed,job_error", "-o", "json")
	env.must(t, nil, "job", "add", "--id", "r", "--task", "log", "--every", "1h")
	var triggered, enqueued, repeated struct {
		RunID string `json:"run_id"`
	}
	env.must(t, &triggered, "job", "trigger", "r")
	env.must(t, &enqueued, "enqueue", "log", "--args", `{"message":"now"}`, "--idempotency-key", "k", "--executor", "mail")
	env.must(t, &repeated, "enqueue", "log", "--args", `{"message":"now"}`, "--idempotency-key", "k", "--executor", "mail")
	if enqueued != repeated || enqueued.RunID == "" {
		t.Errorf("the repeat of %q is %q", enqueued, repeated)
	}
	if id := triggered.RunID; id == "" {
		t.Error("job trigger printed no run id")
	}
	outstanding := map[string]bool{triggered.RunID: true, enqueued.RunID: true}
	for len(outstanding) > 0 {
		var e struct {
			RunID string `json:"run_id"`
			Event string `json:"event"`
		}
		if err := json.Unmarshal([]byte(ended.await(t, patient, `"run_id"`)), &e); err != nil {
			t.Fatal(err)
		}
		if e.Event != "job_executed" {
			t.Errorf("run %s ended as %s", e.RunID, e.Event)
		}
		delete(outstanding, e.RunID)
	}
	if r := ended.end(t); r.code != 0 || r.err != "" {
		t.Errorf("events --follow ended with %+v", r)
	}
	var rows []document
	env.must(t, &rows, "job", "history", "r", "--limit", "1")
	if len(rows) != 1 || rows[0]["run_id"] != triggered.RunID || rows[0]["outcome"] != "executed" || rows[0]["node"] != "n1" {
		t.Errorf("history of r: %v", rows)
	}
	keys := slices.Sorted(maps.Keys(rows[0]))
	if diff := cmp.Diff([]string{"attempt", "finished", "node", "outcome", "run_id", "scheduled_time", "started"}, keys); diff != "" {
		t.Error(diff)
	}
	env.must(t, &rows, "job", "history", "@log")
	if len(rows) != 1 || rows[0]["run_id"] != enqueued.RunID {
		t.Errorf("history of @log: %v", rows)
	}
	if r := env.call(t, "", "run", "list", "-o", "json"); r.out != "[]\n" || r.code != 0 {
		t.Errorf("run list: %+v", r)
	}
	if r := env.call(t, "", "job", "history", "@http", "-o", "json"); r.out != "[]\n" || r.code != 0 {
		t.Errorf("history of @http: %+v", r)
	}
	env.must(t, nil, "job", "remove", "r", "--cancel-running")
}

func testEvents(t *testing.T, env environment) {
	r := env.call(t, "", "events", "-o", "json", "--job", "r")
	var kinds []string
	for line := range strings.Lines(r.out) {
		var e document
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, e["event"].(string))
		if e["store"] != "default" || e["job_id"] != "r" || e["time"] == "" {
			t.Errorf("event %v", e)
		}
	}
	if diff := cmp.Diff([]string{"job_added", "job_submitted", "job_started", "job_executed", "job_removed"}, kinds); diff != "" {
		t.Error(diff)
	}
	r = env.call(t, "", "events", "-o", "json", "--job", "r", "--tail", "1")
	if strings.Count(r.out, "\n") != 1 || !strings.Contains(r.out, "job_removed") {
		t.Errorf("the last event is %q", r.out)
	}
}

func testCluster(t *testing.T, env environment, address string) {
	elected := env.start(t, "events", "--follow", "--kind", "leader_elected")
	elected.await(t, patient, "leader_elected")
	var s document
	env.must(t, &s, "cluster", "status")
	leader, _ := s["leader"].(map[string]any)
	if leader["node"] != "n1" || leader["term"].(float64) < 1 || s["cluster"] != "default" || s["paused"] != false {
		t.Errorf("status %v", s)
	}
	node := s["nodes"].([]any)[0].(map[string]any)
	if _, err := time.Parse(time.RFC3339, node["started"].(string)); err != nil {
		t.Error(err)
	}
	delete(node, "started")
	want := map[string]any{"name": "n1", "address": address, "executors": map[string]any{"default": 4.0, "mail": 2.0}, "leader": true}
	if diff := cmp.Diff(want, node); diff != "" {
		t.Errorf("node (-want +got):\n%s", diff)
	}
	env.must(t, nil, "cluster", "pause", "--reason", "test")
	env.must(t, &s, "cluster", "status")
	if s["paused"] != true {
		t.Error("it is not paused")
	}
	env.must(t, nil, "cluster", "resume")
	env.must(t, &s, "cluster", "status", "--cluster", "other")
	if s["leader"] != nil || len(s["nodes"].([]any)) != 0 {
		t.Errorf("status of a cluster without nodes: %v", s)
	}
	env.refused(t, 1, []string{"no leader"}, "", "cluster", "step-down", "--cluster", "other")
	env.must(t, nil, "cluster", "step-down")
	elected.await(t, patient, "leader_elected")
	for _, flag := range []string{"--ready", "--ready=false"} {
		if r := env.call(t, "", "health", "--address", address, flag); r.code != 0 {
			t.Errorf("health %s: %+v", flag, r)
		}
	}
}

func testGroups(t *testing.T, env environment) {
	two := []string{"--cluster", "two"}
	node := env.start(t, append([]string{"node", "--name", "g1", "--log-level", "off", "--groups", "2", "--partitions", "4"}, two...)...)
	node.await(t, patient, "ready name=g1")
	elected := env.start(t, append([]string{"events", "--follow", "--kind", "leader_elected"}, two...)...)
	for range 4 { // partitions
		elected.await(t, patient, "leader_elected", "group ")
	}
	var s status
	env.must(t, &s, append([]string{"cluster", "status"}, two...)...)
	if len(s.Groups) != 2 || s.Leader == nil || s.Groups[1].Leader == nil || *s.Groups[0].Leader != *s.Leader || *s.Groups[1].Leader == *s.Leader {
		t.Fatalf("status %+v", s)
	}
	for i, want := range [][]int{{0, 2}, {1, 3}} {
		if diff := cmp.Diff(want, s.Groups[i].Partitions); diff != "" || s.Groups[i].Group != i {
			t.Errorf("group %d is %+v", i, s.Groups[i])
		}
	}
	line := fmt.Sprintf("group 1: leader g1, term %d, partitions 1 3\n", s.Groups[1].Leader.Term)
	if r := env.call(t, "", append([]string{"cluster", "status"}, two...)...); !strings.Contains(r.out, "1 nodes, 2 groups\n") || !strings.Contains(r.out, line) {
		t.Errorf("status for people is %q, without %q", r.out, line)
	}
	env.refused(t, 1, []string{"no group 2", "0 to 1"}, "", append([]string{"cluster", "step-down", "--group", "2"}, two...)...)
	env.must(t, nil, append([]string{"cluster", "step-down", "--group", "1"}, two...)...)
	elected.await(t, patient, "leader_elected", "group 1")
	if r := node.end(t); r.code != 0 || r.err != "" {
		t.Errorf("the node ended with %+v", r)
	}
}

func testStores(t *testing.T, env environment) {
	var facts []storeReport
	env.must(t, &facts, "store", "check")
	if len(facts) != 1 || facts[0].Store != "default" || facts[0].Partitions != 1 || facts[0].Jobs != 0 || facts[0].Findings == nil || len(facts[0].Findings) > 0 {
		t.Errorf("store check: %+v", facts)
	}
	var adopted storeFacts
	env.must(t, &adopted, "store", "adopt", "--cluster", "second")
	env.must(t, nil, "store", "adopt", "--cluster", "second", "--store-name", "default")
	if adopted.UID == facts[0].UID || adopted.UID == "" {
		t.Errorf("adopted %+v", adopted)
	}
	url := "cellar=" + env["CARILLON_REDIS"]
	env.must(t, nil, "job", "list", "--store", url, "--store", "cellar")
	env.refused(t, 2, []string{"cellar", "URL"}, "", "store", "adopt", "--store-name", "cellar")
}

func testClosedTasks(t *testing.T, env environment) {
	ended := env.start(t, "events", "--follow", "--kind", "job_error", "-o", "json")
	env.must(t, nil, "enqueue", "shell", "--args", `{"argv":["true"]}`)
	ended.await(t, patient, "job_error", "@shell", "not allowed")
	env.must(t, nil, "enqueue", "http", "--args", `{"url":"http://127.0.0.1:1/"}`, "--retry", "5")
	ended.await(t, patient, "job_error", "@http")
	env.must(t, nil, "enqueue", "log", "--args", `{"massage":"x"}`)
	ended.await(t, patient, "job_error", "@log", "massage")
}

func testText(t *testing.T, env environment) {
	long := strings.Repeat("l", 200)
	env.must(t, nil, "job", "add", "--id", long, "--task", "log", "--cron", "0 3 * * mon")
	for _, args := range []string{"job list", "cluster status", "executor list", "events", "job history @shell", "run list", "store check", "version"} {
		r := env.call(t, "", strings.Split(args, " ")...)
		if r.code != 0 || r.out == "" || r.err != "" {
			t.Errorf("%s: %+v", args, r)
		}
		for line := range strings.Lines(r.out) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > columns {
				t.Errorf("%s: %d columns: %s", args, n, line)
			}
		}
	}
	r := env.call(t, "", "job", "get", long)
	if r.code != 0 || !strings.Contains(r.out, long) {
		t.Errorf("job get: %+v", r)
	}
}

func TestSecondSignalCancelsRuns(t *testing.T) {
	t.Parallel()
	env := startServers(t)
	node := env.start(t, "node", "--log-level", "off", "--allow-shell", "sleep", "--drain-timeout", "1m")
	node.await(t, patient, "ready")
	started := env.start(t, "events", "--follow", "--kind", "job_started")
	env.must(t, nil, "enqueue", "shell", "--args", `{"argv":["sleep","600"]}`)
	started.await(t, patient, "@shell")
	var runs []struct {
		RunID         string `json:"run_id"`
		JobID         string `json:"job_id"`
		ScheduledTime string `json:"scheduled_time"`
	}
	env.must(t, &runs, "run", "list")
	if len(runs) != 1 || runs[0].JobID != "@shell" || runs[0].RunID == "" || runs[0].ScheduledTime == "" {
		t.Errorf("run list: %+v", runs)
	}
	var second runID
	env.must(t, &second, "enqueue", "shell", "--args", `{"argv":["sleep","600"]}`)
	started.await(t, patient, "@shell")
	if r := env.call(t, "", "run", "cancel", second.RunID); r.out != "cancelling "+second.RunID+": the node that has it was told to end it\n" {
		t.Errorf("run cancel: %+v", r)
	}
	node.stop()
	node.hurry()
	if r := node.end(t); r.code != 0 {
		t.Errorf("the node ended with %+v", r)
	}
}
