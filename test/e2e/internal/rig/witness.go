package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// Witness is an HTTP server that records every execution of a job whose task http posts to it. Its
// methods may be called from several goroutines.
type Witness struct {
	now    func() time.Time
	owners func() map[int]string
	server *http.Server
	addr   string
	served chan error

	mu      sync.Mutex
	seen    []history.Execution
	changed chan struct{}            // closed and replaced at each change
	held    map[string]chan struct{} // by name, closed by Release
}

// newWitness serves on a free loopback port. owners tells which processes may be calling, by id.
func newWitness(now func() time.Time, owners func() map[int]string) (*Witness, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("rig: witness: %w", err)
	}
	w := &Witness{
		now: now, owners: owners, addr: l.Addr().String(), served: make(chan error, 1),
		changed: make(chan struct{}), held: map[string]chan struct{}{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /run", w.serve)
	w.server = &http.Server{Handler: mux, ConnContext: w.identify, ReadHeaderTimeout: 10 * time.Second}
	go func() { w.served <- w.server.Serve(l) }()
	return w, nil
}

// URL is where a job posts to be answered after the given time.
func (w *Witness) URL(take time.Duration) string {
	return fmt.Sprintf("http://%s/run?take=%s", w.addr, take)
}

// HoldURL is where a job posts whose first attempts are answered only after Release of the name, and
// later attempts after the given time.
func (w *Witness) HoldURL(name string, take time.Duration) string {
	return w.URL(take) + "&hold=" + url.QueryEscape(name)
}

// Release answers what is held under the name, and holds nothing under it from now on. It is called
// once for a name.
func (w *Witness) Release(name string) { close(w.hold(name)) }

// hold is closed when what is held under the name may be answered.
func (w *Witness) hold(name string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held[name] == nil {
		w.held[name] = make(chan struct{})
	}
	return w.held[name]
}

// Executions returns what was seen so far, in order of arrival.
func (w *Witness) Executions() []history.Execution {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// Wait returns when what was seen so far satisfies enough, or with an error when ctx ends. enough is
// called at every arrival and every answer and must not keep the slice.
func (w *Witness) Wait(ctx context.Context, what string, enough func([]history.Execution) bool) error {
	for {
		w.mu.Lock()
		ok, changed := enough(w.seen), w.changed
		w.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("rig: witness: did not see %s: %w", what, ctx.Err())
		}
	}
}

// Close ends the server and cuts its connections.
func (w *Witness) Close() error {
	err := w.server.Close()
	if served := <-w.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

type ownerKey struct{}

// identify attaches to each connection a function that finds, once, the process behind it.
func (w *Witness) identify(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, ownerKey{}, sync.OnceValue(func() string {
		return ownerOf(c, w.owners())
	}))
}

// payload is the part of the request's body that headers do not repeat.
type payload struct {
	JobID     string    `json:"job_id"`
	Scheduled time.Time `json:"scheduled_time"`
	Attempt   int       `json:"attempt"`
}

func (w *Witness) serve(out http.ResponseWriter, in *http.Request) {
	arrived := w.now()
	var body payload
	text, err := io.ReadAll(io.LimitReader(in.Body, 1<<20)) // to its end: only then is a cut noticed
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	take, _ := time.ParseDuration(in.URL.Query().Get("take"))
	owner, _ := in.Context().Value(ownerKey{}).(func() string)
	node := ""
	if owner != nil {
		node = owner()
	}
	i := w.note(history.Execution{
		RunID: in.Header.Get("Webhook-Id"), JobID: body.JobID, Scheduled: body.Scheduled,
		Attempt: body.Attempt, Node: node, Arrived: arrived,
	})
	var held <-chan struct{}
	if name := in.URL.Query().Get("hold"); name != "" && body.Attempt == 1 {
		held = w.hold(name)
	}
	answered := pass(in, take, held)
	w.mu.Lock()
	w.seen[i].Ended, w.seen[i].Answered = w.now(), answered
	w.announce()
	w.mu.Unlock()
	out.WriteHeader(http.StatusNoContent)
}

// pass waits until it is time to answer, after a while or, when held is not nil, after its end, and
// reports whether the connection was still there then.
func pass(in *http.Request, take time.Duration, held <-chan struct{}) bool {
	if held != nil {
		select {
		case <-held:
		case <-in.Context().Done():
		}
	} else if take > 0 {
		timer := time.NewTimer(take)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-in.Context().Done():
		}
	}
	return in.Context().Err() == nil
}

// note records an arrival and returns its place.
func (w *Witness) note(e history.Execution) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, e)
	w.announce()
	return len(w.seen) - 1
}

// announce needs w.mu.
func (w *Witness) announce() {
	close(w.changed)
	w.changed = make(chan struct{})
}
