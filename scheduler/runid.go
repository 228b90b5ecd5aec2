package scheduler

import (
	"crypto/sha1" // as RFC 9562 has it for version 5
	"strconv"

	"github.com/google/uuid"
)

// RunID returns the id of the run of a job for one nominal time, in Unix milliseconds: the UUIDv5 of
// the job's uid and the time in the namespace of the store's uid. A dispatch that is sent again is
// the same run, and a job that is removed and added again has other ones. It never fails: a store
// uid that is no UUID becomes part of the name.
func RunID(storeUID, jobUID string, nominal int64) string {
	namespace, err := uuid.Parse(storeUID)
	if err != nil {
		namespace, jobUID = uuid.Nil, storeUID+"/"+jobUID
	}
	var space [160]byte
	name := append(append(append(space[:0], namespace[:]...), jobUID...), '/')
	sum := sha1.Sum(strconv.AppendInt(name, nominal, 10)) // an id by RFC 9562, no secret
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x50 // version 5
	id[8] = id[8]&0x3f | 0x80 // variant of the RFC
	return id.String()
}
