package executor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func valid() executor.Config {
	return executor.Config{
		Name: "default", Concurrency: 1, Stores: []*store.Store{{}}, Node: "n", Boot: "b",
		Handler: func(string) (executor.Handler, bool) {
			return func(context.Context, job.Run) (any, error) { return nil, nil }, true
		},
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		adjust func(*executor.Config)
		want   []string // parts of the error; none = valid
	}{
		{name: "valid", adjust: func(*executor.Config) {}},
		{name: "shortest lease", adjust: func(c *executor.Config) { c.Lease = time.Second }},
		{name: "lease", adjust: func(c *executor.Config) { c.Lease = time.Second - 1 }, want: []string{"lease: 999.999999ms must be at least 1s"}},
		{name: "grace", adjust: func(c *executor.Config) { c.Grace = -1 }, want: []string{"grace:"}},
		{name: "block", adjust: func(c *executor.Config) { c.Block = -1 }, want: []string{"block: -1ns must be at least 1ms"}},
		{name: "node with a slash", adjust: func(c *executor.Config) { c.Node = "a/b" }, want: []string{"node:", "slash"}},
		{name: "store nil", adjust: func(c *executor.Config) { c.Stores = []*store.Store{nil} }, want: []string{"stores: one is nil"}},
		{name: "store twice", adjust: func(c *executor.Config) { c.Stores = append(c.Stores, c.Stores[0]) }, want: []string{"twice"}},
		{name: "all at once", adjust: func(c *executor.Config) { *c = executor.Config{} }, want: []string{
			"name: is missing", "concurrency: 0", "stores: none", "node: is missing", "boot: is missing", "handler: is missing",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := valid()
			tt.adjust(&cfg)
			err := cfg.Validate()
			if (err != nil) != (len(tt.want) > 0) {
				t.Fatalf("error is %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestNewRefusesFaults(t *testing.T) {
	if _, err := executor.New(executor.Config{}); err == nil {
		t.Error("New took an empty configuration")
	}
}
