package store

import "sync"

// warnedLimit is how many subjects are remembered.
const warnedLimit = 10_000

// warned remembers what was logged, so that what is found again at each look is logged once. It forgets all
// when there is too much.
type warned struct {
	mu   sync.Mutex
	seen map[string]bool
}

// first reports whether a subject is seen for the first time.
func (w *warned) first(subject string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[subject] {
		return false
	}
	if len(w.seen) >= warnedLimit || w.seen == nil {
		w.seen = map[string]bool{}
	}
	w.seen[subject] = true
	return true
}

// warnOnce logs a fault that lasts, once for each subject in a key.
func (s *Store) warnOnce(message, key, subject string, args ...any) {
	if s.warned.first(message + "\n" + key + "\n" + subject) {
		s.log.Warn(message, append(args, "key", key, "remedy", "carillon store check says what to do")...)
	}
}
