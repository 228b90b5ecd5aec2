package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	dir := flags.String("results", filepath.Join("test", "e2e", "artifacts", "results"), "where the results are")
	page := flags.String("page", filepath.Join("docs", "reliability.md"), "the page whose table is replaced")
	plot := flags.String("plot", filepath.Join("docs", "takeover.svg"), "the picture that is written")
	if err := flags.Parse(args); err != nil {
		return err
	}
	results, err := read(*dir)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(*page)
	if err != nil {
		return err
	}
	updated, err := replace(string(text), table(results))
	if err != nil {
		return fmt.Errorf("%s: %w", *page, err)
	}
	if err := os.WriteFile(*page, []byte(updated), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(*plot, []byte(picture(results)), 0o644); err != nil {
		return err
	}
	return broken(results)
}

// read returns the result of every row of the table of faults, in its order.
func read(dir string) (results []matrix.Result, err error) {
	var missing []error
	for _, fault := range matrix.Table() {
		text, err := os.ReadFile(filepath.Join(dir, fault.Name+".json"))
		if err != nil {
			missing = append(missing, fmt.Errorf("%s was not played: run make e2e: %w", fault.Name, err))
			continue
		}
		var r matrix.Result
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", fault.Name, err)
		}
		results = append(results, r)
	}
	return results, errors.Join(missing...)
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
