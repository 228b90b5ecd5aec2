package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

// backfillFlags are what a backfill is of.
type backfillFlags struct {
	from, to, request string
	limit             int
}

func (a *app) jobBackfillCommand() *cobra.Command {
	var f backfillFlags
	c := &cobra.Command{
		Use: "backfill ID --from TIME --to TIME", Short: "Run a job once for each of its times in the past", Args: takes("ID"),
		Long: "Runs a job for each due time of its trigger in a range, both ends included,\n" +
			"whether it ran then or not. A repeat with the same --request within 24 hours\n" +
			"makes no second run of any time.",
		Example: "  carillon job backfill nightly --from 2026-01-01T00:00:00Z \\\n" +
			"    --to 2026-01-31T23:59:59Z",
	}
	c.Flags().StringVar(&f.from, "from", "", "first `TIME`, RFC 3339")
	c.Flags().StringVar(&f.to, "to", "", "last `TIME`, RFC 3339 (default now)")
	c.Flags().StringVar(&f.request, "request", "", "`ID` that makes a repeat safe (default a new one)")
	c.Flags().IntVar(&f.limit, "limit", carillon.MaxBackfill, "refuse more runs than this")
	c.RunE = func(cmd *cobra.Command, args []string) error { return a.backfill(cmd.Context(), args[0], f) }
	return c
}

func (a *app) backfill(ctx context.Context, id string, f backfillFlags) error {
	if f.from == "" {
		return usagef("--from: is missing; give the first time of the range")
	}
	if f.limit < 1 || f.limit > carillon.MaxBackfill {
		return usagef("--limit: %d is not between 1 and %d", f.limit, carillon.MaxBackfill)
	}
	from, err := instant("--from", f.from)
	if err != nil {
		return usage(err)
	}
	var to time.Time
	if f.to != "" {
		if to, err = instant("--to", f.to); err != nil {
			return usage(err)
		}
	}
	if f.request == "" {
		f.request = uuid.NewString()
	}
	return a.withClient(ctx, func(c *carillon.Client, in []carillon.CallOption) error {
		ids, err := c.Backfill(ctx, id, from, to, f.limit, f.request, in...)
		if err != nil {
			return err
		}
		if ids == nil {
			ids = []string{}
		}
		answer := map[string]any{"job_id": id, "request_id": f.request, "run_ids": ids}
		return a.answer(answer, func(w io.Writer) { fmt.Fprintf(w, "%d runs of %s, request %s\n", len(ids), id, f.request) })
	})
}
