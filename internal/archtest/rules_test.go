package archtest_test

import (
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/carillon-project/carillon/internal/archtest"
)

// house is a small tree that holds every rule. A case changes one thing in it.
func house() map[string]string {
	return map[string]string{
		"carillon.go":                   imports("house", "m/scheduler", "m/executor", "m/cluster"),
		"job/job.go":                    imports("job", "encoding/json"),
		"trigger/trigger.go":            imports("trigger"),
		"trigger/trigger_test.go":       imports("trigger_test", "m/trigger"),
		"store/store.go":                imports("store", "m/job", "github.com/redis/go-redis/v9"),
		"store/storetest/storetest.go":  imports("storetest", "m/store"),
		"scheduler/scheduler.go":        imports("scheduler", "m/store", "m/trigger"),
		"executor/executor.go":          imports("executor", "m/store", "m/executor/shell"),
		"executor/shell/shell.go":       imports("shell"),
		"cluster/cluster.go":            imports("cluster", "go.etcd.io/etcd/client/v3"),
		"api/api.go":                    imports("api", "m"),
		"web/web.go":                    imports("web", "m"),
		"cmd/house/main.go":             imports("main", "m/api", "m/web", "m", "m/internal/devstack", "github.com/spf13/cobra"),
		"internal/devstack/devstack.go": imports("devstack", "go.etcd.io/etcd/server/v3/embed", "github.com/alicebob/miniredis/v2"),
		"test/store/store_test.go":      imports("store_test", "m/internal/devstack", "m/store", "time") + "func f() { time.Sleep(1) }\n",
		"store/bubble_test.go":          imports("store_test", "testing/synctest", "time") + "func f() { time.Sleep(1) }\n",
		"examples/hello/main.go":        imports("main", "m"),
		"bench/go.mod":                  "module m/bench\n",
		"bench/bench.go":                imports("bench", "m/test"),
		"job/testdata/x.go":             "not Go",
	}
}

// imports is a file of package name that imports paths; m stands for the module.
func imports(name string, paths ...string) string {
	var b strings.Builder
	b.WriteString("package " + name + "\n")
	for _, p := range paths {
		if p == "m" || strings.HasPrefix(p, "m/") {
			p = module + strings.TrimPrefix(p, "m")
		}
		b.WriteString("import _ \"" + p + "\"\n")
	}
	return b.String()
}

// check builds the tree, with a doc.go for every package that has none, and checks it.
func check(t *testing.T, files map[string]string) []string {
	t.Helper()
	tree := fstest.MapFS{}
	for name, source := range files {
		if source == "" {
			continue
		}
		doc := path.Join(path.Dir(name), "doc.go")
		if _, given := files[doc]; !given && !strings.HasSuffix(name, "_test.go") && path.Base(path.Dir(name)) != "testdata" {
			first, _, _ := strings.Cut(source, "\n")
			tree[doc] = &fstest.MapFile{Data: []byte("// Package says something.\n" + first + "\n")}
		}
		tree[name] = &fstest.MapFile{Data: []byte(source)}
	}
	loaded, err := archtest.Load(tree, module)
	if err != nil {
		t.Fatal(err)
	}
	return archtest.Check(loaded)
}

func TestHouseIsInOrder(t *testing.T) {
	if faults := check(t, house()); len(faults) > 0 {
		t.Errorf("faults:\n%s", strings.Join(faults, "\n"))
	}
}

func TestBrokenRulesAreReported(t *testing.T) {
	sleeping := "package x_test\nimport %s\"time\"\nfunc f() { %s.Sleep(1) }\n"
	sleep := func(alias, name string) string {
		return strings.Replace(strings.Replace(sleeping, "%s", alias, 1), "%s", name, 1)
	}
	tests := []struct{ name, file, source, want string }{
		{"upward", "store/up.go", imports("store", "m/scheduler"), "store/up.go: store must not import scheduler"},
		{"into the root", "cluster/up.go", imports("cluster", "m"), "cluster must not import ."},
		{"sideways", "scheduler/side.go", imports("scheduler", "m/cluster"), "scheduler must not import cluster"},
		{"sideways from beneath", "executor/shell/side.go", imports("shell", "m/cluster"), "executor must not import cluster"},
		{"sideways in a test", "scheduler/s_test.go", imports("scheduler_test", "m/executor"), "scheduler must not import executor"},
		{"job to trigger", "job/side.go", imports("job", "m/trigger"), "job must not import trigger"},
		{"trigger to job", "trigger/side.go", imports("trigger", "m/job"), "trigger must not import job"},
		{"api to web", "api/side.go", imports("api", "m/web"), "api must not import web"},
		{"root to cmd", "up.go", imports("house", "m/cmd/house"), ". must not import cmd"},
		{"into the tests", "store/up.go", imports("store", "m/test/store"), "store must not import test"},
		{"internal to ours", "internal/devstack/up.go", imports("devstack", "m/store"), "internal must not import store"},
		{"command line in the library", "config.go", imports("house", "github.com/spf13/cobra"), "config.go: reaches github.com/spf13/cobra"},
		{"configuration in the library", "config.go", imports("house", "github.com/knadh/koanf/v2"), "reaches github.com/knadh/koanf/v2"},
		{"etcd server", "cluster/c_test.go", imports("cluster_test", "go.etcd.io/etcd/server/v3/embed"), "cluster/c_test.go: reaches"},
		{"fake Redis in a test", "store/s_test.go", imports("store_test", "github.com/alicebob/miniredis/v2"), "store/s_test.go: reaches"},
		{"stack in a test", "executor/e_test.go", imports("executor_test", "m/internal/devstack"), "executor/e_test.go: reaches"},
		{"by way of another package", "store/storetest/rig.go", imports("storetest", "m/internal/devstack"),
			"store/storetest/rig.go: reaches " + module + "/internal/devstack"},
		{"no doc.go", "job/doc.go", "", "job: no doc.go"},
		{"doc.go without comment", "job/doc.go", "package job\n", "job/doc.go: no package comment"},
		{"comment of a licence only", "job/doc.go", "// A licence.\n\npackage job\n", "job/doc.go: no package comment"},
		{"long file", "job/long.go", "package job\n" + strings.Repeat("\n", 500), "job/long.go: 501 lines"},
		{"sleep", "job/j_test.go", sleep("", "time"), "job/j_test.go:3: time.Sleep"},
		{"sleep by another name", "cluster/c_test.go", sleep("clock ", "clock"), "cluster/c_test.go:3: time.Sleep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := house()
			files[tt.file] = tt.source
			for _, fault := range check(t, files) {
				if strings.Contains(fault, tt.want) {
					return
				}
			}
			t.Errorf("no fault with %q", tt.want)
		})
	}
}

func TestReachTellsTheWay(t *testing.T) {
	files := house()
	files["scheduler/s_test.go"] = imports("scheduler_test", "m/store/storetest")
	files["store/storetest/rig.go"] = imports("storetest", "m/internal/devstack")
	want := "scheduler/s_test.go: reaches " + module + "/store/storetest -> " + module + "/internal/devstack"
	for _, fault := range check(t, files) {
		if strings.HasPrefix(fault, want) {
			return
		}
	}
	t.Errorf("no fault begins with %q", want)
}

func TestFileThatIsNotGoIsAnError(t *testing.T) {
	_, err := archtest.Load(fstest.MapFS{"x.go": {Data: []byte("not Go")}}, module)
	if err == nil || !strings.Contains(err.Error(), "x.go") {
		t.Errorf("Load = %v, want an error that names x.go", err)
	}
}
