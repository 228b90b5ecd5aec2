package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// nowhere is an address that refuses connections: whatever contacts it exits with 1.
var nowhere = environment{"CARILLON_ETCD": "http://127.0.0.1:1", "CARILLON_REDIS": "redis://127.0.0.1:1/0"}

const everySecond = `"task":"log","trigger":{"type":"interval","every":"1s"}`

func TestInputIsRefusedBeforeAnythingIsContacted(t *testing.T) {
	tests := []struct {
		name  string
		stdin string
		args  string
		words []string
	}{
		{"unknown command", "", "jobb list", []string{`did you mean "carillon job"`}},
		{"unknown subcommand", "", "job lst", []string{`did you mean "carillon job list"`}},
		{"nothing near", "", "frobnicate", []string{"unknown command", "cluster, completion, dev"}},
		{"no subcommand", "", "cluster", []string{"status", "step-down"}},
		{"unknown flag", "", "job list --nmespace x", []string{"--nmespace", "did you mean --namespace"}},
		{"flag without value", "", "job list --redis", []string{"--redis"}},
		{"flag of the wrong type", "", "next --count many", []string{"--count"}},
		{"remove all unasked", "", "job remove --all", []string{"--yes"}},
		{"remove all and one", "", "job remove --all x", []string{"not both"}},
		{"remove nothing", "", "job remove", []string{"ID is missing"}},
		{"missing argument", "", "job get", []string{"ID is missing"}},
		{"too many arguments", "", "job get a b", []string{`unexpected argument "b"`}},
		{"wrong output", "", "version -o yaml", []string{"--output", "yaml"}},
		{"wrong log level", "", "version --log-level loud", []string{"--log-level", "loud"}},
		{"redis URL", "", "job list --redis localhost:6379", []string{"redis URL"}},
		{"store without URL", "", "job list --store a=", []string{"redis URL"}},
		{"two stores selected", "", "job list --store a --store b", []string{`"a"`, `"b"`}},
		{"etcd URL", "", "cluster status --etcd localhost", []string{"--etcd", "localhost"}},
		{"no job", "", "job add", []string{"no job was given"}},
		{"two triggers", "", "job add --task log --every 1s --cron *", []string{"--every and --cron"}},
		{"no trigger", "", "job add --task log", []string{"trigger"}},
		{"wrong trigger", "", "job add --task log --every soon", []string{"every", "soon"}},
		{"impossible trigger", "", `job add --task log --trigger {"type":"cron","fields":{"month":2,"day":30}}`, []string{"never fires"}},
		{"args are no JSON", "", "job add --task log --every 1s --args {a", []string{"--args"}},
		{"wrong duration", "", "job add --task log --every 1s --timeout soon", []string{"--timeout"}},
		{"paused and not", "", "job add --task log --every 1s --paused --next-run-time 2030-01-01T00:00:00Z", []string{"--paused"}},
		{"wrong label", "", "job add --task log --every 1s --label a", []string{"--label"}},
		{"file and flags", "{}", "job add -f - --task log", []string{"not by both"}},
		{"no file", "", "job add -f does-not-exist.yaml", []string{"does-not-exist.yaml"}},
		{"empty document", " ", "job add -f -", []string{"no document"}},
		{"unknown field", `{` + everySecond + `,"colour":1}`, "job add -f -", []string{"colour"}},
		{"repeated field", `{` + everySecond + `,"task":"x"}`, "job add -f -", []string{"task", "twice"}},
		{"broken JSON", `{"task":`, "job add -f -", []string{"too early"}},
		{"broken YAML", "task: [", "job add -f -", []string{"YAML"}},
		{"one wrong of a list", `[{` + everySecond + `},{` + everySecond + `,"max_instances":-1}]`, "job apply -f -", []string{"document 2", "max_instances"}},
		{"id twice in a list", `[{"id":"a",` + everySecond + `},{"id":"a",` + everySecond + `}]`, "job add -f -", []string{"document 2", `"a"`}},
		{"nothing to modify", "", "job modify x", []string{"no field"}},
		{"modify by a wrong field", `{"tsak":"x"}`, "job modify x -f -", []string{"tsak"}},
		{"modify the id", `{"id":"y"}`, "job modify x -f -", []string{"id", "cannot be changed"}},
		{"modify the task away", `{"task":null}`, "job modify x -f -", []string{"task"}},
		{"modify a field twice", `{"timeout":1,"timeout":2}`, "job modify x -f -", []string{"timeout", "twice"}},
		{"wrong task", "", "enqueue two\twords", []string{"task"}},
		{"enqueue without attempts", "", "enqueue log --retry 0", []string{"--retry"}},
		{"history of a negative limit", "", "job history x --limit -1", []string{"--limit"}},
		{"unknown kind of event", "", "events --kind job_done", []string{"job_done"}},
		{"executor without number", "", "node --executor mail", []string{"--executor", "mail"}},
		{"executor of nothing", "", "node --executor mail=0", []string{"mail", "0"}},
		{"short lease", "", "node --lease-ttl 1s", []string{"lease"}},
		{"exports too often", "", "node --export-every 5s", []string{"export every 5s", "10s"}},
		{"node with a selected store", "", "node --store x", []string{"--store"}},
		{"wrong CIDR", "", "node --allow-http-to 10.0.0.0/99", []string{"--allow-http-to"}},
		{"no such program", "", "node --allow-shell /does/not/exist", []string{"--allow-shell"}},
		{"wrong default", "", "node --coalesce some", []string{"coalesce", "some"}},
		{"no nodes", "", "dev --nodes 0", []string{"--nodes"}},
		{"bench of what", "", "bench", []string{"enqueue, steady"}},
		{"bench of no runs", "", "bench enqueue --runs 0", []string{"--runs"}},
		{"bench of too many jobs", "", "bench burst --jobs 100001", []string{"--jobs"}},
		{"bench of no handlers", "", "bench burst --concurrency 0", []string{"--concurrency"}},
		{"bench of half a second", "", "bench steady --for 1500ms", []string{"--for", "whole seconds"}},
		{"bench of too many times", "", "bench steady --jobs 100000 --for 200s", []string{"--for", "due times"}},
		{"bench of a wrong URL", "", "bench enqueue --redis localhost:6379", []string{"redis URL"}},
		{"bench of a selected store", "", "bench enqueue --store x=redis://127.0.0.1:1 --store x", []string{"--store", "--redis"}},
		{"dev listens nowhere", "", "dev --listen nonsense", []string{"listen", "nonsense", "HOST:PORT"}},
		{"node listens nowhere", "", "node --listen nonsense", []string{"listen", "nonsense", "HOST:PORT"}},
		{"certificate without key", "", "cluster status --etcd-cert x", []string{"--etcd-cert and --etcd-key"}},
		{"health of nowhere", "", "health", []string{"--address"}},
		{"next of a wrong time", "", "next --every 1s --from noon", []string{"--from"}},
		{"next of too many", "", "next --every 1s --count 10001", []string{"--count"}},
		{"next of none", "", "next --every 1s --count 0", []string{"--count"}},
		{"next of nothing", "", "next", []string{"no trigger document"}},
		{"next of a list", "[1]", "next", []string{"trigger"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nowhere.refused(t, 2, tt.words, tt.stdin, strings.Split(tt.args, " ")...)
		})
	}
}

func TestWithoutAddressesItSaysHowToGiveThem(t *testing.T) {
	none := environment{}
	none.refused(t, 2, []string{"--redis", "CARILLON_REDIS"}, "", "job", "list")
	none.refused(t, 2, []string{"--etcd", "CARILLON_ETCD"}, "", "cluster", "status")
	none.refused(t, 2, []string{"--etcd"}, "", "node", "--redis", "redis://127.0.0.1:1")
}

func TestWhatDoesNotAnswerFailsWithOneLine(t *testing.T) {
	t.Parallel()
	nowhere.refused(t, 1, []string{"redis is unreachable", "127.0.0.1:1"}, "", "job", "list")
	nowhere.refused(t, 1, []string{"etcd is out of reach", "127.0.0.1:1"}, "", "cluster", "status")
	nowhere.refused(t, 1, []string{"127.0.0.1:1"}, "", "health", "--address", "127.0.0.1:1")
	nowhere.refused(t, 1, []string{"127.0.0.1:1"}, "", "node", "--log-level", "off")
}

func TestPasswordsAreNotRepeated(t *testing.T) {
	for _, url := range []string{"redis://:hunter2@127.0.0.1:1/x", "http://:hunter2@127.0.0.1:1", "redis://:hunter2@127.0.0.1:1"} {
		r := nowhere.call(t, "", "job", "list", "--redis", url)
		if r.code == 0 || strings.Contains(r.err, "hunter2") {
			t.Errorf("%s: %d, %q", url, r.code, r.err)
		}
	}
}

func TestFlagsWinOverTheEnvironmentOverTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "carillon.yaml")
	text := "redis: redis://file/0\ncluster: file\nnamespace: file\nlease_ttl: 7\netcd: [http://a:1, http://b:1]\nexecutor: {mail.out: 3, default: 8}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environment{"CARILLON_CLUSTER": "env", "CARILLON_NAMESPACE": "env", "CARILLON_CONFIG": file}
	a := &app{getenv: env.get}
	root := a.root()
	c, rest, err := root.Find([]string{"node", "--namespace", "flag"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Fatal(err)
	}
	if err := a.configure(c); err != nil {
		t.Fatal(err)
	}
	if a.redis != "redis://file/0" || a.cluster != "env" || a.namespace != "flag" || len(a.etcd) != 2 {
		t.Errorf("redis %q, cluster %q, namespace %q, etcd %q", a.redis, a.cluster, a.namespace, a.etcd)
	}
	for name, want := range map[string]string{"lease-ttl": "7s", "executor": "[default=8,mail.out=3]"} {
		if got := c.Flags().Lookup(name).Value.String(); got != want {
			t.Errorf("--%s is %s, want %s", name, got, want)
		}
	}
}

func TestConfigurationThatIsNotUnderstoodIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "carillon.yaml")
	for text, word := range map[string]string{"rediss: x": "rediss", "a: [": file, "lease_ttl: soon": "lease_ttl", "name: [a, b]": "name"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		nowhere.refused(t, 2, []string{word}, "", "node", "--config", file)
	}
	env := environment{"CARILLON_LEASE_TTL": "soon"}
	env.refused(t, 2, []string{"CARILLON_LEASE_TTL"}, "", "node")
}

func TestHelpFitsATerminal(t *testing.T) {
	a := &app{getenv: environment{}.get}
	var see func(c *cobra.Command)
	see = func(c *cobra.Command) {
		var b strings.Builder
		c.SetOut(&b)
		if err := c.Help(); err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns {
				t.Errorf("%s --help: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		for _, child := range c.Commands() {
			see(child)
		}
	}
	see(a.root())
	r := environment{}.call(t, "", "help")
	if r.code != 0 || !strings.Contains(r.out, "Jobs and runs:") {
		t.Errorf("help = %d, %s", r.code, r.out)
	}
}
