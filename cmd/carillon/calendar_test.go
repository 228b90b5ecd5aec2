package main

import (
	"os"
	"strings"
	"testing"
)

const (
	closedToday = `{"exclude":[{"from":"2000-01-01","to":"2099-12-31"}]}`
	closedOnce  = `{"exclude":["2030-12-25"]}`
)

// TestCalendarCommands keeps calendars, has jobs refer to them, and moves both to another store.
func TestCalendarCommands(t *testing.T) {
	t.Parallel()
	env := startServers(t)
	node := env.start(t, "node", "--name", "n1", "--log-level", "off")
	node.await(t, patient, "ready")
	env.must(t, nil, "store", "adopt", "--cluster", "second", "--namespace", "second")
	second := environment{"CARILLON_ETCD": env["CARILLON_ETCD"], "CARILLON_REDIS": env["CARILLON_REDIS"], "CARILLON_CLUSTER": "second"}
	other := second.start(t, "node", "--name", "n2", "--log-level", "off")
	other.await(t, patient, "ready")

	daily := `{"id":"j","task":"log","trigger":{"type":"cron","expr":"0 9 * * *","exclude":[{"calendar":"holidays"}]}}`
	env.refused(t, 1, []string{"calendar not found", `"holidays"`}, daily, "job", "add", "-f", "-")
	r := env.call(t, "exclude:\n- 2030-12-25\n", "calendar", "add", "holidays", "-o", "json")
	if want := `{"name":"holidays","store":"default","document":` + closedOnce + "}\n"; r.code != 0 || r.out != want {
		t.Errorf("calendar add: %+v, want %s", r, want)
	}
	if r = env.call(t, daily, "job", "add", "-f", "-"); r.code != 0 {
		t.Fatalf("job add: %+v", r)
	}
	var got usedCalendar
	env.must(t, &got, "calendar", "get", "holidays")
	if string(got.Document) != closedOnce || strings.Join(got.Jobs, " ") != "j" {
		t.Errorf("calendar get: %+v", got)
	}
	env.refused(t, 1, []string{"in use", "jobs j;"}, "", "calendar", "remove", "holidays")
	env.refused(t, 1, []string{"calendar not found"}, "", "calendar", "remove", "nobody")
	env.refused(t, 1, []string{"calendar not found"}, "", "calendar", "get", "nobody")
	t.Run("a store moves with its calendars", func(t *testing.T) { testCalendarsMove(t, env, second) })

	env.must(t, nil, "job", "remove", "j")
	env.must(t, nil, "calendar", "remove", "holidays")
	if r = env.call(t, "", "calendar", "list", "-o", "json"); r.out != "[]\n" {
		t.Errorf("calendar list: %+v", r)
	}
	for _, n := range []*background{node, other} {
		if r := n.end(t); r.code != 0 {
			t.Errorf("a node ended with %+v", r)
		}
	}
}

func testCalendarsMove(t *testing.T, from, to environment) {
	all := from.call(t, "", "store", "export").out
	if !strings.HasPrefix(all, `{"calendar":{"name":"holidays","store":"default",`) || strings.Count(all, "\n") != 2 {
		t.Fatalf("export: %s", all)
	}
	for range 2 { // the second finds it as it is
		if r := to.call(t, all, "store", "import", "-", "--replace"); r.code != 0 {
			t.Fatalf("import: %+v", r)
		}
	}
	if again := to.call(t, "", "store", "export").out; again != all {
		t.Errorf("export of what was imported: %s, want %s", again, all)
	}
	if r := to.call(t, closedToday, "calendar", "add", "holidays"); r.code != 0 || r.out != "calendar holidays is kept in store default\n" {
		t.Errorf("calendar add: %+v", r)
	}
	to.refused(t, 1, []string{"conflicting calendar", "holidays"}, all, "store", "import", "-")
	if r := to.call(t, all, "store", "import", "-", "--replace"); r.code != 0 {
		t.Errorf("import with --replace: %+v", r)
	}
	if r := to.call(t, "", "calendar", "list"); !strings.Contains(r.out, closedOnce) {
		t.Errorf("calendar list: %+v", r)
	}
	to.refused(t, 2, []string{"line 1", "invalid calendar"}, `{"calendar":{"name":"c","document":{}}}`, "store", "import", "-")
}

func TestCalendarIsRefusedBeforeContact(t *testing.T) {
	t.Parallel()
	env := environment{"CARILLON_REDIS": "redis://127.0.0.1:1"}
	for name, c := range map[string]struct {
		stdin string
		args  []string
		words []string
	}{
		"no document":  {"", []string{"add", "c"}, []string{"no calendar document", "exclude"}},
		"not one":      {`{"exclude":["soon"]}`, []string{"add", "c"}, []string{"invalid calendar", "soon"}},
		"a bad name":   {closedOnce, []string{"add", "a b"}, []string{"name", "space"}},
		"no name":      {"", []string{"remove"}, []string{"NAME is missing"}},
		"a misspelled": {closedOnce, []string{"add", "c", "--fil", "x"}, []string{"--file"}},
	} {
		t.Run(name, func(t *testing.T) { env.refused(t, 2, c.words, c.stdin, append([]string{"calendar"}, c.args...)...) })
	}
	env.refused(t, 1, []string{"unreachable"}, closedOnce, "calendar", "add", "c")
}

func TestNextWithCalendars(t *testing.T) {
	t.Parallel()
	doc := `{"type":"cron","expr":"0 9 * * *","exclude":[{"calendar":"holidays"}]}`
	file := t.TempDir() + "/calendars.yaml"
	keep := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep("holidays:\n  exclude: ['2030-12-25']\n")
	r := environment{}.call(t, doc, "next", "--calendars", file, "--from", "2030-12-24T00:00:00Z", "--count", "2")
	if want := `{"times":["2030-12-24T09:00:00Z","2030-12-26T09:00:00Z"]}` + "\n"; r.out != want {
		t.Errorf("next: %+v, want %s", r, want)
	}
	nowhere.refused(t, 2, []string{`calendar "holidays"`, "--calendars"}, doc, "next")
	keep("- holidays\n")
	nowhere.refused(t, 2, []string{"--calendars", "object"}, doc, "next", "--calendars", file)
}
