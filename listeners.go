package carillon

import (
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// listeners hear the events of one node, each those of its mask.
type listeners struct {
	log  hclog.Logger
	mu   sync.RWMutex
	next int
	all  map[int]listener
}

type listener struct {
	mask EventMask
	f    func(Event)
}

// AddListener calls f for every event of this node whose kind is in mask: what its executors
// start and end, and its own coming and going. Events of one run come in order; those of
// different runs may come from several goroutines at once. A panic in f is logged and swallowed.
// remove takes the listener off again; calls under way may still end after it. To hear the whole
// cluster use Client.Subscribe.
func (n *Node) AddListener(mask EventMask, f func(Event)) (remove func()) {
	l := &n.listeners
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[int]listener{}
	}
	id := l.next
	l.next++
	l.all[id] = listener{mask: mask, f: f}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.all, id)
	}
}

func (l *listeners) tell(e Event) {
	l.mu.RLock()
	var hear []listener
	for id := range l.next {
		if one, ok := l.all[id]; ok && one.mask.Has(e.Kind) {
			hear = append(hear, one)
		}
	}
	l.mu.RUnlock()
	for _, one := range hear {
		l.call(one.f, e)
	}
}

func (l *listeners) call(f func(Event), e Event) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("listener panicked", "event", string(e.Kind), "job", e.JobID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	f(e)
}
