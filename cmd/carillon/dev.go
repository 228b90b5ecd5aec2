package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

// devFlags say what carillon dev starts.
type devFlags struct {
	nodes  int
	data   string
	listen string
	taskFlags
}

const (
	devNodes    = 16               // at most
	devStart    = 30 * time.Second // for etcd, Redis and the nodes to come up
	devDraining = 5 * time.Second
)

func (a *app) devCommand() *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use: "dev [--nodes N] [--data DIR]", Short: "Try it: etcd, Redis, nodes and sample jobs in one", GroupID: groupRun, Args: takes(),
		Long: "Starts an embedded etcd, a Redis, some nodes and a few sample jobs on this\n" +
			"machine, prints each firing, and ends them all on Ctrl-C. Without redis-server\n" +
			"on the PATH an in-memory stand-in is used. The addresses are in\n" +
			"DIR/endpoints.json while it runs, so that carillon node can join. For trying\n" +
			"out only.",
		Example: "  carillon dev\n  carillon dev --nodes 5 --data ./carillon-data",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.nodes < 1 || f.nodes > devNodes {
				return usagef("--nodes: %d is not between 1 and %d", f.nodes, devNodes)
			}
			// What only a running stack can say is put in; the rest is judged before one is started.
			probe := carillon.Config{Etcd: []string{"-"}, Redis: "-", Listen: f.listen}
			if err := probe.Validate(); err != nil {
				return usage(err)
			}
			return a.dev(cmd.Context(), f)
		},
	}
	c.Flags().IntVar(&f.nodes, "nodes", 3, "how many nodes to run")
	c.Flags().StringVar(&f.data, "data", "", "`DIR` that keeps jobs for the next time (default: a temporary one that goes at the end)")
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:0", "`ADDR` of the first node; the others get free ports")
	f.taskFlags.register(c.Flags())
	configurable(c.Flags())
	return c
}

// dev runs the whole until ctx ends, then stops it in order: nodes, Redis, etcd.
func (a *app) dev(ctx context.Context, f devFlags) (err error) {
	served, err := a.tasks(f.taskFlags)
	if err != nil {
		return err
	}
	defer served.close()
	log := a.logger(hclog.Error)
	stack, err := startStack(ctx, f.data, log)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	defer func() { err = errors.Join(err, stack.close()) }()
	if stack.notice != "" && a.output == "text" {
		fmt.Fprintln(a.stdout, stack.notice)
	}
	nodes, err := a.devMembers(f, stack, served, log)
	if err != nil {
		return err
	}
	client, err := a.devClient(ctx, nodes, stack, log)
	if err != nil {
		closeNodes(nodes)
		return unlessStopped(ctx, err)
	}
	defer client.Close()

	report := &devReport{app: a}
	telling, silence := context.WithCancel(context.WithoutCancel(ctx))
	var teller sync.WaitGroup
	teller.Go(func() { report.run(telling, client) })
	defer teller.Wait()
	defer silence()
	return a.runNodes(ctx, nodes, stack, func() error { return a.devBegin(ctx, client, nodes, stack) })
}

// unlessStopped turns a failure that the end of ctx has caused into success.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// devMembers makes the nodes.
func (a *app) devMembers(f devFlags, stack *devStack, served *tasks, log hclog.Logger) ([]*carillon.Node, error) {
	now, err := clock(a.getenv)
	if err != nil {
		return nil, err
	}
	host := f.listen[:max(0, strings.LastIndexByte(f.listen, ':'))]
	nodes := make([]*carillon.Node, f.nodes)
	for i := range nodes {
		listen := host + ":0"
		if i == 0 {
			listen = f.listen
		}
		n, err := carillon.NewNode(carillon.Config{
			Name: fmt.Sprintf("node-%d", i+1), Cluster: a.cluster, Namespace: a.prefix(), Etcd: stack.etcd.Endpoints(), Redis: stack.redisURL,
			Listen: listen, DrainTimeout: devDraining, Logger: log, Now: now,
		})
		if err != nil {
			return nil, usage(err)
		}
		served.serve(n)
		nodes[i] = n
	}
	return nodes, nil
}

func closeNodes(nodes []*carillon.Node) {
	for _, n := range nodes {
		n.Close()
	}
}

// devClient has the first node create the store and make its tasks known, and returns a client
// that outlives the nodes.
func (a *app) devClient(ctx context.Context, nodes []*carillon.Node, stack *devStack, log hclog.Logger) (*carillon.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, devStart)
	defer cancel()
	if _, err := nodes[0].Client(ctx); err != nil {
		return nil, err
	}
	return carillon.NewClient(ctx, carillon.ClientConfig{Redis: stack.redisURL, Namespace: a.prefix(), Logger: log})
}

// runNodes runs the nodes until ctx ends, or one of them or Redis fails. Once all are ready it
// calls begin. All have ended when it returns.
func (a *app) runNodes(ctx context.Context, nodes []*carillon.Node, stack *devStack, begin func() error) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make([]chan error, len(nodes))
	for i, n := range nodes {
		ended[i] = make(chan error, 1)
		go func() {
			err := n.Run(running)
			if err != nil {
				stop(fmt.Errorf("%s: %w", n.Name(), err))
			}
			ended[i] <- err
		}()
	}
	err := allReady(running, nodes)
	if err == nil {
		err = begin()
	}
	if err == nil {
		select {
		case <-running.Done():
		case <-stack.redisEnded:
			err = errors.New("redis-server has ended by itself; see redis.log in its directory")
		}
	}
	if err == nil && ctx.Err() == nil {
		err = context.Cause(running)
	}
	stop(nil)
	if ctx.Err() != nil && a.output == "text" {
		fmt.Fprintln(a.stdout, "ending: waiting for runs; Ctrl-C again to end at once")
	}
	for i, n := range nodes {
		_ = awaitNode(ctx, n, ended[i]) // the first failure is the cause of stopping, and known
	}
	return unlessStopped(ctx, err)
}

// allReady returns nil when every node is, or why that will not be.
func allReady(ctx context.Context, nodes []*carillon.Node) error {
	timer := time.NewTimer(devStart)
	defer timer.Stop()
	for _, n := range nodes {
		select {
		case <-n.Ready():
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			return fmt.Errorf("%s did not become ready within %s", n.Name(), devStart)
		}
	}
	return nil
}
