package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/carillon-project/carillon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// settings are what the scenes share.
type settings struct {
	etcd      []string
	redis     string // without a database; the scenes use database 2
	namespace string
	every     time.Duration
	lasting   time.Duration
	out       io.Writer
}

// scenes are the steps of the walk-through, in its order.
var scenes = []struct {
	name, what string
	play       func(context.Context, settings) error
}{
	{"first", "add the job, see the conflict, print each firing until the job ends", first},
	{"later", "add nothing, consume what is stored, with other defaults", later},
	{"lookup", "add without an id, get and remove by id and store", lookup},
	{"backlog", "restart after an outage: coalesce=false, coalesce=true, and beyond the grace", backlog},
	{"pause", "pause and resume the scheduler", pause},
	{"shutdown", "shut down with and without waiting for a long run", shutdown},
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	endpoints := flags.String("endpoints", "", "endpoints.json written by carillon dev")
	etcd := flags.String("etcd", "http://127.0.0.1:2379", "etcd endpoints, separated by commas")
	redis := flags.String("redis", "redis://127.0.0.1:6379", "Redis URL; database 2 is used")
	namespace := flags.String("namespace", "quickstart", "name of the cluster and prefix of all keys")
	every := flags.Duration("every", 15*time.Second, "interval of the job")
	lasting := flags.Duration("for", 240*time.Second, "how long the job lasts")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: quickstart [flags] SCENE\n\nscenes:")
		for _, s := range scenes {
			fmt.Fprintf(flags.Output(), "  %-9s %s\n", s.name, s.what)
		}
		fmt.Fprintln(flags.Output(), "\nflags:")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	s := settings{etcd: strings.Split(*etcd, ","), redis: *redis, namespace: *namespace, every: *every, lasting: *lasting, out: out}
	if err := s.readEndpoints(*endpoints); err != nil {
		return err
	}
	for _, scene := range scenes {
		if scene.name == flags.Arg(0) {
			return scene.play(ctx, s)
		}
	}
	flags.Usage()
	return fmt.Errorf("no scene is called %q", flags.Arg(0))
}

func (s *settings) readEndpoints(file string) error {
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var found struct {
			Etcd  []string `json:"etcd"`
			Redis string   `json:"redis"`
		}
		if err := json.Unmarshal(raw, &found); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		s.etcd, s.redis = found.Etcd, found.Redis
	}
	u, err := url.Parse(s.redis)
	if err != nil {
		return errors.New("the Redis URL is not understood")
	}
	u.Path = "/2"
	s.redis = u.String()
	return nil
}

// node makes a node whose store and executor are both called "redis", as the article has it.
func (s settings) node(defaults carillon.Options) (*carillon.Node, error) {
	node, err := carillon.NewNode(carillon.Config{
		Cluster:   s.namespace, // a cluster knows one store of a name, under one namespace
		Etcd:      s.etcd,
		Stores:    map[string]string{"redis": s.redis},
		Namespace: s.namespace,
		Executors: map[string]int{"redis": 20},
		Defaults:  defaults,
	})
	if err != nil {
		return nil, err
	}
	carillon.Handle(node, "interval_func", func(_ context.Context, args []string) (any, error) {
		s.printf("interval_func: %s\n", strings.Join(args, " "))
		return nil, nil
	})
	carillon.Handle(node, "long_func", func(ctx context.Context, args []string) (any, error) {
		s.printf("long_func begins: %s\n", strings.Join(args, " "))
		select {
		case <-time.After(s.every):
			s.printf("long_func ends\n")
			return nil, nil
		case <-ctx.Done():
			s.printf("long_func is told to stop: %v\n", context.Cause(ctx))
			return nil, ctx.Err()
		}
	})
	node.AddListener(carillon.Mask(carillon.JobExecuted, carillon.JobError), func(e carillon.Event) {
		if e.Kind == carillon.JobError {
			s.printf("job failed: %s %s: %s\n", e.JobID, e.Store, e.Cause)
			return
		}
		s.printf("job executed: %s %s\n", e.JobID, e.Store)
	})
	return node, nil
}

func (s settings) printf(format string, args ...any) {
	fmt.Fprintf(s.out, format, args...)
}

// intervalJob is the article's job.
func (s settings) intervalJob(id, task string) carillon.Job {
	now := time.Now().UTC()
	trigger, _ := json.Marshal(map[string]any{ // of plain values: it cannot fail
		"type": "interval", "every": s.every.String(),
		"start_date": now.Format("2006-01-02 15:04:05.000000"), "end_date": now.Add(s.lasting).Format("2006-01-02 15:04:05.000000"),
	})
	return carillon.Job{
		ID: id, Task: task, Store: "redis", Executor: "redis", Trigger: trigger,
		Args: carillon.Args([]string{"runs every " + s.every.String()}),
	}
}
