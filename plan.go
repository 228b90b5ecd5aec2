package carillon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// ManagedBy is the label that marks the jobs of a JobSet; its value is the set's name.
const ManagedBy = "carillon.managed-by"

// ErrOtherSet is wrapped when a job belongs to another JobSet.
var ErrOtherSet = errors.New("job of another set")

// JobSet is jobs as they ought to be, for Plan. Without Prune it says nothing of other jobs.
type JobSet struct {
	Name string // marks the jobs that Apply adds; default "default"
	Jobs []Job  // each with an id

	// Prune removes the jobs marked with Name, in any store of the call, that Jobs does not hold.
	Prune bool
	// AllowEmpty lets Prune remove all of them, when Jobs is empty.
	AllowEmpty bool
	// Adopt marks those of Jobs that are there already, unmarked or as another set's. Without it
	// unmarked ones stay so, and are never pruned, and another set's are refused.
	Adopt bool
}

// Action is what Apply does to one job.
type Action string

// The actions of a plan.
const (
	ActionAdd       Action = "add"
	ActionUpdate    Action = "update"
	ActionRemove    Action = "remove"
	ActionUnchanged Action = "unchanged" // it is as it ought to be, and nothing is written
	ActionEnded     Action = "ended"     // it is not there, and its trigger has no time left
)

// Change is what becomes of one job.
type Change struct {
	Action Action
	Job    Job           // as it ought to be, with all defaults; of a removal as it is
	Fields []FieldChange // of an update

	old store.Entry // what the plan was made from
}

// Plan is what it takes to make the stores as a JobSet says: a Change per job of the set, in its
// order, then the removals by store and id.
type Plan struct {
	Changes []Change
}

// Count is how many changes have the action.
func (p Plan) Count(a Action) int {
	n := 0
	for _, c := range p.Changes {
		if c.Action == a {
			n++
		}
	}
	return n
}

// Plan compares a set with the stores and writes nothing. All that AddJob would refuse is refused
// here, together, each with its job; ErrOtherSet too. A job is compared as it was given: next_run_time
// counts when it is added, and pause and phase are not looked at. InStore is the store of jobs that
// name none, and the only one that is pruned.
func (c *Client) Plan(ctx context.Context, set JobSet, opts ...CallOption) (Plan, error) {
	o := callOf(opts)
	if set.Name == "" {
		set.Name = job.DefaultName
	}
	if err := job.ValidID("set", set.Name); err != nil {
		return Plan{}, fmt.Errorf("carillon: plan: %w", err)
	}
	if set.Prune && len(set.Jobs) == 0 && !set.AllowEmpty {
		return Plan{}, fmt.Errorf("carillon: plan: the set is empty, and every job of %q would be removed; allow that aloud if it is meant", set.Name)
	}
	changes, declared, err := c.declared(ctx, set, o.store)
	if err == nil && set.Prune {
		var removals []Change
		removals, err = c.superfluous(ctx, set.Name, declared, o.store)
		changes = append(changes, removals...)
	}
	if err != nil {
		return Plan{}, err
	}
	return Plan{changes}, nil
}

// place is where a job is stored, and under which id.
type place struct{ store, id string }

// declared plans each job of the set, and says which they are.
func (c *Client) declared(ctx context.Context, set JobSet, in string) (changes []Change, declared map[place]bool, err error) {
	declared = map[place]bool{}
	var faults []error
	for i, j := range set.Jobs {
		if j.Store == "" {
			j.Store = in
		}
		change, err := c.planned(ctx, set, j)
		at := place{change.Job.Store, change.Job.ID}
		if err == nil && declared[at] {
			err = fmt.Errorf("%w: id: it is given twice", ErrInvalidJob)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("carillon: plan: job %d, %q: %w", i+1, j.ID, err))
			if errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
				break
			}
			continue
		}
		declared[at] = true
		changes = append(changes, change)
	}
	return changes, declared, errors.Join(faults...)
}

// planned compares one job with what is stored under its id.
func (c *Client) planned(ctx context.Context, set JobSet, j Job) (Change, error) {
	change := Change{Action: ActionUnchanged, Job: j}
	if j.ID == "" {
		return change, fmt.Errorf("%w: id: is missing", ErrInvalidJob)
	}
	if by, said := j.Labels[ManagedBy]; said && by != set.Name {
		return change, fmt.Errorf("%w: labels: %s is %q, and the set is %q; leave the label out", ErrInvalidJob, ManagedBy, by, set.Name)
	}
	j, s, err := c.prepare(ctx, j)
	if err != nil {
		return change, err
	}
	now, err := s.Now(ctx, 0)
	if err != nil {
		return change, err
	}
	old, err := s.Get(ctx, j.ID)
	missing := errors.Is(err, ErrJobNotFound)
	if err != nil && !missing {
		return change, err
	}
	if j.Labels, err = set.marked(j.Labels, old.Job.Labels, missing); err != nil {
		return change, err
	}
	if err := j.Validate(); err != nil { // the mark may be a label too many
		return change, err
	}
	change.Job, change.old = j, old
	if missing {
		change.Action, err = additionOf(j, time.UnixMilli(now), almanacOf(ctx, s, j.ID))
		return change, err
	}
	if change.Fields, err = fieldChanges(declaredForm(old), j); err != nil {
		return change, err
	}
	if len(change.Fields) == 0 {
		fixed := corrected(old, time.UnixMilli(now), almanacOf(ctx, s, j.ID))
		if fixed.Next == old.Next {
			return change, nil
		}
		change.Fields = []FieldChange{timeChange(old, fixed)}
	}
	change.Action = ActionUpdate
	e, err := newEntry(j, now)
	if err != nil {
		return change, err
	}
	_, _, err = replaced(old, e, time.UnixMilli(now), almanacOf(ctx, s, j.ID))
	return change, err
}

// marked are the labels of a job with the mark it ought to have, given those it has.
func (set JobSet) marked(labels, has map[string]string, missing bool) (map[string]string, error) {
	by, other := has[ManagedBy]
	other = other && by != set.Name
	if other && !set.Adopt {
		return nil, fmt.Errorf("%w: it belongs to %q; remove it from one of the two, or adopt it", ErrOtherSet, by)
	}
	labels = maps.Clone(labels)
	delete(labels, ManagedBy)
	if missing || set.Adopt || by == set.Name {
		if labels == nil {
			labels = map[string]string{}
		}
		labels[ManagedBy] = set.Name
	}
	return labels, nil
}

// additionOf says whether a job that is not there is added. One that ran out of times has ended: to
// add a date again would run it again.
func additionOf(j Job, now time.Time, by *almanac) (Action, error) {
	e, err := newEntry(j, now.UnixMilli())
	if err != nil {
		return ActionAdd, err
	}
	t, err := by.parse(e.Job.Trigger)
	if err != nil {
		return ActionAdd, err
	}
	if first, said := j.NextRunTime.Time(); t.Next(now).IsZero() && !(said && first.After(now)) {
		return ActionEnded, nil
	}
	return ActionAdd, schedule(&e, now, by)
}

// declaredForm is a stored job as it was given.
func declaredForm(e store.Entry) Job {
	j := e.Job
	j.Trigger = e.Given
	return j
}

// superfluous are the removals of the set's jobs that were not declared.
func (c *Client) superfluous(ctx context.Context, set string, declared map[place]bool, only string) ([]Change, error) {
	var removals []Change
	for _, name := range c.Stores() {
		if only != "" && name != only {
			continue
		}
		entries, err := c.stores[name].List(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Job.Labels[ManagedBy] == set && !declared[place{name, e.Job.ID}] {
				removals = append(removals, Change{Action: ActionRemove, Job: declaredForm(e), old: e})
			}
		}
	}
	slices.SortStableFunc(removals, func(a, b Change) int {
		return strings.Compare(a.Job.Store+" "+a.Job.ID, b.Job.Store+" "+b.Job.ID)
	})
	return removals, nil
}
