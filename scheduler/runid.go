package scheduler

import (
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
	name := make([]byte, 0, len(jobUID)+20)
	name = append(append(name, jobUID...), '/')
	return uuid.NewSHA1(namespace, strconv.AppendInt(name, nominal, 10)).String()
}
