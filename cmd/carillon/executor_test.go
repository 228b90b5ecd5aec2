package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testExecutors(t *testing.T, env environment) {
	env.refused(t, 1, []string{"unknown executor", `"mial"`, "known are default, mail"}, "", "executor", "pause", "mial")
	env.refused(t, 2, []string{"NAME is missing"}, "", "executor", "pause")
	var done document
	env.must(t, &done, "executor", "pause", "mail", "--reason", "no relay")
	if diff := cmp.Diff(document{"executor": "mail", "paused": true}, done); diff != "" {
		t.Error(diff)
	}
	var run document
	env.must(t, &run, "enqueue", "log", "--args", `{"message":"hi"}`, "--executor", "mail")

	var list []document
	env.must(t, &list, "executor", "list")
	if _, err := time.Parse(time.RFC3339, list[1]["since"].(string)); err != nil {
		t.Error(err)
	}
	delete(list[1], "since")
	want := []document{
		{"store": "default", "name": "default", "paused": false, "backlog": 0.0, "running": 0.0},
		{"store": "default", "name": "mail", "paused": true, "reason": "no relay", "backlog": 1.0, "running": 0.0},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	if r := env.call(t, "", "executor", "list"); !strings.Contains(r.out, ": no relay") || !strings.Contains(r.out, "EXECUTOR") {
		t.Errorf("the list is %q", r.out)
	}
	var s document
	env.must(t, &s, "cluster", "status")
	held := s["paused_executors"].([]any)[0].(map[string]any)
	if held["name"] != "mail" || held["store"] != "default" || held["reason"] != "no relay" || s["paused"] != false {
		t.Errorf("status %v", s)
	}
	if r := env.call(t, "", "cluster", "status"); !strings.Contains(r.out, "executor mail of store default is paused since ") {
		t.Errorf("the status is %q", r.out)
	}

	ended := env.start(t, "events", "--follow", "--kind", "job_executed", "--kind", "executor_resumed", "-o", "json")
	env.must(t, nil, "executor", "resume", "mail")
	ended.await(t, patient, "executor_resumed", `"cause":"mail"`)
	ended.await(t, patient, "job_executed", run["run_id"].(string))
	env.must(t, &s, "cluster", "status")
	if len(s["paused_executors"].([]any)) != 0 {
		t.Errorf("status %v", s)
	}
}
