package carillon_test

import (
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
)

func TestConfigValidate(t *testing.T) {
	good := carillon.Config{Etcd: []string{"http://localhost:2379"}, Redis: "redis://localhost:6379/0"}
	if err := good.Validate(); err != nil {
		t.Fatalf("the least configuration is refused: %v", err)
	}
	for _, c := range []struct {
		name   string
		change func(*carillon.Config)
		says   []string // every fault; none = accepted
	}{
		{"nothing", func(c *carillon.Config) { *c = carillon.Config{} }, []string{"etcd: no endpoint", "redis: no store"}},
		{"only a named store", func(c *carillon.Config) { c.Redis, c.Stores = "", map[string]string{"redis": "redis://localhost/2"} }, nil},
		{"default store twice, alike", func(c *carillon.Config) { c.Stores = map[string]string{"default": c.Redis} }, nil},
		{"default store twice, apart", func(c *carillon.Config) { c.Stores = map[string]string{"default": "redis://elsewhere"} }, []string{"store default: has two URLs"}},
		{"store without a name", func(c *carillon.Config) { c.Stores = map[string]string{"": "redis://localhost"} }, []string{"store: is missing"}},
		{"store with a space", func(c *carillon.Config) { c.Stores = map[string]string{"a b": "redis://localhost"} }, []string{`store: "a b"`}},
		{"name with a space", func(c *carillon.Config) { c.Name = "a b" }, []string{`name: "a b"`}},
		{"executor of nothing", func(c *carillon.Config) { c.Executors = map[string]int{"x": 0} }, []string{"executor x: concurrency 0"}},
		{"executor too large", func(c *carillon.Config) { c.Executors = map[string]int{"x": 100_001} }, []string{"executor x: concurrency 100001"}},
		{"executor at its limits", func(c *carillon.Config) { c.Executors = map[string]int{"x": 1, "y": 100_000} }, nil},
		{"executor without a name", func(c *carillon.Config) { c.Executors = map[string]int{"": 1} }, []string{"executor: is missing"}},
		{"listen on any port", func(c *carillon.Config) { c.Listen = "[::1]:0" }, nil},
		{"listen without a port", func(c *carillon.Config) { c.Listen = "localhost" }, []string{`listen: "localhost" is not HOST:PORT`}},
		{"listen on a port that cannot be", func(c *carillon.Config) { c.Listen = "127.0.0.1:70000" }, []string{"listen: "}},
		{"lease TTL too short", func(c *carillon.Config) { c.LeaseTTL = 2*time.Second - 1 }, []string{"lease TTL 1.999999999s must be at least 2s"}},
		{"lease TTL at its limit", func(c *carillon.Config) { c.LeaseTTL = 2 * time.Second }, nil},
		{"run lease too short", func(c *carillon.Config) { c.RunLease = 999 * time.Millisecond }, []string{"run lease 999ms must be at least 1s"}},
		{"run lease negative", func(c *carillon.Config) { c.RunLease = -time.Second }, []string{"run lease -1s"}},
		{"drain timeout negative", func(c *carillon.Config) { c.DrainTimeout = -1 }, []string{"drain timeout -1ns"}},
		{"exports too often", func(c *carillon.Config) { c.ExportEvery = 10*time.Second - 1 }, []string{"export every 9.999999999s must be at least 10s"}},
		{"exports at their limits", func(c *carillon.Config) { c.ExportEvery, c.ExportKeep = 10*time.Second, 1 }, nil},
		{"exports negative", func(c *carillon.Config) { c.ExportKeep = -1 }, []string{"export keep -1"}},
		{"defaults", func(c *carillon.Config) { c.Defaults.MaxInstances = -1 }, []string{"defaults: ", "max_instances: -1"}},
		{"defaults that are no words", func(c *carillon.Config) { c.Defaults.Coalesce = "often" }, []string{"defaults: ", "coalesce"}},
		{"good defaults", func(c *carillon.Config) {
			c.Defaults = carillon.Options{Coalesce: carillon.CoalesceAll, MaxInstances: 8, MisfireGraceTime: carillon.Grace(30 * time.Second)}
		}, nil},
		{"several faults at once", func(c *carillon.Config) {
			c.Etcd, c.LeaseTTL, c.Executors = nil, 1, map[string]int{"x": -1}
		}, []string{"etcd: no endpoint", "lease TTL 1ns", "executor x: concurrency -1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			err := cfg.Validate()
			if (err == nil) != (len(c.says) == 0) {
				t.Fatalf("validate gave %v", err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if _, made := carillon.NewNode(cfg); (made == nil) != (err == nil) {
				t.Errorf("NewNode gave %v", made)
			}
		})
	}
}

func TestNamesOfNodes(t *testing.T) {
	cfg := carillon.Config{Etcd: []string{"http://localhost:2379"}, Redis: "redis://localhost:6379/0"}
	names := map[string]bool{}
	for range 3 {
		node, err := carillon.NewNode(cfg)
		if err != nil {
			t.Fatal(err)
		}
		names[node.Name()] = true
	}
	if len(names) != 3 {
		t.Errorf("three nodes without a name are called %v", names)
	}
	cfg.Name = "given"
	node, err := carillon.NewNode(cfg)
	if err != nil || node.Name() != "given" {
		t.Errorf("node is %v, %v", node, err)
	}
}

func TestArgs(t *testing.T) {
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"list", []string{"a"}, `["a"]`},
		{"nil", nil, `null`},
		{"what JSON cannot hold", func() {}, `null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(carillon.Args(c.v)); got != c.want {
				t.Errorf("args are %s, want %s", got, c.want)
			}
		})
	}
}
