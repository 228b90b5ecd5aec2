package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// Options are how a scenario is played. Binary and Dir are needed.
type Options struct {
	Binary string // the carillon command, built with the tag faults
	Dir    string // of data, logs, and of history.json
	Seed   uint64
	Long   bool // more rounds, and the bounds of the documentation
	// Say is told what happens. Nil tells nobody.
	Say func(format string, args ...any)
}

// Result is what one play of a scenario showed.
type Result struct {
	Name      string            `json:"name"`
	Says      string            `json:"says"`
	Promise   string            `json:"promise"`
	Seed      uint64            `json:"seed"`
	Long      bool              `json:"long"`
	Strikes   int               `json:"strikes"`
	Seconds   float64           `json:"seconds"`
	Tally     history.Tally     `json:"tally"`
	Takeovers []time.Duration   `json:"takeovers_ns,omitempty"` // sorted
	Figures   map[string]string `json:"figures,omitempty"`
	Breaches  []string          `json:"breaches,omitempty"` // empty = the promise held
}

// Write stores the result as indented JSON at dir/name.json.
func (r Result) Write(dir string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, r.Name+".json"), append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("matrix: write result: %w", err)
	}
	return nil
}

// Play plays one scenario on a cluster of its own and judges it. The error says why it could not be
// played to its end; breaches of a play that was are in the result. The history is written to
// Dir/history.json unless all was well. Nothing it started outlives it.
func Play(ctx context.Context, fault Fault, o Options) (r Result, err error) {
	began := time.Now()
	r = Result{Name: fault.Name, Says: fault.Says, Promise: fault.Promise, Seed: o.Seed, Long: o.Long}
	cfg := rig.Config{Binary: o.Binary, Dir: o.Dir, Relayed: true}
	if fault.Rig != nil {
		fault.Rig(&cfg)
	}
	f, err := takeField(ctx, cfg, o)
	if err != nil {
		return r, err
	}
	defer func() {
		if err != nil || len(r.Breaches) > 0 {
			err = errors.Join(err, f.keep(fault.Name, o))
		}
		f.Client.Close()
		err = errors.Join(err, f.Close())
		r.Seconds = time.Since(began).Seconds()
	}()
	if r.Strikes, err = f.play(ctx, fault, o); err != nil {
		return r, err
	}
	h, err := f.conclude(ctx, fault.Name, o.Seed)
	if err != nil {
		return r, err
	}
	for _, b := range history.Check(h) {
		r.Breaches = append(r.Breaches, b.String())
	}
	if fault.Judge != nil {
		for _, e := range fault.Judge(f, h) {
			r.Breaches = append(r.Breaches, e.Error())
		}
	}
	r.Tally, r.Takeovers, r.Figures = history.Count(h), h.Takeovers(), f.figures
	return r, nil
}

// takeField starts the stack and its first node, which creates the store.
func takeField(ctx context.Context, cfg rig.Config, o Options) (*Field, error) {
	stack, err := rig.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	f := &Field{Stack: stack, Random: rand.New(rand.NewPCG(o.Seed, 0)), Long: o.Long, Say: o.Say}
	if f.Say == nil {
		f.Say = func(string, ...any) {}
	}
	if err = f.StartNodes(ctx, "n1"); err == nil {
		f.Client, err = stack.Client(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, stack.Close())
	}
	return f, nil
}

// play puts the load on the cluster and strikes it, round after round.
func (f *Field) play(ctx context.Context, fault Fault, o Options) (strikes int, err error) {
	nodes := fault.Nodes
	if nodes == 0 {
		nodes = 3
	}
	for i := 2; i <= nodes; i++ {
		if err := f.StartNodes(ctx, fmt.Sprintf("n%d", i)); err != nil {
			return 0, err
		}
	}
	jobs, rounds := fault.Jobs, max(fault.Rounds, 1)
	if jobs == 0 {
		jobs = 10
	}
	if o.Long && !fault.Exact {
		rounds *= 5
	}
	if err := f.AddSteady(ctx, f.Client, jobs); err != nil {
		return 0, err
	}
	for strikes < rounds {
		if err := f.Settled(ctx); err != nil {
			return strikes, err
		}
		if err := f.Rest(ctx, time.Duration(f.Random.Int64N(int64(time.Second)))); err != nil {
			return strikes, err
		}
		if f.before == nil {
			if f.before, err = f.usage(ctx); err != nil {
				return strikes, err
			}
		}
		if err := fault.Strike(ctx, f); err != nil {
			return strikes, fmt.Errorf("matrix: %s: strike %d: %w", fault.Name, strikes+1, err)
		}
		strikes++
		f.Say("%s: strike %d is over", fault.Name, strikes)
	}
	return strikes, nil
}

// conclude pauses the schedule, waits until no run is left, takes the evidence and ends all nodes in
// peace.
func (f *Field) conclude(ctx context.Context, name string, seed uint64) (h history.History, err error) {
	if err = f.Settled(ctx); err != nil {
		return h, err
	}
	if err = f.Pause(ctx, f.Client); err != nil {
		return h, err
	}
	if err = f.Drained(ctx); err != nil {
		return h, err
	}
	if h, err = f.History(ctx, f.Client, name, seed); err != nil {
		return h, err
	}
	h.Limits = history.Limits{Calm: f.Within(500 * time.Millisecond), Recover: f.Within(5 * time.Second)}
	h.Left = f.Left(ctx)
	after, err := f.usage(ctx)
	if err != nil {
		return h, err
	}
	for n, count := range f.before {
		if _, lives := after[n]; !lives {
			h.Usage = append(h.Usage, history.Usage{Node: n.Name, Before: count})
		}
	}
	for n, count := range after {
		h.Usage = append(h.Usage, history.Usage{Node: n.Name, Before: f.before[n], After: count})
		f.Figure("goroutines of "+n.Name+" before and in the end", "%d, %d", f.before[n], count)
	}
	f.Figure("refused calls of old leaders", "%d", f.Refusals())
	all := f.Running()
	for _, n := range all {
		f.Tell(n)
	}
	for _, n := range all {
		if err = f.Ended(ctx, n); err != nil {
			return h, err
		}
	}
	return h, nil
}

// keep writes what was seen so far.
func (f *Field) keep(name string, o Options) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	h, err := f.History(ctx, f.Client, name, o.Seed)
	return errors.Join(err, h.Write(filepath.Join(o.Dir, "history.json")))
}
