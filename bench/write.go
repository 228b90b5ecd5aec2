package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/carillon-project/carillon/bench/internal/report"
)

// How the figures were made, and what they do not say.
var (
	//go:embed text/method.md
	method string
	//go:embed text/caveats.md
	caveats string
)

// plotsDir holds the plots, beside the page.
const plotsDir = "benchmarks"

// write writes the files that were asked for. A page that is to be kept comes of a whole run only.
func write(r *report.Report, o options, talk io.Writer) error {
	if o.json != "" {
		if err := writeFile(o.json, r.WriteJSON); err != nil {
			return err
		}
	}
	if o.docs == "" {
		return nil
	}
	if o.quick || len(o.only) > 0 {
		fmt.Fprintln(talk, "the page of figures stays as it was: this run was quick, or not whole")
		return nil
	}
	plots := filepath.Join(o.docs, plotsDir)
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return err
	}
	for _, p := range r.Plots {
		if err := os.WriteFile(filepath.Join(plots, p.Name+".svg"), p.SVG, 0o644); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(o.docs, "benchmarks.md"), func(w io.Writer) error {
		return r.WritePage(w, "Benchmarks", plotsDir,
			[]report.Section{{Text: "Written by `make bench`; do not edit. Each row holds Carillon against something measured in the same\nrun, or against a limit. The ratio says how many times better Carillon is, whether more or less is better."}},
			[]report.Section{{Title: "How it was measured", Text: method}, {Title: "What the figures do not say", Text: caveats}})
	})
}

func writeFile(path string, content func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(content(f), f.Close())
}
