package store

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// told is where go-redis' own talk goes: to the logger of the store that was opened last and is open
// still. The library has one logger for the whole process, which writes to standard error unless
// somebody sets another.
var told talk

type talk struct {
	once sync.Once
	mu   sync.Mutex
	open []*Store
}

// to adds a store's logger, and takes the library's own away when it is the first.
func (t *talk) to(s *Store) {
	t.once.Do(func() { redis.SetLogger(t) })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = append(t.open, s)
}

// noMore takes it off again; nothing is written to it afterwards.
func (t *talk) noMore(s *Store) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.open, s); i >= 0 {
		t.open = slices.Delete(t.open, i, i+1)
	}
}

// Printf is what go-redis calls. What fails is returned to the caller as an error as well.
func (t *talk) Printf(_ context.Context, format string, v ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.open); n > 0 {
		t.open[n-1].log.Debug("redis client", "says", fmt.Sprintf(format, v...))
	}
}
