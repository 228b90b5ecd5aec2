package executor

import "sync"

// tally counts what Run must wait for: readers, and attempts until they are settled. Readers count
// from the beginning and attempts come from readers or from other attempts, so it reaches zero
// once.
type tally struct {
	mu   sync.Mutex
	n    int
	zero chan struct{}
}

func (t *tally) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += n
}

func (t *tally) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 {
		close(t.zero)
	}
}
