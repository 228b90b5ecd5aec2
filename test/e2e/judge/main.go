package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run(paths []string, out io.Writer) error {
	if len(paths) == 0 {
		return errors.New("name a history.json")
	}
	breaches := 0
	for _, path := range paths {
		h, err := history.Read(path)
		if err != nil {
			return err
		}
		bad := history.Check(h)
		for _, b := range bad {
			fmt.Fprintln(out, b)
		}
		fmt.Fprintf(out, "%s: seed %d: %d breaches; %s\n", path, h.Seed, len(bad), history.Count(h))
		breaches += len(bad)
	}
	if breaches > 0 {
		return fmt.Errorf("%d breaches", breaches)
	}
	return nil
}
