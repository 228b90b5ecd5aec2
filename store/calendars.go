package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/trigger"
)

// Calendars are the named calendars of one partition, as they were at one version.
type Calendars struct {
	Version   int64 // grows with every change; 0 = there never were any
	Documents map[string]json.RawMessage
}

// Find returns the document of a calendar; ErrCalendarNotFound when it is not there. It is what
// trigger.ParseWith asks for.
func (c Calendars) Find(name string) ([]byte, error) {
	if doc, ok := c.Documents[name]; ok {
		return doc, nil
	}
	return nil, NoCalendar(name)
}

// NoCalendar is the error about a calendar that is not there. It wraps ErrCalendarNotFound.
func NoCalendar(name string) error {
	return fmt.Errorf("%w: no calendar is called %q; add it first, or correct the name", ErrCalendarNotFound, name)
}

const (
	documentField = "doc "
	usesField     = "uses "
)

// Calendars reads all calendars of a partition at once.
func (s *Store) Calendars(ctx context.Context, partition int) (Calendars, error) {
	fields, err := s.reader.HGetAll(ctx, s.partitions[partition].calendars()).Result()
	if err != nil {
		return Calendars{}, s.explain("calendars", err)
	}
	n := numbers{}
	c := Calendars{Version: n.orZero(fields["version"]), Documents: map[string]json.RawMessage{}}
	for field, value := range fields {
		if name, ok := strings.CutPrefix(field, documentField); ok {
			c.Documents[name] = json.RawMessage(value)
		}
	}
	return c, n.unreadable("calendars")
}

// SetCalendar keeps a calendar under a name, in place of the one that has it, and returns when every
// partition has it. The document must be one that trigger.CheckCalendar takes. Saying it twice is
// saying it once; op identifies the call. Of two that set one calendar at the same time either may
// last, and does in every partition, unless both fail midway: a repeat mends that.
func (s *Store) SetCalendar(ctx context.Context, op, name string, doc []byte) error {
	for _, k := range slices.Backward(s.partitions) { // the first is the one that is listed
		if err := s.setCalendar(ctx, k, op, name, doc); err != nil {
			return err
		}
	}
	for round := range 10 {
		same, err := s.agree(ctx, fmt.Sprintf("%s:%d", op, round), name)
		if same || err != nil {
			return err
		}
	}
	return fmt.Errorf("store %s: set calendar %q: %w 10 times in a row; try again", s.cfg.Name, name, ErrCalendarsChanged)
}

func (s *Store) setCalendar(ctx context.Context, k keys, op, name string, doc []byte) error {
	args := append(s.env(), int(opLife.Seconds()), k.wake(), name, doc)
	_, err := s.run(ctx, setCalendarScript, []string{k.events(), k.jobs(), k.calendars(), k.op(op)}, args...)
	return err
}

// agree gives the other partitions the calendar that the first one has, and reports whether they had
// it. Somebody else may have set it at the same time; whoever is last sees to it here.
func (s *Store) agree(ctx context.Context, op, name string) (same bool, err error) {
	doc, ok, err := s.calendarIn(ctx, 0, name)
	if err != nil || !ok { // removed again
		return true, err
	}
	same = true
	for p := 1; p < len(s.partitions); p++ {
		has, _, err := s.calendarIn(ctx, p, name)
		if err != nil {
			return false, err
		}
		if has == doc {
			continue
		}
		same = false
		if err := s.setCalendar(ctx, s.partitions[p], op, name, []byte(doc)); err != nil {
			return false, err
		}
	}
	return same, nil
}

// calendarIn reads one calendar of a partition; ok is false when it is not there.
func (s *Store) calendarIn(ctx context.Context, partition int, name string) (doc string, ok bool, err error) {
	doc, err = s.reader.HGet(ctx, s.partitions[partition].calendars(), documentField+name).Result()
	if errors.Is(err, redis.Nil) {
		return "", false, nil
	}
	return doc, err == nil, s.explain("calendar", err)
}

// RemoveCalendar forgets a calendar. ErrCalendarInUse names some of the jobs that refer to it;
// ErrCalendarNotFound when no partition has it. A call that failed midway is finished by a repeat:
// until then the calendar is listed.
func (s *Store) RemoveCalendar(ctx context.Context, op, name string) error {
	if users, err := s.CalendarUsers(ctx, name, 1); err != nil || len(users) > 0 {
		return s.inUse(ctx, name, err)
	}
	doc, listed, err := s.calendarIn(ctx, 0, name)
	if err != nil {
		return err
	}
	found := false
	for _, k := range slices.Backward(s.partitions) {
		args := append(s.env(), int(opLife.Seconds()), name)
		reply, err := s.run(ctx, removeCalendarScript, []string{k.events(), k.jobs(), k.calendars(), k.op(op)}, args...)
		if err != nil {
			return err
		}
		switch text(reply) {
		case "REMOVED":
			found = true
		case "IN_USE": // since the look above
			if listed && found {
				err = s.SetCalendar(ctx, op+":again", name, []byte(doc))
			}
			return s.inUse(ctx, name, err)
		}
	}
	if !found {
		return fmt.Errorf("store %s: remove calendar: %w", s.cfg.Name, NoCalendar(name))
	}
	return nil
}

// namedUsers is how many jobs an ErrCalendarInUse names.
const namedUsers = 5

// inUse is the refusal to remove a calendar, unless err says that something else went wrong.
func (s *Store) inUse(ctx context.Context, name string, err error) error {
	if err != nil {
		return err
	}
	users, err := s.CalendarUsers(ctx, name, namedUsers+1)
	if err != nil {
		return err
	}
	text := strings.Join(users[:min(len(users), namedUsers)], ", ")
	if len(users) > namedUsers {
		text += " and more"
	}
	return fmt.Errorf("store %s: remove calendar %q: %w by jobs %s; change or remove them first", s.cfg.Name, name, ErrCalendarInUse, text)
}

// CalendarUsers returns up to limit ids of jobs that refer to a calendar, sorted.
func (s *Store) CalendarUsers(ctx context.Context, name string, limit int) ([]string, error) {
	var ids []string
	for _, k := range s.partitions {
		used, err := s.reader.HExists(ctx, k.calendars(), usesField+name).Result()
		if err != nil {
			return nil, s.explain("users of a calendar", err)
		}
		for cursor, more := uint64(0), used; more && len(ids) < limit; more = cursor != 0 {
			var fields []string
			fields, cursor, err = s.reader.HScan(ctx, k.calendarJobs(), cursor, "", page).Result()
			if err != nil {
				return nil, s.explain("users of a calendar", err)
			}
			for i := 0; i+1 < len(fields); i += 2 {
				if slices.Contains(strings.Fields(fields[i+1]), name) {
					ids = append(ids, fields[i])
				}
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return ids[:min(len(ids), limit)], nil
}

// Referring returns about limit jobs of a partition that refer to calendars, from cursor on, which is
// 0 at the beginning and, in the reply, at the end. Jobs that refer to some all the while are
// returned at least once; those that are gone or cannot be read are left out. newer is how many of those are of a
// newer format: a node that can read them has to give them their times.
func (s *Store) Referring(ctx context.Context, partition int, cursor uint64, limit int64) (entries []Entry, newer int, next uint64, err error) {
	k := s.partitions[partition]
	fields, next, err := s.reader.HScan(ctx, k.calendarJobs(), cursor, "", limit).Result()
	if err != nil || len(fields) == 0 {
		return nil, 0, next, s.explain("jobs that refer to calendars", err)
	}
	var ids []string
	for i := 0; i < len(fields); i += 2 {
		ids = append(ids, fields[i])
	}
	values, err := s.reader.HMGet(ctx, k.jobs(), ids...).Result()
	if err != nil {
		return nil, 0, 0, s.explain("jobs that refer to calendars", err)
	}
	var found []string
	for i, v := range values {
		if v != nil {
			found = append(found, ids[i], text(v))
		}
	}
	entries, newer, err = s.pageCounted(ctx, k, found)
	return entries, newer, next, err
}

// Follow is the next time that its calendars leave a job.
type Follow struct {
	Old     Entry  // as Referring returned it
	Next    Header // Old's, with another next time
	RunTime int64  // of Next, with jitter
}

// FollowCalendars gives jobs of one partition the times that the calendars of a version leave them,
// and reports whether each had stayed as it was read; those that had not must be read again. With
// last, and when all had, it also notes that every job follows that version. ErrCalendarsChanged
// means that the calendars are at another version and nothing was done.
func (s *Store) FollowCalendars(ctx context.Context, partition int, o Office, version int64, last bool, jobs []Follow) (whole bool, err error) {
	k := s.partitions[partition]
	whole = true
	for first := true; first || len(jobs) > 0; first = false {
		some := jobs[:followed(jobs)]
		jobs = jobs[len(some):]
		flag := "0"
		if last && whole && len(jobs) == 0 {
			flag = "1"
		}
		args := []any{version, flag}
		for _, f := range some {
			args = append(args, f.Old.Job.ID, f.Old.Header.Encode(), f.Old.RunTime, f.Next.Encode(), f.RunTime)
		}
		t, err := s.office(ctx, followScript, o, []string{k.events(), k.jobs(), k.fence(), k.runTimes(), k.calendars()}, args...)
		if err != nil {
			return false, err
		}
		if t[0] == "CHANGED" {
			return false, fmt.Errorf("store %s: follow calendars: %w", s.cfg.Name, ErrCalendarsChanged)
		}
		whole = whole && !slices.Contains(t[1:], "STALE")
	}
	return whole, nil
}

// followed is how many of the first jobs one call of the script takes: it reads and writes their records.
func followed(jobs []Follow) int {
	for _, to := range portions(len(jobs), func(i int) weight { return weight{bytes: 1024 + 3*jobs[i].Old.Bytes} }) {
		return min(to, MaxDispatch)
	}
	return 0
}

// calendarsOf are the names of the calendars that a trigger refers to, with spaces between: "" also
// for one that cannot be read, which the leader parks.
func calendarsOf(doc []byte) string {
	names, err := trigger.Calendars(doc)
	if err != nil {
		return ""
	}
	return strings.Join(names, " ")
}

// versionFor is the version that a script has to find when the job refers to the named calendars, ""
// for any.
func (e Entry) versionFor(names string) string {
	if strings.TrimSpace(names) == "" {
		return timeOrEmpty(e.CalendarsVersion)
	}
	return fmt.Sprint(e.CalendarsVersion)
}
