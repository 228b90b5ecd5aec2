package carillon

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/carillon-project/carillon/cluster"
)

// mountHealth serves /healthz, /readyz and /metrics beside the liveness of the cluster.
func (r *running) mountHealth(l *cluster.Listener) {
	l.Handle("GET /healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"status": "ok", "node": r.cfg.Name})
	}))
	l.Handle("GET /readyz", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		why := r.notReady(req.Context())
		if len(why) == 0 {
			answer(w, http.StatusOK, map[string]any{"status": "ready", "node": r.cfg.Name})
			return
		}
		answer(w, http.StatusServiceUnavailable, map[string]any{"status": "not ready", "node": r.cfg.Name, "reasons": why})
	}))
	metrics := promhttp.HandlerFor(r.meters.registry, promhttp.HandlerOpts{})
	l.Handle("GET /metrics", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.measureQueues(req.Context())
		r.measurePauses(req.Context())
		r.meters.watched.Set(float64(r.ring.Watched()))
		metrics.ServeHTTP(w, req)
	}))
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller has gone; there is nobody to tell
}

// notReady says, in sentences, why the node should get no work; nothing when it is ready.
func (r *running) notReady(ctx context.Context) []string {
	var why []string
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
		if err := r.client.stores[name].VerifyAll(ctx); err != nil {
			why = append(why, err.Error())
		}
	}
	if cause := r.regressed.why(); cause != "" {
		why = append(why, cause)
	}
	return why
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
