package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
	"github.com/carillon-project/carillon/test/e2e/internal/page"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	artifacts := filepath.Join("test", "e2e", "artifacts")
	results := flags.String("results", filepath.Join(artifacts, "results"), "where the results of the matrix are")
	measured := flags.String("measured", filepath.Join(artifacts, "takeovers"), "where the results of the takeovers are")
	takeovers := flags.Bool("takeovers", false, "write the table of takeovers in place of that of faults")
	file := flags.String("page", filepath.Join("docs", "reliability.md"), "the page whose table is replaced")
	plot := flags.String("plot", filepath.Join("docs", "takeover.svg"), "the picture that is written")
	if err := flags.Parse(args); err != nil {
		return err
	}
	faults, missingFaults, err := read(*results, matrix.Table())
	if err != nil {
		return err
	}
	kills, missingKills, err := read(*measured, matrix.Trials(1))
	if err != nil {
		return err
	}
	marks, text, shown, missing := page.Faults, table(faults), faults, missingFaults
	if *takeovers {
		marks, text, shown, missing = page.Takeovers, trials(kills), kills, missingKills
	}
	if len(missing) > 0 {
		return fmt.Errorf("not played, run make e2e or make takeovers: %s", strings.Join(missing, ", "))
	}
	if err := page.Write(*file, func(old string) (string, error) { return marks.Set(old, text) }); err != nil {
		return err
	}
	if err := os.WriteFile(*plot, []byte(picture(append(kills, faults...))), 0o644); err != nil {
		return err
	}
	return broken(shown)
}

// read returns the results of the scenarios, in their order, and the names of those that have none.
func read(dir string, of []matrix.Fault) (results []matrix.Result, missing []string, err error) {
	for _, fault := range of {
		text, err := os.ReadFile(filepath.Join(dir, fault.Name+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, fault.Name)
			continue
		}
		var r matrix.Result
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", fault.Name, err)
		}
		results = append(results, r)
	}
	return results, missing, nil
}

// broken names the rows that did not hold.
func broken(results []matrix.Result) error {
	var errs []error
	for _, r := range results {
		if len(r.Breaches) > 0 {
			errs = append(errs, fmt.Errorf("%s did not hold: %s", r.Name, r.Breaches[0]))
		}
	}
	return errors.Join(errs...)
}
