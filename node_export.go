package carillon

import (
	"context"
	"io"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/store"
)

const (
	exportLook     = 5 * time.Second  // how often a leader looks whether an export is due
	exportRetry    = time.Minute      // and after one failed
	minExportEvery = 10 * time.Second // of Config.ExportEvery
)

// exportStores writes exports of every store into Config.ExportDir while this node leads group 0, until
// ctx ends. It is no part of the office, so that a disk that hangs holds up neither dispatch nor handover.
func (r *running) exportStores(ctx context.Context) {
	if r.cfg.ExportDir == "" {
		return
	}
	var wg sync.WaitGroup
	for _, s := range r.client.stores {
		x := r.exporterOf(s)
		wg.Go(func() { x.run(ctx) })
	}
	wg.Wait()
}

func (r *running) exporterOf(s *store.Store) *exporter {
	return &exporter{
		files: exportFiles{
			dir: r.cfg.ExportDir, keep: r.cfg.ExportKeep,
			mark: "." + url.QueryEscape(s.Name()) + "@" + url.QueryEscape(r.cfg.Cluster) + ".jsonl",
		},
		every: r.cfg.ExportEvery,
		leads: func() bool { return r.ring.Term(0) != 0 },
		now: func(ctx context.Context) (time.Time, error) {
			ms, err := s.Now(ctx, 0)
			return milliTime(ms), err
		},
		fill: func(ctx context.Context, w io.Writer) (exported, error) {
			return r.client.writeExport(ctx, w, InStore(s.Name()))
		},
		log:   r.log.With("store", s.Name()),
		count: func(outcome string) { r.meters.exports.WithLabelValues(s.Name(), outcome).Inc() },
	}
}

// exporter writes the exports of one store.
type exporter struct {
	files exportFiles
	every time.Duration
	leads func() bool
	now   func(context.Context) (time.Time, error) // of Redis, so that leaders agree
	fill  func(context.Context, io.Writer) (exported, error)
	log   hclog.Logger
	count func(outcome string) // written or failed
}

// run writes an export whenever this node leads and the newest file is older than a period, until ctx
// ends.
func (x *exporter) run(ctx context.Context) {
	for {
		wait := exportLook
		if x.leads() {
			if err := x.round(ctx); err != nil && ctx.Err() == nil {
				x.log.Error("store not exported", "error", err, "again_in", exportRetry)
				x.count("failed")
				wait = exportRetry
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// round writes an export if one is due. A store without jobs and calendars has none: files of what it
// held before are worth more.
func (x *exporter) round(ctx context.Context) error {
	now, err := x.now(ctx)
	if err != nil {
		return err
	}
	newest, err := x.files.newest(now)
	if err != nil || now.Sub(newest) < x.every {
		return err
	}
	name, what, err := x.files.write(now, func(w io.Writer) (exported, error) { return x.fill(ctx, w) })
	if err != nil || what.empty() {
		return err
	}
	x.count("written")
	x.log.Info("store exported", "file", name, "jobs", what.jobs, "calendars", what.calendars)
	return x.files.prune(name)
}
