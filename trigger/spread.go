package trigger

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Spread returns how long after nominal the run of the job uid is due, in whole milliseconds. The
// offset is at least 0 and below both the jitter bound of t and the gap to its next nominal time, so
// that jitter neither reorders nor joins runs. It is a hash of uid and of nominal in milliseconds
// (rounded up): the same on every node and in every version.
func Spread(t Trigger, uid string, nominal time.Time) time.Duration {
	bound := Jitter(t)
	if bound == 0 {
		return 0
	}
	if next := t.Next(nominal); !next.IsZero() {
		bound = min(bound, next.Sub(nominal))
	}
	choices := uint64((bound + time.Millisecond - 1) / time.Millisecond)
	if choices == 0 {
		return 0
	}
	seed := binary.BigEndian.AppendUint64([]byte(uid), uint64(ceilMilli(nominal).UnixMilli()))
	digest := sha256.Sum256(seed)
	pick := binary.BigEndian.Uint64(digest[:8]) % choices
	return time.Duration(pick) * time.Millisecond
}
