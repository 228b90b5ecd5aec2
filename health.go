package carillon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/store"
)

// mountHealth serves /healthz, /readyz and /metrics beside the liveness of the cluster.
func (r *running) mountHealth(l *cluster.Listener) {
	l.Handle("GET /healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"status": "ok", "node": r.cfg.Name})
	}))
	l.Handle("GET /readyz", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		why, unreached := r.notReady(req.Context())
		status, body := http.StatusOK, map[string]any{"status": "ready", "node": r.cfg.Name}
		if len(unreached) > 0 {
			body["unreached"] = unreached
		}
		if len(why) > 0 {
			status, body["status"], body["reasons"] = http.StatusServiceUnavailable, "not ready", why
		}
		answer(w, status, body)
	}))
	metrics := promhttp.HandlerFor(r.meters.registry, promhttp.HandlerOpts{})
	l.Handle("GET /metrics", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.measureQueues(req.Context())
		r.measurePauses(req.Context())
		r.measureUnserved(req.Context())
		r.meters.watched.Set(float64(r.ring.Watched()))
		metrics.ServeHTTP(w, req)
	}))
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller has gone; there is nobody to tell
}

// notReady says, in sentences, why the node should get no work; nothing when it is ready. A node that
// reaches any partition of a store is, and is told which ones it does not reach.
func (r *running) notReady(ctx context.Context) (why, unreached []string) {
	select {
	case <-r.ready:
	default:
		why = append(why, "the node is not a member of the cluster yet, or does not consume yet")
	}
	select {
	case <-r.stop:
		why = append(why, "the node is shutting down")
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, name := range r.client.Stores() {
		lost, away := r.examine(ctx, r.client.stores[name])
		why, unreached = append(why, lost...), append(unreached, away...)
	}
	if cause := r.regressed.why(); cause != "" {
		why = append(why, cause)
	}
	return why, unreached
}

// examine asks every partition of a store: lost says what keeps the node from work there, away which
// partitions do not answer while others do.
func (r *running) examine(ctx context.Context, s *store.Store) (lost, away []string) {
	faults := s.VerifyEach(ctx)
	for p, err := range faults {
		switch {
		case errors.Is(err, ErrStoreLost):
			return []string{err.Error()}, nil
		case err != nil:
			away = append(away, fmt.Sprintf("partition %d: %s", p, err))
		}
	}
	if len(away) == len(faults) {
		return []string{faults[0].Error()}, nil
	}
	return nil, away
}

// measureQueues reads the lengths of the work streams for a scrape.
func (r *running) measureQueues(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, name := range r.client.Stores() {
		for _, executor := range r.executorNames() {
			n, err := r.client.stores[name].StreamLength(ctx, executor)
			if err != nil {
				r.log.Debug("queue depth not measured", "store", name, "executor", executor, "error", err)
				continue
			}
			r.meters.queue.WithLabelValues(name, executor).Set(float64(n))
		}
	}
}

// measurePauses reads which executors are paused, for a scrape.
func (r *running) measurePauses(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, name := range r.client.Stores() {
		s := r.client.stores[name]
		on := map[string]float64{}
		for p := range s.Partitions() {
			paused, err := s.PausedExecutors(ctx, p)
			if err != nil {
				r.log.Debug("pauses of executors not measured", "store", name, "error", err)
				return
			}
			for executor := range paused {
				on[executor] = 1
			}
		}
		for _, executor := range r.executorNames() {
			r.meters.paused.WithLabelValues(name, executor).Set(on[executor])
		}
	}
}

// measureUnserved reads how many runs wait for a node that serves their task, for a scrape.
func (r *running) measureUnserved(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, name := range r.client.Stores() {
		n, err := r.client.stores[name].UnservedRuns(ctx)
		if err != nil {
			r.log.Debug("unserved runs not measured", "store", name, "error", err)
			continue
		}
		r.meters.unserved.WithLabelValues(name).Set(float64(n))
	}
}
