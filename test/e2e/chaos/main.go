package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
	"github.com/carillon-project/carillon/test/e2e/internal/page"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

func main() {
	if code, child := rig.Child(); child {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	minutes := flags.Float64("minutes", 60, "how long faults strike")
	seed := flags.Uint64("seed", rand.Uint64(), "of what is drawn")
	dir := flags.String("dir", filepath.Join("test", "e2e", "artifacts", "chaos"), "of history and logs; it is emptied")
	table := flags.String("table", "", "`FILE` to whose table of chaos a row is added")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *table != "" { // better now than after an hour
		if err := page.Write(*table, func(text string) (string, error) { return text, fits(text) }); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "seed %d\n", *seed)
	if err := os.RemoveAll(*dir); err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	binary, err := rig.Build(ctx, *dir)
	if err != nil {
		return err
	}
	began := time.Now()
	r, err := matrix.Chaos(ctx, time.Duration(*minutes*float64(time.Minute)), matrix.Options{
		Binary: binary, Dir: *dir, Seed: *seed, Long: true,
		Say: func(format string, args ...any) {
			fmt.Fprintf(out, "%7.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
		},
	})
	r.Print(out)
	if err == nil && *table != "" {
		err = page.Write(*table, func(text string) (string, error) { return page.Chaos.Add(text, row(*minutes, r)) })
	}
	err = errors.Join(err, r.Write(filepath.Join(filepath.Dir(*dir), "results")))
	if len(r.Breaches) > 0 {
		err = errors.Join(err, fmt.Errorf("%d breaches; judge them again: go run ./test/e2e/judge %s", len(r.Breaches), filepath.Join(*dir, "history.json")))
	}
	return err
}

// fits reports why a page has no place for a row.
func fits(text string) error {
	_, err := page.Chaos.Add(text, "")
	return err
}

// row is the result of so many minutes as a row of the table: seed, minutes, strikes, kills, terms, due,
// ran, missed, doubled, run again, takeover p50, breaches.
func row(minutes float64, r matrix.Result) string {
	took := "–"
	if len(r.Takeovers) > 0 {
		took = fmt.Sprintf("%d ms", history.Median(r.Takeovers).Milliseconds())
	}
	t := r.Tally
	return fmt.Sprintf("| %d | %g | %d | %d | %d | %d | %d | %d | %d | %d | %s | %d |",
		r.Seed, minutes, r.Strikes, t.Kills, t.Terms, t.Due, t.Ran, t.Lost, t.Doubled, t.Reruns, took, len(r.Breaches))
}
