package carillon

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/carillon-project/carillon/store"
)

const (
	// linesBuffer is how many lines a node holds that are not kept yet; further ones are dropped.
	linesBuffer = 10_000
	// linesPause is how long lines gather before they are kept together.
	linesPause = 100 * time.Millisecond
	// linesPatience is how long keeping a batch may take.
	linesPatience = 5 * time.Second
	// lineLimit is how much of a line is held; the store cuts it again.
	lineLimit = 4000
)

// progressLevel is the level of lines that Progress writes.
const progressLevel = "progress"

// lineKeeper gathers the lines of all handlers of a node and keeps them in the stores, off the
// handlers' path. What does not fit is dropped, counted and said.
type lineKeeper struct {
	now    func() time.Time
	log    hclog.Logger
	lost   prometheus.Counter
	filled chan struct{} // of capacity 1: something was added

	mu      sync.Mutex
	held    map[string][]store.Line // by store
	count   int
	dropped int // since it was last said
}

func newLineKeeper(now func() time.Time, log hclog.Logger, registry prometheus.Registerer) *lineKeeper {
	k := &lineKeeper{
		now: now, log: log, filled: make(chan struct{}, 1), held: map[string][]store.Line{},
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "carillon", Name: "run_lines_dropped_total", Help: "Lines of handlers that were not kept with their runs.",
		}),
	}
	registry.MustRegister(k.lost)
	return k
}

// linePage is where the lines of one attempt go.
type linePage struct {
	keeper  *lineKeeper
	store   string
	run     string
	attempt int
	number  int // of the last line; under the keeper's lock
}

func (k *lineKeeper) page(run Run) *linePage {
	return &linePage{keeper: k, store: run.Store, run: run.ID, attempt: run.Attempt}
}

// add never blocks.
func (p *linePage) add(level string, fraction float64, text string) {
	k := p.keeper
	l := store.Line{
		RunID: p.run, Attempt: p.attempt, Time: k.now(), Level: level, Fraction: fraction, Text: text[:min(len(text), lineLimit)],
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	p.number++
	if k.count >= linesBuffer {
		k.dropped++
		return
	}
	l.Number = p.number
	k.held[p.store] = append(k.held[p.store], l)
	k.count++
	select {
	case k.filled <- struct{}{}:
	default:
	}
}

// run keeps lines until ctx ends, and then those that are left.
func (k *lineKeeper) run(ctx context.Context, stores map[string]*store.Store) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-k.filled:
			gather(ctx)
			k.flush(ctx, stores)
		}
	}
	k.flush(ctx, stores)
}

func gather(ctx context.Context) {
	timer := time.NewTimer(linesPause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// flush keeps what is held. It goes on after the end of ctx, for linesPatience.
func (k *lineKeeper) flush(ctx context.Context, stores map[string]*store.Store) {
	k.mu.Lock()
	held, dropped := k.held, k.dropped
	k.held, k.count, k.dropped = map[string][]store.Line{}, 0, 0
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), linesPatience)
	defer cancel()
	for name, lines := range held {
		s, ok := stores[name]
		if !ok {
			continue
		}
		if err := s.Keep(ctx, lines); err != nil {
			dropped += len(lines)
			k.log.Debug("lines of handlers could not be kept", "store", name, "error", err)
		}
	}
	if dropped > 0 {
		k.lost.Add(float64(dropped))
		k.log.Warn("lines of handlers were dropped: they came faster than they could be kept", "count", dropped)
	}
}

// runLogger writes to the node's log and keeps lines at info and above with the run. What goes
// through StandardLogger and StandardWriter is not kept.
type runLogger struct {
	hclog.Logger
	page *linePage
	args []any // given to With
}

func (l *runLogger) keep(level hclog.Level, msg string, args []any) {
	if level >= hclog.Info {
		l.page.add(level.String(), 0, lineText(msg, l.args, args))
	}
}

func (l *runLogger) progress(fraction float64, msg string) {
	fraction = max(0, min(1, fraction))
	if math.IsNaN(fraction) {
		fraction = 0
	}
	l.Debug("progress", "fraction", fraction, "message", msg)
	l.page.add(progressLevel, fraction, lineText(msg, l.args))
}

func (l *runLogger) Log(level hclog.Level, msg string, args ...any) {
	l.Logger.Log(level, msg, args...)
	l.keep(level, msg, args)
}

func (l *runLogger) Info(msg string, args ...any) {
	l.Logger.Info(msg, args...)
	l.keep(hclog.Info, msg, args)
}

func (l *runLogger) Warn(msg string, args ...any) {
	l.Logger.Warn(msg, args...)
	l.keep(hclog.Warn, msg, args)
}

func (l *runLogger) Error(msg string, args ...any) {
	l.Logger.Error(msg, args...)
	l.keep(hclog.Error, msg, args)
}

// These levels are written for the run even where the node's log leaves them out.
func (l *runLogger) IsInfo() bool  { return true }
func (l *runLogger) IsWarn() bool  { return true }
func (l *runLogger) IsError() bool { return true }

func (l *runLogger) With(args ...any) hclog.Logger {
	return &runLogger{Logger: l.Logger.With(args...), page: l.page, args: append(l.args[:len(l.args):len(l.args)], args...)}
}

func (l *runLogger) Named(name string) hclog.Logger {
	return &runLogger{Logger: l.Logger.Named(name), page: l.page, args: l.args}
}

func (l *runLogger) ResetNamed(name string) hclog.Logger {
	return &runLogger{Logger: l.Logger.ResetNamed(name), page: l.page, args: l.args}
}

// lineText is a message and its pairs on one line.
func lineText(msg string, pairs ...[]any) string {
	var b strings.Builder
	b.WriteString(msg)
	for _, args := range pairs {
		for i := 0; i < len(args); i += 2 {
			if i+1 == len(args) {
				fmt.Fprintf(&b, " %s=%s", hclog.MissingKey, valueText(args[i]))
				break
			}
			fmt.Fprintf(&b, " %v=%s", args[i], valueText(args[i+1]))
		}
	}
	return b.String()
}

func valueText(v any) string {
	text := fmt.Sprint(v)
	if f, ok := v.(hclog.Format); ok && len(f) > 0 {
		text = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
	}
	if text == "" || strings.ContainsAny(text, " \t\r\n\"=") {
		return strconv.Quote(text)
	}
	return text
}
