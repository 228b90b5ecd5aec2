package store

import (
	"errors"
	"fmt"
)

// Sentinels to branch on with errors.Is. The errors that carry them say what to do.
var (
	ErrConflictingID   = errors.New("conflicting job id")
	ErrJobNotFound     = errors.New("job not found")
	ErrRunNotFound     = errors.New("run not found")
	ErrRunFollows      = errors.New("run follows another in its slot")
	ErrLineFull        = errors.New("line for a slot is full")
	ErrFenced          = errors.New("fenced: a newer leader has taken office")
	ErrEpoch           = errors.New("term_regressed: the fence belongs to another incarnation of etcd")
	ErrPaused          = errors.New("scheduler is paused")
	ErrUnknownExecutor = errors.New("unknown executor")
	ErrUnknownTask     = errors.New("unknown task")
	ErrUnknownStore    = errors.New("unknown store")
	ErrStoreLost       = errors.New("store_lost")
	ErrNotInitialised  = errors.New("store is not initialised")
	ErrUnfit           = errors.New("redis is not fit for use")
	ErrNotReplicated   = errors.New("stored, but not by enough replicas")
	ErrUnreachable     = errors.New("redis is unreachable")
	ErrChanged         = errors.New("job was changed meanwhile")
	ErrNotStarted      = errors.New("nothing was started")
	ErrNewerFormat     = errors.New("record of a newer format")
	ErrUnreadable      = errors.New("unreadable record")

	ErrCalendarNotFound = errors.New("calendar not found")
	ErrCalendarInUse    = errors.New("calendar is in use")
	ErrCalendarsChanged = errors.New("calendars were changed meanwhile")
)

func conflicting(id string) error {
	return fmt.Errorf("store: add job: %w: %q is taken; choose another id, or replace the existing job", ErrConflictingID, id)
}

func notFound(op, id string) error {
	return fmt.Errorf("store: %s: %w: no job has the id %q", op, ErrJobNotFound, id)
}

func runNotFound(id, why string) error {
	return fmt.Errorf("store: %w: %q: %s", ErrRunNotFound, id, why)
}
