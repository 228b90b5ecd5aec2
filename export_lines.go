package carillon

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// WriteExport writes the calendars and jobs of one store, or of all stores without InStore, as JSON
// lines that `carillon store import` reads. Jobs are as Export returns them, in no order, each once and
// as it was at some moment meanwhile; one that is added or removed meanwhile may be missing. The
// calendars that a job refers to stand before it.
//
// However large the store is, a page of its jobs is in memory, the calendars, and some ten bytes for
// each job. After an error what was written is not whole: ErrStoreLost when the database is not, or
// not any more, the one that was opened. The caller flushes and closes w.
func (c *Client) WriteExport(ctx context.Context, w io.Writer, opts ...CallOption) error {
	_, err := c.writeExport(ctx, w, opts...)
	return err
}

// exported counts what an export has.
type exported struct{ calendars, jobs int }

func (x exported) empty() bool { return x == exported{} }

func (c *Client) writeExport(ctx context.Context, w io.Writer, opts ...CallOption) (exported, error) {
	names := c.Stores()
	if one := callOf(opts).store; one != "" {
		names = []string{one}
	}
	buffered := bufio.NewWriter(w)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	var all exported
	for _, name := range names {
		s, err := c.store(name)
		if err != nil {
			return all, err
		}
		x := exportLines{store: s, lines: lines, calendars: map[string]bool{}}
		if err := x.write(ctx); err != nil {
			return all, err
		}
		all.calendars, all.jobs = all.calendars+len(x.calendars), all.jobs+x.jobs
	}
	if err := buffered.Flush(); err != nil {
		return all, fmt.Errorf("carillon: export: %w", err)
	}
	return all, nil
}

// exportLines writes the lines of one store.
type exportLines struct {
	store     *store.Store
	lines     *json.Encoder
	calendars map[string]bool // those written
	jobs      int             // how many were written
}

// write writes the lines, and fails if the database was emptied or replaced meanwhile.
func (x *exportLines) write(ctx context.Context) error {
	if err := x.writeCalendars(ctx); err != nil {
		return err
	}
	// A page of a hash that grows or shrinks may bring a job again. Two ids of one sum are one export in
	// ten million at a million jobs, and in the next the sums are others.
	seed, seen := maphash.MakeSeed(), map[uint64]struct{}{}
	var fault error
	err := x.store.EachJob(ctx, func(e store.Entry) bool {
		sum := maphash.String(seed, e.Job.ID)
		if _, again := seen[sum]; again {
			return true
		}
		seen[sum] = struct{}{}
		fault = x.writeJob(ctx, e)
		return fault == nil
	})
	if err := cmp.Or(fault, err); err != nil {
		return err
	}
	return x.store.VerifyAll(ctx)
}

// writeCalendars writes those calendars that it has not yet.
func (x *exportLines) writeCalendars(ctx context.Context) error {
	all, err := calendarsOf(ctx, x.store)
	if err != nil {
		return err
	}
	for _, one := range all {
		if x.calendars[one.Name] {
			continue
		}
		if err := x.lines.Encode(map[string]Calendar{"calendar": one}); err != nil {
			return fmt.Errorf("carillon: export: calendar %s: %w", one.Name, err)
		}
		x.calendars[one.Name] = true
	}
	return nil
}

// writeJob writes a job, behind calendars that it refers to and that are newer than the export. When
// such a one is gone already the job has been changed or removed since it was read.
func (x *exportLines) writeJob(ctx context.Context, e store.Entry) error {
	if !x.refersToWritten(e) {
		if err := x.writeCalendars(ctx); err != nil {
			return err
		}
	}
	if !x.refersToWritten(e) {
		now, err := x.store.Get(ctx, e.Job.ID)
		if errors.Is(err, ErrJobNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		e = now
	}
	if err := x.lines.Encode(carriedOn(e)); err != nil {
		return fmt.Errorf("carillon: export: job %s: %w", e.Job.ID, err)
	}
	x.jobs++
	return nil
}

func (x *exportLines) refersToWritten(e store.Entry) bool {
	names, err := trigger.Calendars(e.Job.Trigger)
	if err != nil { // a trigger that cannot be read, which the leader parks
		return true
	}
	for _, name := range names {
		if !x.calendars[name] {
			return false
		}
	}
	return true
}
