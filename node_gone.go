package carillon

import (
	"slices"
	"sync"
)

// goneKept is how many processes that are gone are remembered.
const goneKept = 256

// gone is the processes that were proven gone, by consumer name: a boot never comes back, so what is
// known of it stays true, and a follower keeps it until it may lead.
type gone struct {
	mu        sync.Mutex
	consumers []string // the oldest first
	more      chan struct{}
}

func newGone() *gone { return &gone{more: make(chan struct{})} }

func (g *gone) add(consumer string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if slices.Contains(g.consumers, consumer) {
		return
	}
	g.consumers = append(g.consumers, consumer)
	if len(g.consumers) > goneKept {
		g.consumers = slices.Delete(g.consumers, 0, 1)
	}
	close(g.more)
	g.more = make(chan struct{})
}

// moved tells those who wait for more that the members are others.
func (g *gone) moved() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.more)
	g.more = make(chan struct{})
}

// all returns them, and a channel that closes when there are more, or the members are others.
func (g *gone) all() (consumers []string, more <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.consumers), g.more
}
