package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
)

// cleanLimit is how many bytes of a text are kept in a line.
const cleanLimit = 2000

var oneLine = strings.NewReplacer("\t", " ", "\n", " ⏎ ", "\r", "")

// clean makes a text fit for a tab-separated line: valid UTF-8 of bounded length without tabs and
// line ends. What is clean stays as it is.
func clean(s string) string {
	cut := len(s) > cleanLimit
	s = oneLine.Replace(strings.ToValidUTF8(s[:min(len(s), 2*cleanLimit)], "�"))
	if !cut && len(s) <= cleanLimit {
		return s
	}
	const dots = "…"
	end := min(len(s), cleanLimit-len(dots))
	for end > 0 && end < len(s) && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + dots
}

// EventLine is the stored form of an event without its time, which is that of the entry it
// stands in: tab-separated kind, job, run, scheduled ms, attempt, node, term, cause.
func EventLine(e job.Event) string { return string(appendEvent(make([]byte, 0, 160), &e)) }

// appendEvent appends the stored form of an event.
func appendEvent(b []byte, e *job.Event) []byte {
	b = append(append(b, e.Kind...), '\t')
	b = append(append(b, e.JobID...), '\t')
	b = append(append(b, e.RunID...), '\t')
	if !e.ScheduledTime.IsZero() {
		b = strconv.AppendInt(b, e.ScheduledTime.UnixMilli(), 10)
	}
	b = append(b, '\t')
	if e.Attempt > 0 {
		b = strconv.AppendInt(b, int64(e.Attempt), 10)
	}
	b = append(append(append(b, '\t'), e.Node...), '\t')
	if e.Term > 0 {
		b = strconv.AppendInt(b, e.Term, 10)
	}
	return append(append(b, '\t'), clean(e.Cause)...)
}

// appendRunEvent appends the stored form of an event of a run of m; cause is clean, and term is 0 if nobody
// in office raises it.
func appendRunEvent(b []byte, kind job.EventKind, m *Message, run MessageRun, node string, term int64, cause string) []byte {
	b = append(append(b, kind...), '\t')
	b = append(append(b, m.JobID...), '\t')
	b = append(append(b, run.ID...), '\t')
	b = append(strconv.AppendInt(b, run.Scheduled, 10), '\t')
	b = append(strconv.AppendInt(b, int64(m.Attempt), 10), '\t')
	b = append(append(b, node...), '\t')
	if term > 0 {
		b = strconv.AppendInt(b, term, 10)
	}
	return append(append(b, '\t'), cause...)
}

func decodeEvent(store string, at time.Time, line string) (job.Event, error) {
	f := strings.Split(line, "\t")
	if len(f) != 8 {
		return job.Event{}, fmt.Errorf("store: event: %w: %d fields", ErrUnreadable, len(f))
	}
	n := numbers{}
	e := job.Event{
		Kind: job.EventKind(f[0]), Time: at, Store: store, JobID: f[1], RunID: f[2],
		Attempt: int(n.orZero(f[4])), Node: f[5], Term: n.orZero(f[6]), Cause: f[7],
	}
	if f[3] != "" {
		e.ScheduledTime = time.UnixMilli(n.read(f[3])).UTC()
	}
	return e, n.unreadable("event")
}

func (n *numbers) orZero(s string) int64 {
	if s == "" {
		return 0
	}
	return n.read(s)
}

// Cursor is a place in the event log of every partition. The zero value is the beginning of what
// is kept.
type Cursor []string

// EventsEnd returns the cursor after the last event there is.
func (s *Store) EventsEnd(ctx context.Context) (Cursor, error) {
	c := make(Cursor, len(s.partitions))
	for p, k := range s.partitions {
		last, err := s.reader.XRevRangeN(ctx, k.events(), "+", "-", 1).Result()
		if err != nil {
			return nil, s.explain("events", err)
		}
		c[p] = "0-0"
		if len(last) > 0 {
			c[p] = last[0].ID
		}
	}
	return c, nil
}

// Events returns events after the cursor, in order within a partition, and the cursor after them.
// When there are none it waits up to block for one (0 = it does not wait).
func (s *Store) Events(ctx context.Context, after Cursor, block time.Duration) ([]job.Event, Cursor, error) {
	next := slices.Clone(after)
	for len(next) < len(s.partitions) {
		next = append(next, "0-0")
	}
	events, err := s.eventsNow(ctx, next, -1)
	if err != nil || len(events) > 0 || block < time.Millisecond {
		return events, next, err
	}
	if len(s.partitions) > 1 { // one blocking read cannot span slots: take turns, briefly
		if !wait(ctx, min(block, 250*time.Millisecond)) {
			return nil, next, ctx.Err()
		}
		events, err = s.eventsNow(ctx, next, -1)
		return events, next, err
	}
	events, err = s.eventsNow(ctx, next, block)
	return events, next, err
}

// eventsPage is how many entries of the event log are read at once. They are of 8 KiB as a rule; last versions
// wrote up to 500 events into one.
const eventsPage = 100

func (s *Store) eventsNow(ctx context.Context, cursor Cursor, block time.Duration) ([]job.Event, error) {
	var events []job.Event
	client := s.reader
	if block > 0 {
		client = s.blocking
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, block+2*time.Second)
		defer cancel()
	}
	for p, k := range s.partitions {
		got, err := client.XRead(ctx, &redis.XReadArgs{Streams: []string{k.events(), cursor[p]}, Count: eventsPage, Block: block}).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return nil, s.explain("events", err)
		}
		for _, entry := range got[0].Messages {
			cursor[p] = entry.ID
			events = append(events, s.decodeEntryEvents(entry)...)
		}
	}
	return events, nil
}

func (s *Store) decodeEntryEvents(entry redis.XMessage) []job.Event {
	ms, _, _ := strings.Cut(entry.ID, "-")
	n := numbers{}
	at := time.UnixMilli(n.read(ms)).UTC()
	var events []job.Event
	for line := range strings.SplitSeq(text(entry.Values["e"]), "\n") {
		e, err := decodeEvent(s.cfg.Name, at, line)
		if err != nil {
			s.warnOnce("event cannot be read, left out", "events", entry.ID, "entry", entry.ID, "error", err)
			continue
		}
		events = append(events, e)
	}
	return events
}

// HistoryRow is the stored form of a history row: tab-separated started, finished, outcome, run,
// scheduled, attempt, node, count, until, cause, error, result; times in Unix ms. Rows that the
// leader writes come from here. Those of runs that have ended are made by appendRow, with times that a
// script puts in front; other rows of runs by the scripts.
func HistoryRow(r job.Row) string {
	ms := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return strings.Join([]string{
		ms(r.Started), ms(r.Finished), string(r.Outcome), r.RunID, ms(r.ScheduledTime), strconv.Itoa(r.Attempt), r.Node,
		strconv.Itoa(r.Count), ms(r.Until), clean(r.Cause), clean(r.Error),
		resultText(r.Result),
	}, "\t")
}

func decodeRow(line string) (job.Row, error) {
	f := strings.Split(line, "\t")
	if len(f) == 11 { // as rows were before results were kept
		f = append(f, "")
	}
	if len(f) != 12 {
		return job.Row{}, fmt.Errorf("store: history: %w: %d fields", ErrUnreadable, len(f))
	}
	n := numbers{}
	at := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		return time.UnixMilli(n.read(s)).UTC()
	}
	r := job.Row{
		Started: at(f[0]), Finished: at(f[1]), Outcome: job.Outcome(f[2]), RunID: f[3], ScheduledTime: at(f[4]),
		Attempt: int(n.orZero(f[5])), Node: f[6], Count: int(n.orZero(f[7])), Until: at(f[8]), Cause: f[9], Error: f[10],
	}
	if f[11] != "" {
		r.Result = json.RawMessage(f[11])
		if !json.Valid(r.Result) {
			n.note(fmt.Errorf("result %.40q", f[11]))
		}
	}
	return r, n.unreadable("history")
}

// History returns up to limit rows of a job, newest first; ad-hoc runs stand under "@task", and
// are gathered from all partitions. A job that never was has an empty history; one that is gone keeps
// its rows for HistoryTTL.
func (s *Store) History(ctx context.Context, jobID string, limit int) ([]job.Row, error) {
	where := []keys{s.partitions[s.PartitionOf(jobID)]}
	if strings.HasPrefix(jobID, "@") {
		where = s.partitions
	}
	if limit <= 0 {
		return nil, nil
	}
	var rows []job.Row
	for _, k := range where {
		lines, err := s.rows(ctx, k, jobID, limit)
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			r, err := decodeRow(line)
			if err != nil {
				s.warnOnce("history row cannot be read, left out", k.history(jobID), line[:min(len(line), 100)], "job", jobID, "error", err)
				continue
			}
			rows = append(rows, r)
		}
	}
	if len(where) > 1 {
		slices.SortStableFunc(rows, func(a, b job.Row) int { return b.Finished.Compare(a.Finished) })
	}
	return rows[:min(limit, len(rows))], nil
}
