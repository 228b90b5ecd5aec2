package carillon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// ErrPlanOutdated is wrapped when a job was changed after the plan had been made.
var ErrPlanOutdated = errors.New("plan is outdated")

// Applied is what became of one Change.
type Applied struct {
	Change
	Stored *Job  // as it is stored; nil when it is not, or the change failed
	Err    error // why the change was not made
}

// Apply carries out a plan, one change after another, and returns what became of each, in order. It
// writes what the plan shows or nothing: a job that somebody changed, added or removed since fails
// with ErrPlanOutdated or ErrConflictingID, and stays. A failure does not stop the others; the
// error joins all. Updates keep the job's identity, pause, and, unless its trigger changes, its phase
// and backlog. Removals are those of RemoveJob.
func (c *Client) Apply(ctx context.Context, p Plan) ([]Applied, error) {
	done := make([]Applied, len(p.Changes))
	var faults []error
	for i, change := range p.Changes {
		done[i].Change = change
		stored, err := c.carryOut(ctx, change)
		if err != nil {
			done[i].Err = fmt.Errorf("carillon: apply: job %q: %w", change.Job.ID, err)
			faults = append(faults, done[i].Err)
			continue
		}
		done[i].Stored = stored
	}
	return done, errors.Join(faults...)
}

func (c *Client) carryOut(ctx context.Context, change Change) (*Job, error) {
	var j Job
	var err error
	switch change.Action {
	case ActionAdd:
		j, err = c.AddJob(ctx, change.Job)
	case ActionUpdate:
		j, err = c.applyUpdate(ctx, change)
	case ActionRemove:
		return nil, c.applyRemoval(ctx, change)
	case ActionUnchanged:
		j = change.old.Document()
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &j, nil
}

func (c *Client) applyUpdate(ctx context.Context, change Change) (Job, error) {
	s, err := c.store(change.Job.Store)
	if err != nil {
		return Job{}, err
	}
	now, err := s.Now(ctx, 0)
	if err != nil {
		return Job{}, err
	}
	wanted := change.Job
	wanted.NextRunTime = job.NextRun{}
	e, err := newEntry(wanted, now)
	if err != nil {
		return Job{}, err
	}
	var skipped Row
	return c.change(ctx, s, wanted.ID, job.JobModified, "applied", func(old store.Entry) (updated store.Entry, err error) {
		if err := change.current(old); err != nil {
			return old, err
		}
		updated, skipped, err = replaced(old, e, time.UnixMilli(now), almanacOf(ctx, s, wanted.ID))
		return updated, err
	}, &skipped)
}

// current reports whether a stored job is the one that the change was planned for. A dispatch
// does not change the version.
func (change Change) current(e store.Entry) error {
	if e.UID != change.old.UID || e.Version != change.old.Version {
		return fmt.Errorf("%w: it was changed meanwhile; plan again", ErrPlanOutdated)
	}
	return nil
}

func (c *Client) applyRemoval(ctx context.Context, change Change) error {
	s, err := c.store(change.Job.Store)
	if err != nil {
		return err
	}
	e, err := s.Get(ctx, change.Job.ID)
	if err == nil {
		err = change.current(e)
	}
	if err != nil {
		return err
	}
	return s.RemoveIf(ctx, uuid.NewString(), change.Job.ID, change.old.UID)
}
