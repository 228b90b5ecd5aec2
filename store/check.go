package store

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// Fault is a kind of finding.
type Fault string

// The faults that Check looks for.
const (
	UnreadableJob       Fault = "unreadable_job"        // its header or record cannot be read
	JobWithoutTime      Fault = "job_without_time"      // it is active and never due
	StoppedJobWithTime  Fault = "stopped_job_with_time" // it is paused or parked and due all the same
	TimeWithoutJob      Fault = "time_without_job"
	JobCalendars        Fault = "job_calendars"  // calendar_jobs has others than those its trigger refers to
	UnreadableRun       Fault = "unreadable_run" // nobody can recover it
	RunWithoutLease     Fault = "run_without_lease"
	LeaseWithoutRun     Fault = "lease_without_run"
	SlotCounter         Fault = "slot_counter" // it is not the number of runs that hold the slot
	LineNotIndexed      Fault = "line_not_indexed"
	PlaceWithoutRun     Fault = "place_without_run" // in a line or in delayed, without its message
	RunWithoutPlace     Fault = "run_without_place" // a message of a line or of delayed that nothing points at
	RunInTwoPlaces      Fault = "run_in_two_places"
	StreamWithoutGroup  Fault = "stream_without_group"
	StreamNotRegistered Fault = "stream_not_registered"
	StrandedEntry       Fault = "stranded_entry" // delivered, pending for nobody, and still there
	PendingWithoutEntry Fault = "pending_without_entry"
	UnreadableMessage   Fault = "unreadable_message"
	EndlessKey          Fault = "endless_key" // should have a TTL and has none
	UnknownKey          Fault = "unknown_key"
	WrongType           Fault = "wrong_type"        // another program wrote the key
	StrangeScore        Fault = "strange_score"     // it is no time in whole milliseconds
	UnreadableNumber    Fault = "unreadable_number" // a version, a sequence, a term or the time of a pause
)

// Finding is something that no move of a job or a run leaves behind.
type Finding struct {
	Fault     Fault
	Partition int
	Key       string // where it is in Redis
	Subject   string // the job, run, slot, line or entry
	Detail    string // what is wrong, with figures
	Remedy    string // what to do
}

const (
	// confirmPause is between two looks at what seems to be wrong: what moved meanwhile is not wrong.
	confirmPause = 300 * time.Millisecond
	// confirmations is how many times what seemed wrong must be found again.
	confirmations = 2
	// findingsLimit is how many findings of one kind are told of one partition.
	findingsLimit = 100
)

// Check looks through the whole store for what should not be there and calls f for each finding,
// in order of partition and fault. It writes nothing, reads page by page, and holds some thousand
// findings at most: of each fault the first hundred of a partition are told. What moves while it
// is looked at is looked at again, so that a store at work has no findings. An error says that
// the check is incomplete.
func (s *Store) Check(ctx context.Context, f func(Finding)) error {
	for p := range s.partitions {
		c := checker{Store: s, keys: s.partitions[p], partition: p}
		found, err := c.check(ctx)
		if err != nil {
			return err
		}
		for _, one := range found {
			f(one)
		}
	}
	return nil
}

// checker looks through one partition.
type checker struct {
	*Store
	keys      keys
	partition int
}

// inspection is one thing to look through: walk calls see with pages of subjects, and probe tells
// what is wrong with some of them at one moment.
type inspection struct {
	walk  func(ctx context.Context, see func(subjects []string) error) error
	probe func(ctx context.Context, subjects []string) ([]Finding, error)
}

func (c *checker) inspections() []inspection {
	return []inspection{
		{c.walkJobs, c.probeJobs},
		{c.walkJobs, c.probeNextTimes},
		{c.walkScores(c.keys.runTimes()), c.probeTimes},
		{c.walkFields(c.keys.calendarJobs()), c.probeReferences},
		{c.walkFields(c.keys.running()), c.probeRunning},
		{c.walkScores(c.keys.leases()), c.probeLeases},
		{c.walkSlots, c.probeSlots},
		{c.walkLines, c.probeLines},
		{c.walkScores(c.keys.delayed()), c.probeDelayed},
		{c.walkFields(c.keys.delayedRuns()), c.probeDelayedRuns},
		{c.walkFields(c.keys.delayedRuns()), c.probeDelayedTexts},
		{c.walkLineTexts, c.probeLineTexts},
		{c.walkStreams, c.probeStreams},
		{c.walkEntries, c.probeEntries},
		{c.walkPending, c.probePending},
		{c.walkKeys, c.probeKeys},
		{c.walkKeys, c.probeTypes},
		{c.walkScores(c.keys.runTimes()), c.probeScores(c.keys.runTimes(), "carillon job pause ID, then carillon job resume ID")},
		{c.walkScores(c.keys.delayed()), c.probeScores(c.keys.delayed(), "")},
		{c.walkScores(c.keys.leases()), c.probeScores(c.keys.leases(), "")},
		{one("numbers"), c.probeNumbers},
	}
}

// identity is what makes a finding of a later look the same one.
type identity struct {
	fault        Fault
	key, subject string
}

func (f Finding) identity() identity { return identity{f.Fault, f.Key, f.Subject} }

// check looks through everything once and then again, twice, at what seemed wrong.
func (c *checker) check(ctx context.Context) ([]Finding, error) {
	all := c.inspections()
	suspects := make([]map[identity]Finding, len(all))
	for i, in := range all {
		suspects[i] = map[identity]Finding{}
		counts := map[Fault]int{}
		err := in.walk(ctx, func(subjects []string) error {
			if len(subjects) == 0 {
				return nil
			}
			found, err := in.probe(ctx, subjects)
			for _, one := range found {
				if _, known := suspects[i][one.identity()]; !known && counts[one.Fault] < findingsLimit {
					counts[one.Fault]++
					suspects[i][one.identity()] = one
				}
			}
			return err
		})
		if err != nil && !wrongType(err) { // probeTypes tells of the key
			return nil, c.explain("check", err)
		}
	}
	var confirmed []Finding
	if !slices.ContainsFunc(suspects, func(m map[identity]Finding) bool { return len(m) > 0 }) {
		return nil, nil
	}
	for range confirmations {
		if !wait(ctx, confirmPause) {
			return nil, c.explain("check", ctx.Err())
		}
		for i, in := range all {
			if err := c.confirm(ctx, in, suspects[i]); err != nil {
				return nil, c.explain("check", err)
			}
		}
	}
	for _, left := range suspects {
		confirmed = append(confirmed, slices.SortedFunc(maps.Values(left), compareFindings)...)
	}
	return confirmed, nil
}

// confirm looks again and drops the suspects that are not found any more.
func (c *checker) confirm(ctx context.Context, in inspection, suspects map[identity]Finding) error {
	var subjects []string
	for _, f := range suspects {
		subjects = append(subjects, f.Subject)
	}
	slices.Sort(subjects)
	again := map[identity]Finding{}
	for some := range slices.Chunk(slices.Compact(subjects), page) {
		found, err := in.probe(ctx, some)
		if err != nil && !wrongType(err) {
			return err
		}
		for _, one := range found {
			again[one.identity()] = one
		}
	}
	maps.DeleteFunc(suspects, func(id identity, _ Finding) bool {
		f, still := again[id]
		if still {
			suspects[id] = f
		}
		return !still
	})
	return nil
}

func compareFindings(a, b Finding) int {
	return strings.Compare(string(a.Fault)+a.Key+"\n"+a.Subject, string(b.Fault)+b.Key+"\n"+b.Subject)
}

// finding makes one of this partition; command is what mends it in Redis, said after why.
func (c *checker) finding(fault Fault, key, subject, detail, remedy string) Finding {
	return Finding{Fault: fault, Partition: c.partition, Key: key, Subject: subject, Detail: detail, Remedy: remedy}
}

// redisCommand is a command as a shell takes it.
func redisCommand(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if strings.ContainsAny(w, "{}:@*#$&;|<>()[]?!~`\"' \\") {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return "redis-cli " + strings.Join(quoted, " ")
}
