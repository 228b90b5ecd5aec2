package store

import (
	"context"
	"crypto/sha1" //nolint:gosec // it is what scripts can compute; it compares, and protects nothing
	"encoding/hex"
)

// Sighting is a job in run_times that cannot be used, as the leader read it.
type Sighting struct {
	DueJob
	Header *Header // nil when there is no job, or its header cannot be read
	Digest string  // of the stored value when its header cannot be read; "" when there is none
}

// Park takes a job that cannot be used out of run_times; its record stays byte for byte. It reports false,
// and changes nothing, unless the run time, and the header or the digest, are those that were read: the job
// may have been removed, changed, or removed and added again since.
func (s *Store) Park(ctx context.Context, partition int, o Office, seen Sighting, reason string) (parked bool, err error) {
	k := s.partitions[partition]
	old, header := "", ""
	if seen.Header != nil {
		old = seen.Header.Encode()
		h := *seen.Header
		h.State, h.Reason = Parked, clean(reason)
		header = h.Encode()
	}
	t, err := s.office(ctx, parkScript, o, []string{k.events(), k.jobs(), k.fence(), k.runTimes()},
		seen.ID, seen.score(), old, header, clean(reason), seen.Digest)
	return err == nil && len(t) > 0 && t[0] == "PARKED", err
}

// digestOf is the SHA1 of a stored value, in hex, as redis.sha1hex gives it.
func digestOf(value string) string {
	sum := sha1.Sum([]byte(value))
	return hex.EncodeToString(sum[:])
}
