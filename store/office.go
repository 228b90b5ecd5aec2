package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Office is what a leader proves itself with: the cluster's epoch and its term, the create
// revision of the election key in etcd.
type Office struct {
	Epoch string
	Term  int64
	Group string // the cause in the event leader_elected, as one line; "" = none
	Zones string // version of the zone rules by which the leader finds next times; "" = it does not say
}

// TakeOffice raises the fence of one partition to the office. ErrFenced when a higher term is
// known, ErrEpoch when the fence belongs to another incarnation of etcd, ErrStoreLost when the
// partition was emptied or replaced.
func (s *Store) TakeOffice(ctx context.Context, partition int, o Office) error {
	k := s.partitions[partition]
	if o.Term <= 0 || o.Term >= 1<<53 || o.Epoch == "" {
		return fmt.Errorf("store %s: take office: term %d of epoch %q is not valid", s.cfg.Name, o.Term, o.Epoch)
	}
	reply, err := s.run(ctx, takeOfficeScript, []string{k.events(), k.jobs(), k.fence(), k.meta()}, append(s.env(), o.Epoch, o.Term, s.UID(), clean(o.Group), o.Zones)...)
	if err != nil {
		return err
	}
	t := tags(reply)
	switch t[0] {
	case "OK":
		return nil
	case "LOST":
		return s.replaced(partition, t[1])
	case "BROKEN":
		return fmt.Errorf("store %s: take office: %w: the fence of partition %d has the term %.40q; if no leader is in office: %s",
			s.cfg.Name, ErrUnreadable, partition, t[1], redisCommand("HDEL", k.fence(), "term"))
	case "EPOCH":
		return fmt.Errorf("store %s: take office: %w: etcd was rebuilt or restored (fence has epoch %s, term %s; this cluster has epoch %s); accept the new one with: carillon store adopt --store-name %s",
			s.cfg.Name, ErrEpoch, t[1], t[2], o.Epoch, s.cfg.Name)
	}
	return s.fenced(t)
}

// Refuses reports whether the fence of any partition belongs to another incarnation of etcd than the
// given one, so that TakeOffice would return ErrEpoch.
func (s *Store) Refuses(ctx context.Context, epoch string) (bool, error) {
	for _, k := range s.partitions {
		known, err := s.reader.HGet(ctx, k.fence(), "epoch").Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return false, s.explain("read fence", err)
		}
		if known != "" && known != epoch {
			return true, nil
		}
	}
	return false, nil
}

// fenced is the refusal of a script of the leader. A fence that knows no term was there when the office
// was taken, so the partition has been emptied since.
func (s *Store) fenced(t []string) error {
	if len(t) > 2 && t[1] == "" && t[2] == "" {
		return s.lost("a partition has been emptied")
	}
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
	// CalendarsBroken is the version as it is stored if it cannot be read: see MendCalendars.
	CalendarsBroken string

	Sequence int64 // how far the partition has been dispatched
	Known    int64 // how far it is known to have been: more than Sequence if Redis has lost writes
}

// DueJob is a job whose run time has come.
type DueJob struct {
	ID      string
	RunTime int64
	// Score is the run time as Redis printed it, where that is not how RunTime is printed; else "".
	Score string
}

// score is the run time as Redis prints it.
func (j DueJob) score() string {
	if j.Score != "" {
		return j.Score
	}
	return strconv.FormatInt(j.RunTime, 10)
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
		Now: n.read(t[0]), Paused: t[1] == "1", NextRun: n.orZero(t[2]),
		NextDelayed: s.orWarn(k.delayed(), t[3]), NextLease: s.orWarn(k.leases(), t[4]),
		CalendarsVersion: s.orWarn(k.calendars(), t[5]), CalendarsApplied: s.orWarn(k.calendars(), t[6]), Sequence: s.orWarn(k.fence(), t[7]),
	}
	if t[5] != "" && (d.CalendarsVersion <= 0 || d.CalendarsVersion >= 1<<53) {
		d.CalendarsBroken = t[5]
	}
	d.Known = max(known, d.Sequence)
	if t[7] != "" && d.Sequence == 0 {
		d.Known = max(d.Known, 1) // one that cannot be read is set anew
	}
	s.sequences[partition].atLeast(d.Sequence)
	d.Jobs = make([]DueJob, 0, (len(t)-head)/2)
	for i := head; i < len(t); i += 2 {
		d.Jobs = append(d.Jobs, dueJob(t[i], t[i+1]))
	}
	return d, n.err
}

// DueAfter reads up to limit jobs that are due at a time, from behind one that Due or DueAfter has
// named, in the same order. left is how many of those up to that one may still be there. more is false when
// no others are due.
func (s *Store) DueAfter(ctx context.Context, partition int, last DueJob, at int64, left, limit int) (jobs []DueJob, more bool, err error) {
	found, err := s.reader.ZRangeByScoreWithScores(ctx, s.partitions[partition].runTimes(), &redis.ZRangeBy{
		Min: last.score(), Max: strconv.FormatInt(at, 10), Count: int64(left + limit),
	}).Result()
	if err != nil {
		return nil, false, s.explain("due", err)
	}
	jobs = make([]DueJob, 0, len(found))
	from, err := strconv.ParseFloat(last.score(), 64)
	if err != nil {
		return nil, false, s.explain("due", err)
	}
	for _, z := range found {
		if j := jobAt(z); z.Score > from || j.ID > last.ID {
			jobs = append(jobs, j)
		}
	}
	return jobs, len(found) == left+limit, nil
}

// Coming reads up to limit jobs of the schedule in the order of their run times, of all that have one but the
// first few.
func (s *Store) Coming(ctx context.Context, partition, from, limit int) ([]DueJob, error) {
	found, err := s.reader.ZRangeWithScores(ctx, s.partitions[partition].runTimes(), int64(from), int64(from+limit-1)).Result()
	if err != nil {
		return nil, s.explain("coming", err)
	}
	jobs := make([]DueJob, len(found))
	for i, z := range found {
		jobs[i] = jobAt(z)
	}
	return jobs, nil
}
