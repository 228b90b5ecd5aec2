package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// folder writes files, by their names, into a folder of the test.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// hourly is the document of a job, with further fields.
func hourly(id, more string) string {
	return `{"id":"` + id + `","task":"log","trigger":{"type":"interval","every":"1h"}` + more + "}\n"
}

func TestApply(t *testing.T) {
	t.Parallel()
	env := startServers(t)
	node := env.start(t, "node", "--name", "n1", "--log-level", "off")
	node.await(t, patient, "ready")

	t.Run("folder", func(t *testing.T) { testApplyFolder(t, env) })
	t.Run("what is unchanged is not written", func(t *testing.T) { testApplyUnchanged(t, env) })
	t.Run("prune", func(t *testing.T) { testApplyPrune(t, env) })
	t.Run("sets", func(t *testing.T) { testApplySets(t, env) })
	t.Run("nothing of a set with a fault", func(t *testing.T) { testApplyIsWhole(t, env) })
	t.Run("one document", func(t *testing.T) { testApplyOne(t, env) })
	t.Run("text fits", func(t *testing.T) { testApplyText(t, env) })
	if r := node.end(t); r.code != 0 || r.err != "" {
		t.Errorf("the node ended with %+v", r)
	}
}

// applied runs an apply that succeeds and returns "id status field,field" of each job.
func applied(t *testing.T, env environment, args ...string) []string {
	t.Helper()
	var results []applyResult
	env.must(t, &results, append([]string{"job", "apply"}, args...)...)
	got := []string{}
	for _, r := range results {
		text := r.ID + " " + r.Status
		for i, f := range r.Changes {
			text += []string{" ", ","}[min(i, 1)] + f.Field
		}
		got = append(got, text)
	}
	return got
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func testApplyFolder(t *testing.T, env environment) {
	dir := folder(t, map[string]string{
		"b.yml": "id: b\ntask: log\ntrigger: {type: cron, expr: 0 3 * * *}\n", "a.json": hourly("a", "") + hourly("a2", ""),
		"more/c.yaml":    "- id: c\n  task: log\n  trigger: {type: interval, every: 1h}\n",
		".hidden/x.json": "{", ".x.json": "{", "read.me": "{",
	})
	want(t, applied(t, env, "-f", dir, "--dry-run"), "a added", "a2 added", "b added", "c added")
	env.refused(t, 1, []string{"not found"}, "", "job", "get", "a")
	want(t, applied(t, env, "-f", dir), "a added", "a2 added", "b added", "c added")
	single := filepath.Join(dir, "b.yml")
	if err := os.WriteFile(single, []byte("id: b\ntask: log\ntimeout: 5s\ntrigger: {type: cron, expr: 0 4 * * *}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var results []applyResult
	env.must(t, &results, "job", "apply", "-f", single, filepath.Join(dir, "a.json"), "--dry-run")
	text, err := json.Marshal(results[0].Changes)
	if err != nil {
		t.Fatal(err)
	}
	const change = `[{"field":"timeout","new":"5s"},{"field":"trigger.expr","old":"0 3 * * *","new":"0 4 * * *"}]`
	if diff := cmp.Diff(change, string(text)); diff != "" || len(results) != 3 {
		t.Errorf("%d results; %s", len(results), diff)
	}
	want(t, applied(t, env, "-f", dir), "a unchanged", "a2 unchanged", "b updated timeout,trigger.expr", "c unchanged")
	want(t, applied(t, env, "-f", t.TempDir(), "--prune", "--allow-empty", "--yes"), "a removed", "a2 removed", "b removed", "c removed")
}

func testApplyUnchanged(t *testing.T, env environment) {
	dir := folder(t, map[string]string{"j.json": hourly("still", "") + hourly("moved", "")})
	applied(t, env, "-f", dir)
	env.must(t, nil, "job", "pause", "still")
	env.must(t, nil, "job", "pause", "moved", "--reason", "under repair")
	var before, after []document
	env.must(t, &before, "job", "list")
	changed := folder(t, map[string]string{"j.json": hourly("still", `,"next_run_time":"2100-01-01T00:00:00Z"`) + hourly("moved", `,"max_instances":3,"next_run_time":"2100-01-01T00:00:00Z"`)})
	want(t, applied(t, env, "-f", changed), "still unchanged", "moved updated max_instances")
	env.must(t, &after, "job", "list", "--state", "paused")
	for i := range after {
		if after[i]["id"] == "moved" {
			after[i]["max_instances"] = 1.0
		}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if r := env.call(t, "", "events", "-o", "json", "--job", "still", "--kind", "job_modified"); r.out != "" {
		t.Errorf("the unchanged job was written: %s", r.out)
	}
	if r := env.call(t, "", "events", "--job", "moved", "--kind", "job_modified"); !strings.Contains(r.out, "applied") {
		t.Errorf("the changed job was not written: %+v", r)
	}
	applied(t, env, "-f", t.TempDir(), "--prune", "--allow-empty", "--yes")
}

func testApplyPrune(t *testing.T, env environment) {
	env.must(t, nil, "job", "add", "--id", "by-hand", "--task", "log", "--every", "1h")
	two, one := folder(t, map[string]string{"j.json": hourly("p1", "") + hourly("p2", "")}), folder(t, map[string]string{"j.json": hourly("p1", "")})
	applied(t, env, "-f", two)
	want(t, applied(t, env, "-f", one), "p1 unchanged")
	want(t, applied(t, env, "-f", one, "--prune", "--dry-run"), "p1 unchanged", "p2 removed")
	for _, args := range [][]string{{}, {"-o", "json"}} {
		r := env.call(t, "y\n", append([]string{"job", "apply", "-f", one, "--prune"}, args...)...)
		if r.code != 1 || !strings.Contains(r.err, "--yes") || !strings.Contains(r.err, "nothing was written") {
			t.Errorf("a removal that nobody confirmed: %+v", r)
		}
	}
	env.must(t, nil, "job", "get", "p2")
	env.refused(t, 2, []string{"--allow-empty"}, "", "job", "apply", "-f", t.TempDir(), "--prune", "--yes")
	want(t, applied(t, env, "-f", one, "--prune", "--yes"), "p1 unchanged", "p2 removed")
	want(t, applied(t, env, "-f", t.TempDir(), "--prune", "--yes", "--allow-empty"), "p1 removed")
	env.must(t, nil, "job", "remove", "by-hand")
}

func testApplySets(t *testing.T, env environment) {
	env.must(t, nil, "job", "add", "--id", "mine", "--task", "log", "--every", "1h")
	mine, theirs := folder(t, map[string]string{"j.json": hourly("mine", "") + hourly("shared", "")}), folder(t, map[string]string{"j.json": hourly("theirs", "")})
	want(t, applied(t, env, "-f", mine, "--set", "a"), "mine unchanged", "shared added")
	want(t, applied(t, env, "-f", theirs, "--set", "b", "--prune"), "theirs added")
	env.refused(t, 1, []string{`"shared"`, `belongs to "a"`}, "", "job", "apply", "-f", mine, "--set", "b")
	want(t, applied(t, env, "-f", t.TempDir(), "--set", "a", "--prune", "--allow-empty", "--dry-run"), "shared removed")
	want(t, applied(t, env, "-f", mine, "--set", "b", "--adopt"), "mine updated labels.carillon.managed-by", "shared updated labels.carillon.managed-by")
	want(t, applied(t, env, "-f", t.TempDir(), "--set", "a", "--prune", "--allow-empty", "--yes"))
	want(t, applied(t, env, "-f", t.TempDir(), "--set", "b", "--prune", "--allow-empty", "--yes"), "mine removed", "shared removed", "theirs removed")
	env.refused(t, 1, []string{"leave the label out"}, hourly("x", `,"labels":{"carillon.managed-by":"a"}`), "job", "apply", "-f", "-")
}

func testApplyIsWhole(t *testing.T, env environment) {
	odd := folder(t, map[string]string{"a.json": hourly("fine", ""), "b.json": `{"id":"odd","task":"fly","trigger":{"type":"interval","every":"1h"}}`})
	env.refused(t, 1, []string{`"odd"`, "unknown task"}, "", "job", "apply", "-f", odd)
	env.refused(t, 1, []string{"not found"}, "", "job", "get", "fine")
	const past = `{"id":"past","task":"log","trigger":{"type":"date","run_date":"2020-01-01"}}`
	want(t, applied(t, env, "-f", folder(t, map[string]string{"a.json": "[" + past + "]"})), "past ended")
	env.refused(t, 1, []string{"not found"}, "", "job", "get", "past")
}

func testApplyOne(t *testing.T, env environment) {
	for _, args := range []string{"-f " + filepath.Join(folder(t, map[string]string{"j.json": hourly("one", "")}), "j.json"), "--id one --task log --every 1h"} {
		var got document
		env.must(t, &got, append([]string{"job", "apply"}, strings.Fields(args)...)...)
		if got["id"] != "one" || got["next_run_time"] == nil {
			t.Errorf("apply %s answers %v", args, got)
		}
	}
	env.must(t, nil, "job", "remove", "one")
}

func testApplyText(t *testing.T, env environment) {
	long := strings.Repeat("l", 200)
	texts := func(end string) string {
		return folder(t, map[string]string{"j.json": hourly(long, `,"store":"default","args":{"message":"`+long+end+`"}`) + hourly("short", "")})
	}
	r := env.call(t, "", "job", "apply", "-f", texts("a"))
	if r.code != 0 || !strings.HasPrefix(r.out, "+ lll") || !strings.HasSuffix(r.out, "2 to add, 0 to change, 0 to remove, 0 unchanged\n2 added, 0 changed, 0 removed\n") {
		t.Errorf("%+v", r)
	}
	env.must(t, nil, "job", "modify", "short", "--timeout", "5")
	r = env.call(t, "", "job", "apply", "-f", texts("b"), "--dry-run")
	for _, line := range []string{"    timeout: \"5s\" -> none\n", "    args.message:\n      - …", "la\"\n", "lb\"\n", "0 to add, 2 to change, 0 to remove, 0 unchanged\n"} {
		if !strings.Contains(r.out, line) {
			t.Errorf("no %q in\n%s", line, r.out)
		}
	}
	for line := range strings.Lines(r.out) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	applied(t, env, "-f", texts("b"))
	if r = env.call(t, "", "job", "apply", "-f", texts("b")); r.out != "0 to add, 0 to change, 0 to remove, 2 unchanged\n" {
		t.Errorf("%+v", r)
	}
}

func TestApplyRefusesBeforeAnythingIsContacted(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		words []string
	}{
		{"id in two files", map[string]string{"a.json": hourly("x", ""), "b.json": hourly("x", "")}, []string{"a.json", "b.json", `"x"`}},
		{"faults of all files", map[string]string{"a.json": `{"id":`, "b.yaml": "id: b\ntask: [\n", "c.json": hourly("c", "") + hourly("d", `,"max_runs":-1`)},
			[]string{"a.json", "ends too early", "b.yaml", "YAML", "c.json", "document 2, line 2", "max_runs"}},
		{"no id", map[string]string{"a.json": "[\n{" + everySecond + "}]"}, []string{"a.json", "document 1, line 2", "id"}},
		{"no document", map[string]string{"a.yaml": "# none\n"}, []string{"a.yaml", "no document"}},
		{"nothing", nil, []string{"no job was found"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nowhere.refused(t, 2, tt.words, "", "job", "apply", "-f", folder(t, tt.files))
		})
	}
	nowhere.refused(t, 2, []string{"--prune", "-f"}, "", "job", "apply", "--prune", "--id", "x", "--task", "log", "--every", "1h")
	nowhere.refused(t, 2, []string{"--id"}, "", "job", "apply", "--task", "log", "--every", "1h")
	nowhere.refused(t, 2, []string{"2 times"}, "", "job", "apply", "-f", "-", "-f", "-")
	nowhere.refused(t, 2, []string{"not by both"}, "{}", "job", "apply", "-f", "-", "--task", "log")
	nowhere.refused(t, 2, []string{"--set"}, hourly("x", ""), "job", "apply", "-f", "-", "--set", "a b")
	nowhere.refused(t, 2, []string{"does-not-exist"}, "", "job", "apply", "-f", "does-not-exist")
}
