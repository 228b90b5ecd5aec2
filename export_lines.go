package carillon

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// WriteExport writes the calendars and then the jobs of one store, or of all stores without InStore, as
// JSON lines that `carillon store import` reads. Jobs are as Export returns them. Nothing is written
// before all is read; the caller flushes and closes w.
func (c *Client) WriteExport(ctx context.Context, w io.Writer, opts ...CallOption) error {
	x, err := c.readExport(ctx, opts...)
	if err != nil {
		return err
	}
	return x.writeTo(w)
}

// exported is what a file of an export has.
type exported struct {
	calendars []Calendar
	jobs      []Job
}

// readExport reads jobs first: the calendars that they refer to stay while they do.
func (c *Client) readExport(ctx context.Context, opts ...CallOption) (x exported, err error) {
	if x.jobs, err = ofStores(ctx, c, opts, c.Export); err == nil {
		x.calendars, err = ofStores(ctx, c, opts, c.Calendars)
	}
	return x, err
}

// ofStores is what read returns of the store that opts name, or of all stores.
func ofStores[T any](ctx context.Context, c *Client, opts []CallOption, read func(context.Context, ...CallOption) ([]T, error)) ([]T, error) {
	if callOf(opts).store != "" {
		return read(ctx, opts...)
	}
	var all []T
	for _, name := range c.Stores() {
		some, err := read(ctx, append(opts[:len(opts):len(opts)], InStore(name))...)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (x exported) empty() bool { return len(x.calendars) == 0 && len(x.jobs) == 0 }

// writeTo writes the lines, calendars first.
func (x exported) writeTo(w io.Writer) error {
	buffered := bufio.NewWriter(w)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	for _, one := range x.calendars {
		if err := lines.Encode(map[string]Calendar{"calendar": one}); err != nil {
			return fmt.Errorf("carillon: export: calendar %s: %w", one.Name, err)
		}
	}
	for _, j := range x.jobs {
		if err := lines.Encode(j); err != nil {
			return fmt.Errorf("carillon: export: job %s: %w", j.ID, err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("carillon: export: %w", err)
	}
	return nil
}
