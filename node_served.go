package carillon

import (
	"slices"
	"sync"
)

// roll tells those who ask when the members of the cluster have changed.
type roll struct {
	mu      sync.Mutex
	changed chan struct{}
}

func newRoll() *roll { return &roll{changed: make(chan struct{})} }

// next closes at the next change.
func (r *roll) next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// turn says that the members have changed.
func (r *roll) turn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
}

// served reports whether a member that serves the executor lists the task. As long as this node does not see
// itself among the members, it has not heard who there is, and leaves the task to others.
func (r *running) served(executor, task string) bool {
	informed := false
	for _, m := range r.ring.Members() {
		if _, serves := m.Executors[executor]; serves && slices.Contains(m.Tasks, task) {
			return true
		}
		informed = informed || m.Boot == r.boot
	}
	return !informed
}

// servedTasks are the tasks that members serve, sorted, by executor; a channel that closes when the members
// change; and whether this node has heard who there is.
func (r *running) servedTasks() (served map[string][]string, changed <-chan struct{}, informed bool) {
	changed = r.roll.next()
	served = map[string][]string{}
	for _, m := range r.ring.Members() {
		for executor := range m.Executors {
			served[executor] = append(served[executor], m.Tasks...)
		}
		informed = informed || m.Boot == r.boot
	}
	for executor, tasks := range served {
		slices.Sort(tasks)
		served[executor] = slices.Compact(tasks)
	}
	return served, changed, informed
}
