package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
)

// Add stores a job under a free id. A taken id gives ErrConflictingID, a calendar that is not there
// ErrCalendarNotFound, and calendars that are not at e.CalendarsVersion any more ErrChanged. op
// identifies the call: a repeat of it within ten minutes gets the same answer.
func (s *Store) Add(ctx context.Context, op string, e Entry) error {
	value, err := e.encode()
	if err != nil {
		return err
	}
	id := e.Job.ID
	k := s.partitions[s.PartitionOf(id)]
	names := calendarsOf(e.Job.Trigger)
	args := append(s.env(), int(opLife.Seconds()), k.wake(), id, value, timeOrEmpty(e.RunTime), e.versionFor(names), names)
	reply, err := s.run(ctx, addScript, k.ofJob(op, id), args...)
	if refused(err) {
		return err
	}
	return cmp.Or(answerOf("add job", id, text(reply)), err)
}

// ofJob are the keys of the scripts that store one job.
func (k keys) ofJob(op, id string) []string {
	return []string{k.events(), k.jobs(), k.runTimes(), k.op(op), k.history(id), k.calendars(), k.calendarJobs()}
}

// answerOf is what the answer of add or update means.
func answerOf(action, id, answer string) error {
	tag, name, _ := strings.Cut(answer, " ")
	switch tag {
	case "CONFLICT":
		return conflicting(id)
	case "MISSING":
		return notFound(action, id)
	case "CHANGED":
		return fmt.Errorf("store: %s %q: %w", action, id, ErrChanged)
	case "NO_CALENDAR":
		return fmt.Errorf("store: %s %q: %w", action, id, NoCalendar(name))
	}
	return nil
}

// Update replaces old by updated if nothing, not even a dispatch, happened to the job since old
// was read, and the calendars are at updated.CalendarsVersion unless it is 0; otherwise it returns
// ErrChanged, and the caller reads again. A calendar that is not there gives ErrCalendarNotFound.
// kind and cause make the event; rows go into the job's history in the same step.
func (s *Store) Update(ctx context.Context, op string, old, updated Entry, kind job.EventKind, cause string, rows ...job.Row) error {
	id := old.Job.ID
	updated.Version = old.Version + 1
	value, err := updated.encode()
	if err != nil {
		return err
	}
	k := s.partitions[s.PartitionOf(id)]
	args := append(s.env(), int(opLife.Seconds()), k.wake(), id, old.Header.Encode(), value,
		timeOrEmpty(updated.RunTime), string(kind), clean(cause))
	names := " " // they stay
	if !bytes.Equal(old.Job.Trigger, updated.Job.Trigger) {
		names = calendarsOf(updated.Job.Trigger)
	}
	left := ""
	if slot := old.Job.SlotKey(); slot != updated.Job.SlotKey() {
		left = slot
	}
	args = append(args, updated.versionFor(names), names, left)
	for _, r := range rows {
		args = append(args, HistoryRow(r))
	}
	reply, err := s.run(ctx, updateScript, append(k.ofJob(op, id), k.oldSlots()), args...)
	if refused(err) {
		return err
	}
	return cmp.Or(answerOf("update job", id, text(reply)), err)
}

// FinishJob removes a job that has no time left, as a dispatch of its last time does, if nothing happened
// to it since it was read; otherwise it returns ErrChanged, and the caller reads again. why is told with
// the event job_resumed, beside job_removed with the cause "finished"; rows go into the job's history in the
// same step.
func (s *Store) FinishJob(ctx context.Context, op string, old Entry, why string, rows ...job.Row) error {
	id := old.Job.ID
	k := s.partitions[s.PartitionOf(id)]
	args := append(s.env(), int(opLife.Seconds()), id, old.Header.Encode(), clean(why))
	for _, r := range rows {
		args = append(args, HistoryRow(r))
	}
	reply, err := s.run(ctx, finishJobScript, k.ofJob(op, id), args...)
	if refused(err) {
		return err
	}
	return cmp.Or(answerOf("finish job", id, text(reply)), err)
}

// Remove deletes a job and cancels its runs that have not started. Those that run go on; Running
// and Cancel end them.
func (s *Store) Remove(ctx context.Context, op, id string) (uid string, err error) {
	return s.remove(ctx, op, id, "")
}

// RemoveIf is Remove of the job with this uid: another one of the same id stays, and gives
// ErrJobNotFound.
func (s *Store) RemoveIf(ctx context.Context, op, id, uid string) error {
	_, err := s.remove(ctx, op, id, uid)
	return err
}

// remove deletes the job with a uid, or whichever there is if that is empty.
func (s *Store) remove(ctx context.Context, op, id, uid string) (removed string, err error) {
	k := s.partitions[s.PartitionOf(id)]
	slot := id
	if e, err := s.Get(ctx, id); err == nil {
		slot = e.Job.SlotKey()
	}
	keys := []string{
		k.events(), k.jobs(), k.runTimes(), k.op(op), k.history(id), k.removed(), k.calendars(), k.calendarJobs(), k.oldSlots(),
	}
	reply, err := s.run(ctx, removeScript, keys, append(s.env(), int(opLife.Seconds()), id, slot, uid)...)
	if refused(err) {
		return "", err
	}
	if text(reply) == "MISSING" {
		return "", notFound("remove job", id)
	}
	removed, slots, _ := strings.Cut(text(reply), "\t")
	for slot := range strings.FieldsSeq(slots) {
		if err := s.clearLine(ctx, k, id, removed, slot); err != nil {
			return "", err
		}
	}
	return removed, err
}

// clearLine cancels the runs of a removed job that are in line for a slot. A repeat of the op of the removal
// goes on with it, and what is left is cancelled when it is taken up.
func (s *Store) clearLine(ctx context.Context, k keys, id, uid, slot string) error {
	keys := []string{k.events(), k.jobs(), k.removed(), k.waitingIndex(), k.waiting(slot), k.waitingRuns(slot), k.history(id)}
	for stay := "0"; stay != "DONE"; {
		reply, err := s.run(ctx, clearLineScript, keys, append(s.env(), uid, slot, stay)...)
		if refused(err) {
			return err
		}
		stay = text(reply)
	}
	return nil
}

// Get returns a stored job. Errors: ErrJobNotFound, ErrUnreadable, ErrNewerFormat.
func (s *Store) Get(ctx context.Context, id string) (Entry, error) {
	k := s.partitions[s.PartitionOf(id)]
	var value *redis.StringCmd
	var score *redis.FloatCmd
	_, err := s.reader.TxPipelined(ctx, func(p redis.Pipeliner) error {
		value, score = p.HGet(ctx, k.jobs(), id), p.ZScore(ctx, k.runTimes(), id)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return Entry{}, s.explain("get job", err)
	}
	if errors.Is(value.Err(), redis.Nil) {
		return Entry{}, notFound("get job", id)
	}
	e, err := decodeEntry(id, value.Val())
	e.RunTime = moment(score.Val())
	return e, err
}

// Found is what Records found under an id.
type Found struct {
	Entry       // without a state if there is no job or its header cannot be read
	Err   error // why it cannot be read
	// Digest is that of the stored value if its header cannot be read, for Park.
	Digest string
}

// Records appends to found what is stored under the given ids, which are of one partition, one by one. The
// entry of a job that is gone is zero; one that cannot be read has an error, and no more than
// its header if that can be read. Entries may share what they refer to, which must not be changed.
func (s *Store) Records(ctx context.Context, partition int, ids []string, found []Found) ([]Found, error) {
	if len(ids) == 0 {
		return found, nil
	}
	values, err := s.reader.HMGet(ctx, s.partitions[partition].jobs(), ids...).Result()
	if err != nil {
		return found, s.explain("read jobs", err)
	}
	for i, v := range values {
		var f Found
		if v != nil {
			f.Entry, f.Err = decodeWith(s.alike.record, ids[i], text(v))
			if f.State == "" {
				f.Digest = digestOf(text(v))
			}
		}
		found = append(found, f)
	}
	return found, nil
}

// List returns every readable job of the store, by next run time with paused ones last, then by
// id. Unreadable ones are logged and left out, never deleted.
func (s *Store) List(ctx context.Context) ([]Entry, error) {
	var all []Entry
	err := s.EachJob(ctx, func(e Entry) bool {
		all = append(all, e)
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Entry) int {
		if (a.RunTime == 0) != (b.RunTime == 0) {
			return cmp.Compare(b.RunTime, a.RunTime)
		}
		return cmp.Or(cmp.Compare(a.RunTime, b.RunTime), cmp.Compare(a.Job.ID, b.Job.ID))
	})
	return slices.CompactFunc(all, func(a, b Entry) bool { return a.Job.ID == b.Job.ID }), nil
}

// EachJob hands see the readable jobs of the store in no order, until it returns false. It holds a
// page of some hundred at a time, however many there are. A job that is stored all the while is seen, maybe
// more than once; one that comes or goes meanwhile may be. Unreadable ones are logged and left out. When
// Redis is restarted, or a replica takes over, in the midst of it, it cannot keep that: ErrUnreachable.
func (s *Store) EachJob(ctx context.Context, see func(Entry) bool) error {
	for _, k := range s.partitions {
		more, err := s.eachJobOf(ctx, k, see)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// eachJobOf is EachJob of one partition; more is false once see has returned false.
func (s *Store) eachJobOf(ctx context.Context, k keys, see func(Entry) bool) (more bool, err error) {
	began, err := s.life(ctx, k)
	if err != nil {
		return false, err
	}
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		fields, next, err := s.reader.HScan(ctx, k.jobs(), cursor, "", 500).Result()
		if err != nil {
			return false, s.explain("list jobs", err)
		}
		cursor = next
		page, err := s.page(ctx, k, fields)
		if err != nil {
			return false, err
		}
		for _, e := range page {
			if !see(e) {
				return false, nil
			}
		}
	}
	ended, err := s.life(ctx, k)
	if err == nil && began != ended {
		err = fmt.Errorf("store %s: list jobs: %w: it was restarted, or another server took over, before all were listed; try again", s.cfg.Name, ErrUnreachable)
	}
	return err == nil, err
}

// CountJobs returns how many jobs are stored, readable or not.
func (s *Store) CountJobs(ctx context.Context) (int64, error) {
	var all int64
	for _, k := range s.partitions {
		n, err := s.reader.HLen(ctx, k.jobs()).Result()
		if err != nil {
			return 0, s.explain("count jobs", err)
		}
		all += n
	}
	return all, nil
}

func (s *Store) page(ctx context.Context, k keys, fields []string) ([]Entry, error) {
	page, _, err := s.pageCounted(ctx, k, fields)
	return page, err
}

// pageCounted is page, and says how many jobs of a newer format were left out.
func (s *Store) pageCounted(ctx context.Context, k keys, fields []string) (page []Entry, newer int, err error) {
	ids := make([]string, 0, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		ids = append(ids, fields[i])
	}
	if len(ids) == 0 {
		return nil, 0, nil
	}
	scores, err := s.reader.ZMScore(ctx, k.runTimes(), ids...).Result()
	if err != nil {
		return nil, 0, s.explain("list jobs", err)
	}
	page = make([]Entry, 0, len(ids))
	for i, id := range ids {
		e, err := decodeEntry(id, fields[2*i+1])
		if err != nil {
			if errors.Is(err, ErrNewerFormat) {
				newer++
			}
			s.warnOnce("job cannot be read, left out of lists", k.jobs(), id, "job", id, "error", err)
			continue
		}
		e.RunTime = moment(scores[i])
		page = append(page, e)
	}
	return page, newer, nil
}

func timeOrEmpty(ms int64) string {
	if ms == 0 {
		return ""
	}
	return fmt.Sprint(ms)
}
