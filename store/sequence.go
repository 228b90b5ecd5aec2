package store

import "sync/atomic"

// sequence is how far a partition is known to have been dispatched, whoever led. Its zero value
// knows nothing.
type sequence struct{ known atomic.Int64 }

// atLeast notes that the partition was dispatched as far as n.
func (s *sequence) atLeast(n int64) {
	for {
		known := s.known.Load()
		if n <= known || s.known.CompareAndSwap(known, n) {
			return
		}
	}
}
