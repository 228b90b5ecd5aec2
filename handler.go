package carillon

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/executor"
)

// TaskFunc runs a task: the untyped form of a handler, which middleware wraps. What it returns
// is the run's result.
type TaskFunc = executor.Handler

// Middleware wraps the handler of every task of a node.
type Middleware func(task string, next TaskFunc) TaskFunc

// Handle registers fn as the handler of a task on the node. The args of a run are decoded into A
// as JSON; args that do not fit end the run as a permanent error. Register before Node.Run or
// Node.Client; a second handler for a task replaces the first.
func Handle[A, R any](n *Node, task string, fn func(ctx context.Context, args A) (R, error)) {
	n.HandleFunc(task, func(ctx context.Context, run Run) (any, error) {
		var args A
		if len(run.Args) > 0 {
			if err := json.Unmarshal(run.Args, &args); err != nil {
				return nil, Permanent(fmt.Errorf("args do not fit the handler of %q: %w", task, err))
			}
		}
		return fn(ctx, args)
	})
}

// HandleFunc registers an untyped handler of a task.
func (n *Node) HandleFunc(task string, fn TaskFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tasks[task] = fn
}

// Use adds a middleware around every handler of the node; the first added is the outermost.
// Add them before Run.
func (n *Node) Use(m Middleware) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.middleware = append(n.middleware, m)
}

// handler is the task's handler with its middleware.
func (n *Node) handler(task string) (executor.Handler, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fn, ok := n.tasks[task]
	if !ok {
		return nil, false
	}
	for _, m := range slices.Backward(n.middleware) {
		fn = m(task, fn)
	}
	return fn, true
}

type contextKey int

const (
	runKey contextKey = iota
	loggerKey
)

// RunFrom returns the run that a handler was called for: its id, job id, attempt and scheduled
// time. It reports false for a context that is no handler's.
func RunFrom(ctx context.Context) (Run, bool) {
	run, ok := ctx.Value(runKey).(Run)
	return run, ok
}

// Logger returns the logger of the run that a handler was called for, which names job, run and
// attempt on every line; outside a handler it is silent. Lines at info and above are also kept with
// the run, whatever the node's own level, for Client.RunLog: the latest 1,000 of a run, each cut
// at 2,000 bytes, for a week. Keeping them is best effort and never makes the handler wait: lines
// that come faster than Redis takes them are dropped and counted.
func Logger(ctx context.Context) hclog.Logger {
	if log, ok := ctx.Value(loggerKey).(hclog.Logger); ok {
		return log
	}
	return hclog.NewNullLogger()
}

// Progress says how far the run of a handler has come: a fraction from 0 to 1, and in what, for
// those who follow the run with Client.RunLog. It is kept as the lines of Logger are. Fractions
// outside 0 to 1 are taken as the nearer end. Outside a handler it does nothing.
func Progress(ctx context.Context, fraction float64, message string) {
	if log, ok := ctx.Value(loggerKey).(*runLogger); ok {
		log.progress(fraction, message)
	}
}

// handlerContext is the context of a handler. It makes the logger when somebody asks for it: most runs
// write nothing.
type handlerContext struct {
	context.Context
	node *Node
	run  Run
	once sync.Once
	log  *runLogger
}

func (n *Node) handlerContext(ctx context.Context, run Run) context.Context {
	return &handlerContext{Context: ctx, node: n, run: run}
}

// Value knows the run and its logger, and asks the context of the attempt for all else.
func (c *handlerContext) Value(key any) any {
	switch key {
	case runKey:
		return c.run
	case loggerKey:
		c.once.Do(c.open)
		return c.log
	}
	return c.Context.Value(key)
}

func (c *handlerContext) open() {
	c.log = &runLogger{
		Logger: c.node.log.With("job", c.run.JobID, "run", c.run.ID, "attempt", c.run.Attempt), page: c.node.lines.page(c.run),
	}
}
