package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/carillon-project/carillon/job"
)

// Office is what a leader proves itself with: the cluster's epoch and its term, the create
// revision of the election key in etcd.
type Office struct {
	Epoch string
	Term  int64
}

// TakeOffice raises the fence of one partition to the office. ErrFenced when a higher term is
// known, ErrEpoch when the fence belongs to another incarnation of etcd, ErrStoreLost when the
// partition was emptied or replaced.
func (s *Store) TakeOffice(ctx context.Context, partition int, o Office) error {
	k := s.partitions[partition]
	if o.Term <= 0 || o.Term >= 1<<53 || o.Epoch == "" {
		return fmt.Errorf("store %s: take office: term %d of epoch %q is not valid", s.cfg.Name, o.Term, o.Epoch)
	}
	reply, err := s.run(ctx, takeOfficeScript, []string{k.events(), k.jobs(), k.fence(), k.meta()}, append(s.env(), o.Epoch, o.Term, s.UID())...)
	if err != nil {
		return err
	}
	t := tags(reply)
	switch t[0] {
	case "OK":
		return nil
	case "LOST":
		return s.replaced(partition, t[1])
	case "EPOCH":
		return fmt.Errorf("store %s: take office: %w: etcd was rebuilt or restored (fence has epoch %s, term %s; this cluster has epoch %s); accept the new one with: carillon store adopt --store-name %s",
			s.cfg.Name, ErrEpoch, t[1], t[2], o.Epoch, s.cfg.Name)
	}
	return s.fenced(t)
}

func (s *Store) fenced(t []string) error {
	if len(t) > 2 {
		return fmt.Errorf("store %s: %w: the fence stands at term %s", s.cfg.Name, ErrFenced, t[2])
	}
	return fmt.Errorf("store %s: %w", s.cfg.Name, ErrFenced)
}

// office runs a script of the leader: env, then the office, then args.
func (s *Store) office(ctx context.Context, sc *script, o Office, keys []string, args ...any) ([]string, error) {
	all := append(s.env(), o.Epoch, o.Term)
	reply, err := s.run(ctx, sc, keys, append(all, args...)...)
	if err != nil {
		return nil, err
	}
	t := tags(reply)
	if len(t) > 0 && t[0] == "FENCED" {
		return nil, s.fenced(t)
	}
	return t, nil
}

// Due is what the leader has to do now. Times are Unix ms of Redis; 0 = none.
type Due struct {
	Now         int64
	Paused      bool
	Jobs        []DueJob // earliest first
	NextRun     int64    // the earliest run time there is, due or not
	NextDelayed int64
	NextLease   int64

	CalendarsVersion int64 // grows with every change of them; 0 = there never were any
	CalendarsApplied int64 // the version that every next run time follows

	Sequence int64 // how far the partition has been dispatched
	Known    int64 // how far it is known to have been: more than Sequence if Redis has lost writes
}

// DueJob is a job whose run time has come.
type DueJob struct {
	ID      string
	RunTime int64
}

// Due reads up to limit due jobs of a partition, and when to look again. ErrStoreLost when the
// partition was emptied or replaced.
func (s *Store) Due(ctx context.Context, partition, limit int) (Due, error) {
	k := s.partitions[partition]
	known := s.sequences[partition].known.Load() // before Redis is asked: what it had done by then
	reply, err := s.run(ctx, dueScript, []string{k.runTimes(), k.delayed(), k.leases(), k.paused(), k.calendars(), k.meta(), k.fence()}, limit, s.UID())
	if err != nil {
		return Due{}, err
	}
	t := tags(reply)
	if len(t) == 2 && t[0] == "LOST" {
		return Due{}, s.replaced(partition, t[1])
	}
	const head = 8
	if len(t) < head || (len(t)-head)%2 != 0 {
		return Due{}, fmt.Errorf("store %s: due: unexpected answer of %d parts", s.cfg.Name, len(t))
	}
	n := numbers{}
	d := Due{
		Now: n.read(t[0]), Paused: t[1] == "1", NextRun: n.orZero(t[2]), NextDelayed: n.orZero(t[3]), NextLease: n.orZero(t[4]),
		CalendarsVersion: n.orZero(t[5]), CalendarsApplied: n.orZero(t[6]), Sequence: n.orZero(t[7]),
	}
	d.Known = max(known, d.Sequence)
	s.sequences[partition].atLeast(d.Sequence)
	d.Jobs = make([]DueJob, 0, (len(t)-head)/2)
	for i := head; i < len(t); i += 2 {
		d.Jobs = append(d.Jobs, DueJob{ID: t[i], RunTime: n.read(t[i+1])})
	}
	return d, n.err
}

// Dispatch advances one due job: Runs go into the executor's stream, Rows and Events are kept, the
// job gets Next or, when Next is nil, is finished and removed.
type Dispatch struct {
	ID      string
	Old     Header // as it was read
	Next    *Header
	RunTime int64 // of Next, with jitter
	Latest  int64 // the latest time among those decided here: NOT_DUE if it lies ahead of Redis
	// CalendarsVersion is that of the calendars it was decided with, STALE if they have changed; 0 if
	// the job refers to none.
	CalendarsVersion int64

	Executor string
	Messages []Message
	Rows     []job.Row   // stretches of times that did not run
	Events   []job.Event // submitted, coalesced, missed
}

// Dispatched is the answer for one job.
type Dispatched string

// The answers of Dispatch.
const (
	DispatchOK     Dispatched = "OK"
	DispatchStale  Dispatched = "STALE"   // it was changed, removed or dispatched meanwhile: read again
	DispatchNotDue Dispatched = "NOT_DUE" // Redis says it is too early: wait, and read again
)

// MaxDispatch is how many jobs one Dispatch call may hold.
const MaxDispatch = 500

// Dispatch advances jobs of one partition. Each job at most once per call. ErrFenced and ErrPaused
// mean that nothing was done.
func (s *Store) Dispatch(ctx context.Context, partition int, o Office, jobs []Dispatch) ([]Dispatched, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	k := s.partitions[partition]
	keys := []string{k.events(), k.jobs(), k.fence(), k.paused(), k.runTimes(), k.calendars(), k.calendarJobs()}
	index := map[string]int{}
	at := func(key string) int {
		if index[key] == 0 {
			keys = append(keys, key)
			index[key] = len(keys)
		}
		return index[key]
	}
	messages, bytes := 0, 0
	for _, d := range jobs {
		for _, m := range d.Messages {
			messages, bytes = messages+1, bytes+len(m.Args)+64*len(m.Runs)
		}
	}
	args := append(make([]any, 0, 2+12*len(jobs)), len(jobs), share(messages, bytes))
	for _, d := range jobs {
		next, history := "", 0
		if d.Next != nil {
			next = d.Next.Encode()
		}
		if d.Next == nil || len(d.Rows) > 0 {
			history = at(k.history(d.ID))
		}
		args = append(args, d.ID, d.Old.Encode(), next, d.RunTime, d.Latest, at(k.stream(d.Executor)), history,
			timeOrEmpty(d.CalendarsVersion), rowLines(d.Rows), s.dispatchEvents(d, o.Term), len(d.Messages))
		for _, m := range d.Messages {
			args = append(args, m.Encode())
		}
	}
	t, err := s.office(ctx, dispatchScript, o, keys, args...)
	if err != nil {
		return nil, err
	}
	if t[0] == "PAUSED" {
		return nil, fmt.Errorf("store %s: dispatch: %w", s.cfg.Name, ErrPaused)
	}
	answers := make([]Dispatched, len(jobs))
	for i := range jobs {
		answers[i] = Dispatched(t[i+1])
	}
	n := numbers{}
	if len(t) > len(jobs)+1 {
		s.sequences[partition].atLeast(n.read(t[len(jobs)+1]))
	}
	return answers, n.unreadable("dispatch")
}

// crowd is how many messages it takes for some to share an entry.
const crowd = 64

// share is how many messages of a call may stand in one entry of a stream. A lone message has an entry
// of its own; of a crowd up to eight share one, as long as they are short and there remain enough
// entries for all nodes to have some. What a node has no room for it puts back.
func share(messages, bytes int) int {
	const (
		most  = 8
		short = 4 << 10
	)
	if messages == 0 || bytes/messages > short {
		return 1
	}
	return max(1, min(most, messages/crowd))
}

func rowLines(rows []job.Row) string {
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = HistoryRow(r)
	}
	return strings.Join(lines, "\n")
}

// dispatchEvents is the events of one job, and that it is finished if it is.
func (s *Store) dispatchEvents(d Dispatch, term int64) string {
	lines := make([]string, 0, len(d.Events)+1)
	for _, e := range d.Events {
		lines = append(lines, EventLine(e))
	}
	if d.Next == nil {
		lines = append(lines, EventLine(job.Event{Kind: job.JobRemoved, JobID: d.ID, Node: s.cfg.Node, Term: term, Cause: "finished"}))
	}
	return strings.Join(lines, "\n")
}

// Park takes a due job that cannot be used out of the schedule; its record stays byte for byte. header
// is the one it was found with, or nil if it cannot be read.
func (s *Store) Park(ctx context.Context, partition int, o Office, j DueJob, header *Header, reason string) error {
	k := s.partitions[partition]
	old, parked := "", ""
	if header != nil {
		old = header.Encode()
		h := *header
		h.State, h.Reason = Parked, clean(reason)
		parked = h.Encode()
	}
	_, err := s.office(ctx, parkScript, o, []string{k.events(), k.jobs(), k.fence(), k.runTimes()},
		j.ID, strconv.FormatInt(j.RunTime, 10), old, parked, clean(reason))
	return err
}

// PromoteDelayed moves up to limit runs whose delay has passed to their streams, and returns how
// many there were.
func (s *Store) PromoteDelayed(ctx context.Context, partition int, o Office, now int64, limit int) (int, error) {
	k := s.partitions[partition]
	ids, err := s.dueMembers(ctx, k.delayed(), now, limit)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	bodies, err := s.reader.HMGet(ctx, k.delayedRuns(), ids...).Result()
	if err != nil {
		return 0, s.explain("delayed", err)
	}
	keys := []string{k.events(), k.jobs(), k.fence(), k.delayed(), k.delayedRuns(), k.removed()}
	var args []any
	for i, b := range bodies {
		m, err := DecodeMessage(text(b))
		if err != nil {
			s.log.Error("delayed run cannot be read, left where it is", "run", ids[i], "error", err)
			continue
		}
		keys = append(keys, k.stream(m.Executor), k.history(m.JobID))
		args = append(args, ids[i])
	}
	if len(args) == 0 {
		return 0, nil
	}
	_, err = s.office(ctx, promoteScript, o, keys, args...)
	return len(args), err
}

func (s *Store) dueMembers(ctx context.Context, key string, now int64, limit int) ([]string, error) {
	ids, err := s.reader.ZRangeByScore(ctx, key, rangeBy(now, limit)).Result()
	return ids, s.explain("due members", err)
}
