package matrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// Chaos strikes one cluster of three nodes, three etcd members and a Redis with faults of the table,
// drawn at random, for as long as is said, while jobs run and are edited. Then it heals, drains and
// judges. The error says why it could not go on to its end; breaches are in the result, whose
// figures count the strikes of each fault. The history is kept in o.Dir either way.
func Chaos(ctx context.Context, last time.Duration, o Options) (r Result, err error) {
	began := time.Now()
	r = Result{Name: "chaos", Says: "random faults for " + last.String(), Promise: "every rule, for every run", Seed: o.Seed, Long: true}
	f, err := takeField(ctx, rig.Config{Binary: o.Binary, Dir: o.Dir, Relayed: true, Members: 3}, o)
	if err != nil {
		return r, err
	}
	defer func() {
		f.Client.Close()
		err = errors.Join(err, f.Close())
		r.Seconds = time.Since(began).Seconds()
	}()
	if err := f.StartNodes(ctx, "n2", "n3"); err != nil {
		return r, err
	}
	if err := f.AddSteady(ctx, f.Client, 10); err != nil {
		return r, err
	}
	if err := f.Settled(ctx); err != nil {
		return r, err
	}
	if f.before, err = f.usage(ctx); err != nil {
		return r, err
	}
	finish := f.edit(ctx, 2, 2*time.Second)
	strikes, err := f.storm(ctx, began.Add(last))
	err = errors.Join(err, finish())
	for _, name := range slices.Sorted(maps.Keys(strikes)) {
		r.Strikes += strikes[name]
		f.Figure(name, "%d", strikes[name])
	}
	if err != nil {
		return r, errors.Join(err, f.keep("chaos", o))
	}
	h, err := f.conclude(ctx, "chaos", o.Seed)
	if err != nil {
		return r, errors.Join(err, f.keep("chaos", o))
	}
	for _, b := range history.Check(h) {
		r.Breaches = append(r.Breaches, b.String())
	}
	r.Tally, r.Takeovers, r.Figures = history.Count(h), h.Takeovers(), f.figures
	return r, h.Write(filepath.Join(o.Dir, "history.json"))
}

// storm strikes until the end has come, and returns how often each fault did.
func (f *Field) storm(ctx context.Context, end time.Time) (map[string]int, error) {
	drawn := slices.DeleteFunc(Table(), func(fault Fault) bool { return !fault.Chaos })
	strikes := map[string]int{}
	for f.Now().Before(end) {
		fault := drawn[f.Random.IntN(len(drawn))]
		f.Say("strike %s", fault.Name)
		limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
		err := f.strike(limited, fault)
		cancel()
		if err != nil {
			return strikes, fmt.Errorf("matrix: chaos: %s: %w", fault.Name, err)
		}
		strikes[fault.Name]++
	}
	return strikes, nil
}

// strike waits until all jobs run, and for a moment of calm, and strikes.
func (f *Field) strike(ctx context.Context, fault Fault) error {
	if err := f.Settled(ctx); err != nil {
		return err
	}
	if err := f.Rest(ctx, time.Duration(f.Random.Int64N(int64(2*time.Second)))); err != nil {
		return err
	}
	return fault.Strike(ctx, f)
}

// Print writes the result for people: the seed, what was done, the sums, the takeovers and each
// breach.
func (r Result) Print(out io.Writer) {
	fmt.Fprintf(out, "%s: seed %d, %d strikes in %.0f s\n", r.Name, r.Seed, r.Strikes, r.Seconds)
	for _, name := range slices.Sorted(maps.Keys(r.Figures)) {
		fmt.Fprintf(out, "  %-40s %s\n", name, r.Figures[name])
	}
	t := r.Tally
	fmt.Fprintf(out, "runs due %d, executed %d, recorded as skipped %d, missed %d, doubled %d, reruns explained %d\n",
		t.Due, t.Ran-t.Skipped, t.Skipped, t.Lost, t.Doubled, t.Reruns)
	fmt.Fprintf(out, "kills %d, terms %d; latest first start %s after it was due\n", t.Kills, t.Terms, t.Late.Round(time.Millisecond))
	if n := len(r.Takeovers); n > 0 {
		fmt.Fprintf(out, "%d takeovers: p50 %s, p99 %s, max %s\n", n, Percentile(r.Takeovers, 50), Percentile(r.Takeovers, 99), Percentile(r.Takeovers, 100))
	}
	for _, b := range r.Breaches {
		fmt.Fprintln(out, "BREACH", b)
	}
	if len(r.Breaches) == 0 {
		fmt.Fprintln(out, "every rule held")
	}
}

// Percentile returns the p-th percentile of sorted durations, of which there is one at least, rounded
// to milliseconds: the shortest that p of 100 do not exceed.
func Percentile(sorted []time.Duration, p int) time.Duration {
	i := (len(sorted)*p + 99) / 100
	return sorted[max(i-1, 0)].Round(time.Millisecond)
}
