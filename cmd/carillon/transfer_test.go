package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestListExportImport moves jobs from one store to another and looks for them.
func TestListExportImport(t *testing.T) {
	t.Parallel()
	env := startServers(t)
	node := env.start(t, "node", "--name", "n1", "--log-level", "off")
	node.await(t, patient, "ready")
	env.must(t, nil, "store", "adopt", "--cluster", "second", "--namespace", "second")
	second := environment{"CARILLON_ETCD": env["CARILLON_ETCD"], "CARILLON_REDIS": env["CARILLON_REDIS"], "CARILLON_CLUSTER": "second"}
	other := second.start(t, "node", "--name", "n2", "--log-level", "off")
	other.await(t, patient, "ready")

	env.must(t, nil, "job", "add", "--id", "a", "--task", "log", "--args", `{"message":"<&>"}`, "--cron", "0 3 * * mon", "--label", "team=x")
	env.must(t, nil, "job", "add", "--id", "b", "--task", "log", "--every", "90m", "--retry", "3", "--label", "team=x", "--label", "tier=1")
	env.must(t, nil, "job", "add", "--id", "c", "--task", "http", "--every", "1h", "--label", "team=y")
	env.must(t, nil, "job", "pause", "a", "--reason", "holiday")
	t.Run("list", func(t *testing.T) { testFilters(t, env) })
	t.Run("round trip", func(t *testing.T) { testRoundTrip(t, env, second) })
	t.Run("nothing of a file with a fault", func(t *testing.T) { testImportIsWhole(t, second) })
	for _, n := range []*background{node, other} {
		if r := n.end(t); r.code != 0 {
			t.Errorf("a node ended with %+v", r)
		}
	}
}

func testFilters(t *testing.T, env environment) {
	for args, want := range map[string]string{
		"":                              "c b a",
		"--label team=x":                "b a",
		"--label team=x --label tier=1": "b",
		"--label tier=":                 "",
		"--task http":                   "c",
		"--prefix b":                    "b",
		"--state paused":                "a",
		"--state active":                "c b",
		"--state parked":                "",
		"--limit 2":                     "a b",
		"--limit 2 --after b":           "c",
		"--after c":                     "",
		"--after a --state active":      "b c",
	} {
		var list []document
		env.must(t, &list, append([]string{"job", "list"}, strings.Fields(args)...)...)
		ids := []string{}
		for _, j := range list {
			ids = append(ids, j["id"].(string))
		}
		if got := strings.Join(ids, " "); got != want || list == nil {
			t.Errorf("job list %s: %q, want %q", args, got, want)
		}
	}
	for _, args := range []string{"", "--limit 1"} {
		r := env.call(t, "", append([]string{"job", "list"}, strings.Fields(args)...)...)
		if r.code != 0 || !strings.Contains(r.out, "\n  because holiday\n") {
			t.Errorf("job list %s: %+v", args, r)
		}
	}
	for args, word := range map[string]string{
		"--state gone": "gone", "--limit -1": "--limit", "--label team": "KEY=VALUE", "--label a=1 --label a=2": "both",
	} {
		nowhere.refused(t, 2, []string{word}, "", append([]string{"job", "list"}, strings.Fields(args)...)...)
	}
}

func testRoundTrip(t *testing.T, from, to environment) {
	first := from.call(t, "", "store", "export")
	if strings.Count(first.out, "\n") != 3 || first.code != 0 || strings.Count(first.out, "start_date") != 2 ||
		strings.Count(first.out, `"next_run_time":null`) != 1 || strings.Count(first.out, "next_run_time") != 1 {
		t.Fatalf("export: %+v", first)
	}
	r := to.call(t, first.out, "store", "import", "-", "-o", "json")
	if r.code != 0 || r.out != `{"imported":3}`+"\n" {
		t.Fatalf("import: %+v", r)
	}
	var before, after document
	from.must(t, &before, "job", "get", "b")
	to.must(t, &after, "job", "get", "b")
	if before["next_run_time"] != after["next_run_time"] {
		t.Errorf("the phase of an interval: next run %v, and %v when it is imported", before["next_run_time"], after["next_run_time"])
	}
	// Lists go by next run time; compared are sets of lines.
	lines := func(text string) map[string]bool {
		set := map[string]bool{}
		for line := range strings.Lines(text) {
			set[line] = true
		}
		return set
	}
	again := to.call(t, "", "store", "export")
	if diff := cmp.Diff(lines(first.out), lines(again.out)); diff != "" {
		t.Error(diff)
	}
	to.refused(t, 1, []string{"job 1", "job 3", "conflicting"}, first.out, "store", "import", "-")
	if r := to.call(t, first.out, "store", "import", "-", "--replace"); r.code != 0 || r.out != "imported 3 jobs\n" {
		t.Errorf("import again: %+v", r)
	}
}

func testImportIsWhole(t *testing.T, env environment) {
	const fine = `{"id":"new",` + everySecond + "}\n"
	env.refused(t, 1, []string{"job 2", `"odd"`, "unknown task"}, fine+`{"id":"odd","task":"fly","trigger":{"type":"interval","every":"1h"}}`, "store", "import", "-")
	env.refused(t, 1, []string{"job 2", "no time left"},
		fine+`{"id":"old","task":"log","trigger":{"type":"interval","hours":1,"start_date":"2019-01-01","end_date":"2020-01-01"}}`, "store", "import", "-")
	env.refused(t, 1, []string{"job 2", "given twice"}, fine+`{"id":"new","store":"cellar",`+everySecond+"}", "store", "import", "-", "--store", "default")
	env.refused(t, 2, []string{"document 1", "id"}, "{"+everySecond+"}", "store", "import", "-")
	env.refused(t, 1, []string{"not found"}, "", "job", "get", "new")
}
