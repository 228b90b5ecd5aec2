package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// nodeFlags are the settings of a node that is a process of its own.
type nodeFlags struct {
	name, listen, advertise          string
	insecure, allowUnfit             bool
	executors                        []string
	leaseTTL, runLease, drainTimeout time.Duration
	historyAge, eventAge             time.Duration
	historyLimit, eventLimit         int
	partitions, groups               int
	exportDir                        string
	exportEvery                      time.Duration
	exportKeep                       int
	defaults                         carillon.Options
	taskFlags
}

func (a *app) nodeCommand() *cobra.Command {
	var f nodeFlags
	c := &cobra.Command{
		Use: "node --etcd URLS --redis URL", Short: "Run a node of the cluster", GroupID: groupRun, Args: takes(),
		Long: "Runs a node until SIGTERM or SIGINT: then it gives up its office, lets its\n" +
			"runs finish and exits with 0; a second signal cancels them. It prints one\n" +
			"line, \"ready name=N address=HOST:PORT\", when it is a member and consumes. It\n" +
			"serves the tasks log, http and shell.",
		Example: "  carillon node --etcd http://127.0.0.1:2379 --redis redis://127.0.0.1:6379/0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.node(cmd.Context(), f)
		},
	}
	f.register(c.Flags())
	configurable(c.Flags())
	return c
}

func (f *nodeFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.name, "name", "", "`NAME` of the node (default: the host's and a suffix)")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "`ADDR` of liveness, health and metrics")
	flags.StringVar(&f.advertise, "advertise", "", "`ADDR` that other nodes dial (default: that of --listen)")
	flags.BoolVar(&f.insecure, "insecure", false, "listen beyond loopback without authentication")
	flags.StringArrayVar(&f.executors, "executor", nil, "serve this executor, `NAME=CONCURRENCY` (repeatable; default default=64)")
	f.taskFlags.register(flags)
	durationVar(flags, &f.leaseTTL, "lease-ttl", 5*time.Second, "how long a hung leader stays in office")
	durationVar(flags, &f.runLease, "run-lease", 15*time.Second, "how long a run of a dead node waits for another")
	durationVar(flags, &f.drainTimeout, "drain-timeout", 30*time.Second, "how long a node that ends waits for its runs")
	flags.IntVar(&f.historyLimit, "history-limit", 1000, "rows of history kept per job")
	durationVar(flags, &f.historyAge, "history-age", 90*24*time.Hour, "how long they are kept; the newest stays")
	flags.IntVar(&f.eventLimit, "events-limit", 10_000, "entries kept in the event log, about")
	durationVar(flags, &f.eventAge, "events-age", 7*24*time.Hour, "how long they are kept")
	flags.IntVar(&f.partitions, "partitions", 0, "of stores that this node creates (default 1)")
	flags.IntVar(&f.groups, "groups", 1, "leaders that share the partitions, the same on all nodes")
	flags.StringVar(&f.exportDir, "export-dir", "", "`DIR` where the leader writes exports of the stores (default: none)")
	durationVar(flags, &f.exportEvery, "export-every", time.Hour, "how often it does")
	flags.IntVar(&f.exportKeep, "export-keep", 24, "exports of each store that stay, the newest")
	flags.BoolVar(&f.allowUnfit, "allow-unfit", false, "use a Redis that may lose jobs, with a warning")
	flags.Var(&jsonValue{set: f.defaults.Coalesce.UnmarshalJSON, kind: "WORD"}, "coalesce", "default of jobs: latest, earliest or all")
	flags.Var(&jsonValue{set: f.defaults.MisfireGraceTime.UnmarshalJSON, kind: "DURATION"}, "misfire-grace-time", "default of jobs (default none)")
	flags.IntVar(&f.defaults.MaxInstances, "max-instances", 1, "default of jobs")
}

// config is the node's configuration, checked as far as it can be without contacting anything.
func (a *app) nodeConfig(f nodeFlags) (carillon.Config, error) {
	p, err := a.place()
	if err != nil {
		return carillon.Config{}, err
	}
	if p.selected != "" {
		return carillon.Config{}, usagef("--store: a node uses all its stores; write NAME=URL")
	}
	etcd, err := a.etcdAccess()
	if err != nil {
		return carillon.Config{}, err
	}
	secure, err := a.redisTLS.config("redis")
	if err != nil {
		return carillon.Config{}, err
	}
	now, err := clock(a.getenv)
	if err != nil {
		return carillon.Config{}, err
	}
	cfg := carillon.Config{
		Name: f.name, Cluster: a.cluster, Etcd: etcd.endpoints, EtcdTLS: etcd.tls, EtcdUser: etcd.user, EtcdPassword: etcd.password,
		Stores: p.urls, Namespace: a.prefix(), RedisTLS: secure, AllowUnfit: f.allowUnfit, Partitions: f.partitions, Groups: f.groups,
		Defaults: f.defaults, Listen: f.listen, Advertise: f.advertise, LeaseTTL: f.leaseTTL, RunLease: f.runLease,
		DrainTimeout: f.drainTimeout,
		HistoryLimit: f.historyLimit, HistoryAge: f.historyAge, EventLimit: f.eventLimit, EventAge: f.eventAge,
		ExportDir: f.exportDir, ExportEvery: f.exportEvery, ExportKeep: f.exportKeep, WaitReplicas: a.replicas, Logger: a.logger(hclog.Info), Now: now,
	}
	cfg.Executors, err = parseExecutors(f.executors)
	return cfg, err
}

// parseExecutors reads NAME=CONCURRENCY.
func parseExecutors(texts []string) (map[string]int, error) {
	executors := map[string]int{}
	for _, text := range texts {
		name, number, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, usagef("--executor: %q is not NAME=CONCURRENCY, such as default=64", text)
		}
		if _, twice := executors[name]; twice {
			return nil, usagef("--executor: %q is given twice", name)
		}
		executors[name] = n
	}
	return executors, nil
}

// node runs a node until ctx ends.
func (a *app) node(ctx context.Context, f nodeFlags) error {
	cfg, err := a.nodeConfig(f)
	if err != nil {
		return err
	}
	served, err := a.tasks(f.taskFlags)
	if err != nil {
		return err
	}
	defer served.close()
	ended := make(chan error, 2)
	cfg.OnStall = func(err error) { ended <- err } // Run may never end: the process does
	n, err := carillon.NewNode(cfg)
	if err != nil {
		return usage(err)
	}
	served.serve(n)
	go func() { ended <- n.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-n.Ready():
	}
	said := a.write(fmt.Sprintf("ready name=%s address=%s\n", n.Name(), n.Address()))
	if said != nil {
		cfg.Logger.Warn("ready line not written", "error", said)
	}
	return awaitNode(ctx, n, ended)
}

// awaitNode returns when Run has ended, and cuts its draining short when ctx is hurried.
func awaitNode(ctx context.Context, n *carillon.Node, ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-hurried(ctx):
	}
	atOnce, cancel := context.WithCancel(context.Background())
	cancel()
	if err := n.Shutdown(atOnce); err != nil {
		return err
	}
	return <-ended
}

// durationVar defines a flag that takes "30s" or a number of seconds.
func durationVar(flags *pflag.FlagSet, into *time.Duration, name string, value time.Duration, text string) {
	*into = value
	flags.Var(&durationValue{into}, name, text)
}

// durationValue is a flag that takes "30s" or a number of seconds.
type durationValue struct{ into *time.Duration }

func (d *durationValue) String() string {
	if d.into == nil || *d.into == 0 {
		return ""
	}
	return d.into.String()
}

// Type names the value in the help.
func (d *durationValue) Type() string { return "DURATION" }

// Set reads the duration.
func (d *durationValue) Set(text string) (err error) {
	*d.into, err = job.ParseDuration(text)
	return err
}

// jsonValue is a flag whose text is read as a value of a job document.
type jsonValue struct {
	set        func([]byte) error
	text, kind string
}

func (v *jsonValue) String() string { return v.text }

// Type names the value in the help.
func (v *jsonValue) Type() string { return v.kind }

// Set reads a word, a number, true, false, or none for null.
func (v *jsonValue) Set(text string) error {
	raw := strconv.Quote(text)
	if _, err := strconv.ParseFloat(text, 64); err == nil || text == "true" || text == "false" || text == "null" {
		raw = text
	}
	if text == "none" {
		raw = "null"
	}
	v.text = text
	return v.set([]byte(raw))
}
