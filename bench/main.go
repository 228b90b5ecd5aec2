package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/carillon-project/carillon/bench/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// bench is one run of the measurements.
type bench struct {
	sizes
	rig    *rig
	report *report.Report
	talk   io.Writer
	began  time.Time
	room   int    // how many times the usual time storing is given
	dir    string // of the profiles of a burst; empty for none
}

// measurement is a part of the run that -only may name.
type measurement struct {
	name string
	run  func(*bench, context.Context) error
}

var measurements = []measurement{
	{"burst", (*bench).burst},
	{"enqueue", (*bench).enqueue},
	{"steady", (*bench).steady},
	{"growth", (*bench).growth},
	{"takeover", (*bench).takeover},
	{"idle", (*bench).idle},
	{"scale", (*bench).scale},
}

// onlyNamed are measured only when they are named: what they show is no bar's.
var onlyNamed = []string{"scale"}

// options are the flags and the environment.
type options struct {
	sizes   sizes
	only    []string
	quick   bool
	docs    string // directory of the page and its plots; empty for none
	json    string // file of the JSON; empty for none
	profile string // directory of the profiles; empty for none
}

// run is main without the process. The hidden commands are the processes that it starts of itself.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case etcdCommand:
			return serveEtcd(ctx, stdout)
		case nodeCommand:
			return serveNode(ctx, args[1:], stdin, stdout)
		}
	}
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	o.json = getenv("BENCH_JSON")
	r, err := startRig(ctx)
	if err != nil {
		return err
	}
	b := &bench{sizes: o.sizes, rig: r, report: &report.Report{}, talk: stderr, began: time.Now(), room: 1, dir: o.profile}
	if err := errors.Join(b.measure(ctx, o.only), r.close()); err != nil {
		return err
	}
	b.report.Facts = facts(ctx, o.sizes, time.Since(b.began))
	if err := b.report.WriteTable(stdout); err != nil {
		return err
	}
	return write(b.report, o, stderr)
}

func parse(args []string, stderr io.Writer) (options, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	rounds := flags.Int("rounds", 5, "how often each measurement is repeated, in turn with those it is held against")
	only := flags.String("only", "", "measure these only, separated by commas: "+strings.Join(names(), ", "))
	quick := flags.Bool("quick", false, "tiny sizes, to see that everything works; the figures say nothing")
	full := flags.Bool("full", false, "larger sizes and more time for each")
	docs := flags.String("docs", "", "write benchmarks.md and its plots into this directory; a quick or partial run does not")
	profile := flags.String("profile", "", "write "+strings.Join([]string{cpuFile, allocatedFile, redisFile}, ", ")+" of Carillon's burst into this directory; "+
		"of several rounds the last stays. What the burst alone has allocated: go tool pprof -base "+allocatedBefore+" "+allocatedFile)
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *rounds < 1 {
		return options{}, fmt.Errorf("-rounds: %d is less than 1", *rounds)
	}
	if *quick && *full {
		return options{}, errors.New("give -quick or -full, not both")
	}
	o := options{sizes: usualSizes(), quick: *quick, docs: *docs, profile: *profile}
	switch {
	case *quick:
		o.sizes = quickSizes()
	case *full:
		o.sizes = fullSizes()
	}
	o.sizes.rounds = *rounds
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(names(), name) {
			return options{}, fmt.Errorf("-only: %q is not one of %s", name, strings.Join(names(), ", "))
		}
	}
	return o, nil
}

func names() []string {
	all := make([]string, len(measurements))
	for i, m := range measurements {
		all[i] = m.name
	}
	return all
}

// chosen reports whether a measurement is part of a run for which those were named.
func chosen(name string, only []string) bool {
	if len(only) == 0 {
		return !slices.Contains(onlyNamed, name)
	}
	return slices.Contains(only, name)
}

// measure runs the measurements that were asked for, all but those of onlyNamed if none was named.
func (b *bench) measure(ctx context.Context, only []string) error {
	for _, m := range measurements {
		if !chosen(m.name, only) {
			continue
		}
		if err := m.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// say tells how far the run is.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.talk, "%6.1fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}
