package matrix

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

func loadFaults() []Fault {
	return []Fault{
		{
			Name: "herd", Says: "10,000 jobs due within one second", Jobs: 5, Alone: true,
			Promise: "each runs once",
			Strike:  herd,
			Judge: func(f *Field, h history.History) []error {
				late := history.Count(h).Late
				f.Figure("latest first start", "%s", late.Round(10*time.Millisecond))
				if bound := f.Within(10 * time.Second); late > bound {
					return []error{fmt.Errorf("a run began %s after it was due, more than %s", late.Round(time.Millisecond), bound)}
				}
				return noReruns(h)
			},
		},
	}
}

// herd adds ten thousand jobs that are due within one second and waits until each has run.
func herd(ctx context.Context, f *Field) error {
	const jobs, adders = 10_000, 8
	healed := f.Harm(history.Disturbed, "")
	defer healed()
	first := f.Now().Add(12 * time.Second)
	ended := make(chan error, adders)
	for a := range adders {
		go func() {
			for i := a; i < jobs; i += adders {
				at := first.Add(time.Duration(i) * time.Second / jobs)
				if err := f.Add(ctx, f.Client, rig.Spec{Job: history.Job{ID: fmt.Sprintf("herd-%05d", i), First: at}, URL: f.Witness.URL(0)}); err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
	}
	var errs []error
	for range adders {
		errs = append(errs, <-ended)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	f.Figure("time to spare when all were added", "%s", first.Sub(f.Now()).Round(100*time.Millisecond))
	began, read := 0, 0
	return f.Witness.Wait(ctx, "ten thousand runs", func(seen []history.Execution) bool {
		for ; read < len(seen); read++ {
			if strings.HasPrefix(seen[read].JobID, "herd-") {
				began++
			}
		}
		return began >= jobs
	})
}
