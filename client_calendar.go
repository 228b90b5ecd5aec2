package carillon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// Calendar is a named set of times that triggers leave out by {"calendar": name} in their exclude.
type Calendar struct {
	Name     string          `json:"name"`
	Store    string          `json:"store"`
	Document json.RawMessage `json:"document"` // {"exclude": […], "timezone"}, as it was given
}

// SetCalendar keeps a calendar in a store, in place of the one of that name. It returns when every
// partition has it; from then on no job runs by the older one, and the next times of jobs that refer
// to it follow soon. Times that have passed are not made up for, and a job without any time left is
// parked. ErrInvalidCalendar when the name or the document is at fault.
func (c *Client) SetCalendar(ctx context.Context, name string, doc json.RawMessage, opts ...CallOption) error {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return err
	}
	if err := CheckCalendar(name, doc); err != nil {
		return err
	}
	return s.SetCalendar(ctx, uuid.NewString(), name, doc)
}

// CheckCalendar says whether SetCalendar would take the calendar. It contacts nothing. Errors wrap
// ErrInvalidCalendar.
func CheckCalendar(name string, doc json.RawMessage) error {
	if err := job.ValidID("name", name); err != nil {
		return fmt.Errorf("carillon: calendar: %w: %w", ErrInvalidCalendar, err)
	}
	if err := trigger.CheckCalendar(doc); err != nil {
		return fmt.Errorf("carillon: calendar %q: %w: %w", name, ErrInvalidCalendar, err)
	}
	return nil
}

// GetCalendar returns a calendar of a store. ErrCalendarNotFound when it is not there.
func (c *Client) GetCalendar(ctx context.Context, name string, opts ...CallOption) (Calendar, error) {
	all, err := c.Calendars(ctx, opts...)
	if err != nil {
		return Calendar{}, err
	}
	for _, one := range all {
		if one.Name == name {
			return one, nil
		}
	}
	return Calendar{}, store.NoCalendar(name)
}

// Calendars returns the calendars of a store, by name.
func (c *Client) Calendars(ctx context.Context, opts ...CallOption) ([]Calendar, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return nil, err
	}
	return calendarsOf(ctx, s)
}

func calendarsOf(ctx context.Context, s *store.Store) ([]Calendar, error) {
	known, err := s.Calendars(ctx, 0)
	if err != nil {
		return nil, err
	}
	all := make([]Calendar, 0, len(known.Documents))
	for name, doc := range known.Documents {
		all = append(all, Calendar{name, s.Name(), doc})
	}
	slices.SortFunc(all, func(a, b Calendar) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// RemoveCalendar forgets a calendar of a store. ErrCalendarInUse names jobs that refer to it;
// ErrCalendarNotFound when it is not there.
func (c *Client) RemoveCalendar(ctx context.Context, name string, opts ...CallOption) error {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return err
	}
	return s.RemoveCalendar(ctx, uuid.NewString(), name)
}

// ImportCalendars adds calendars to the stores that they name, or all to that of InStore. One that is
// there and says the same is left alone; one that says something else gives ErrCalendarConflict unless
// ReplaceExisting is given. All are checked before the first is added.
func (c *Client) ImportCalendars(ctx context.Context, all []Calendar, opts ...CallOption) error {
	o := callOf(opts)
	var missing []Calendar
	var faults []error
	for _, one := range all {
		if o.store != "" {
			one.Store = o.store
		}
		has, err := c.GetCalendar(ctx, one.Name, InStore(one.Store))
		switch same := bytes.Equal(compact(has.Document), compact(one.Document)); {
		case errors.Is(err, ErrCalendarNotFound), err == nil && !same && o.replace:
			missing, err = append(missing, one), CheckCalendar(one.Name, one.Document)
		case err == nil && !same:
			err = fmt.Errorf("%w: %q in store %s says something else; replace it, or rename one of the two", ErrCalendarConflict, one.Name, has.Store)
		}
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("carillon: import calendars: %w", err)
	}
	for _, one := range missing {
		if err := c.SetCalendar(ctx, one.Name, one.Document, InStore(one.Store)); err != nil {
			return err
		}
	}
	return nil
}

// CalendarUsers returns up to limit ids of jobs of a store that refer to a calendar, sorted.
func (c *Client) CalendarUsers(ctx context.Context, name string, limit int, opts ...CallOption) ([]string, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return nil, err
	}
	return s.CalendarUsers(ctx, name, limit)
}

// almanac compiles triggers by calendars that are read when the first trigger refers to one, all at
// one version. The zero value knows none.
type almanac struct {
	read func() (store.Calendars, error)
	// known is what was read.
	known *store.Calendars
	// rules returns the version of the store's zone rules, "" for none; nil = there is no store to ask.
	rules func() (string, error)
}

// almanacOf is that of the partition which has the job.
func almanacOf(ctx context.Context, s *store.Store, jobID string) *almanac {
	return &almanac{
		read:  func() (store.Calendars, error) { return s.Calendars(ctx, s.PartitionOf(jobID)) },
		rules: func() (string, error) { return s.ZoneRules(ctx, s.PartitionOf(jobID)) },
	}
}

// find is what trigger.ParseWith asks.
func (a *almanac) find(name string) ([]byte, error) {
	if a.known == nil {
		var known store.Calendars
		if a.read != nil {
			var err error
			if known, err = a.read(); err != nil {
				return nil, err
			}
		}
		a.known = &known
	}
	return a.known.Find(name)
}

func (a *almanac) parse(doc json.RawMessage) (trigger.Trigger, error) {
	return trigger.ParseWith(doc, a.find)
}

// version is that of the calendars that were read, 0 if none were.
func (a *almanac) version() int64 {
	if a.known == nil {
		return 0
	}
	return a.known.Version
}
