package store

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// keys makes every key of one partition, and nothing else in Carillon makes one.
//
//	key                   type    written by                        goes
//	meta                  hash    Open of the first node            never
//	registry              hash    Register                          never
//	jobs                  hash    add update … dispatch follow      field with the job
//	calendars             hash    set_calendar refer follow         fields with the calendar; versions never
//	calendar_jobs         hash    refer                             field with the job
//	backlogs              hash    dispatch backlogs                 field when the backlog ends, or its job is gone
//	run_times             zset    add update … dispatch follow      member when paused or finished
//	stream:<executor>     stream  dispatch enqueue start recover …  entry when its runs start
//	running               hash    start next finish recover cancel  field when the attempt ends
//	leases                zset    start next renew finish recover   with its field of running
//	slots:<slot>          string  start next finish recover audit   at zero
//	waiting               set     start next                        member when nobody is in line
//	waiting:<slot>        zset    start next remove                 member when it starts
//	waiting_runs:<slot>   hash    start next remove                 with its member of waiting:<slot>
//	delayed               zset    finish postpone enqueue promote   member when it is due
//	delayed_runs          hash    finish postpone enqueue promote   with its member of delayed
//	unserved              hash    postpone step_out unserved        field when a node serves its task (settle)
//	served                hash    serving                           after a minute without a leader
//	fence                 hash    take_office dispatch              never
//	paused                string  pause                             on resume
//	paused_executors      hash    pause_executor                    field on resume
//	outage                string  outage                            after a lease
//	removed               zset    remove forget                     when no message refers to the job
//	removed_dead          set     forget                            member when dead refers to it no more
//	housekeeping          hash    forget keep                       never
//	old_slots             hash    update remove forget              field with the job
//	op:<op id>            string  each client mutation              after opLife, or as it says
//	history:<job>         list    dispatch start finish recover …   capped (tidy: by age); expires after its job
//	past:<day>            hash    finish_plain                      tidy, when all its rows are old; expires later
//	dead                  list    finish recover retry *_aside      capped
//	log:<run>             stream  lines                             capped; expires as a history
//	events                stream  nearly all                        capped (tidy: by age)
//	wake (channel)        —       whatever changes the next time    —
type keys struct{ prefix string }

func keysOf(namespace string, partition int) keys {
	return keys{prefix: "{" + namespace + ":" + strconv.Itoa(partition) + "}:"}
}

func (k keys) meta() string                  { return k.prefix + "meta" }
func (k keys) registry() string              { return k.prefix + "registry" }
func (k keys) jobs() string                  { return k.prefix + "jobs" }
func (k keys) calendars() string             { return k.prefix + "calendars" }
func (k keys) calendarJobs() string          { return k.prefix + "calendar_jobs" }
func (k keys) backlogs() string              { return k.prefix + "backlogs" }
func (k keys) runTimes() string              { return k.prefix + "run_times" }
func (k keys) stream(executor string) string { return k.prefix + "stream:" + executor }
func (k keys) running() string               { return k.prefix + "running" }
func (k keys) leases() string                { return k.prefix + "leases" }
func (k keys) slot(slot string) string       { return k.prefix + "slots:" + slot }
func (k keys) waitingIndex() string          { return k.prefix + "waiting" }
func (k keys) waiting(slot string) string    { return k.prefix + "waiting:" + slot }
func (k keys) waitingRuns(slot string) string {
	return k.prefix + "waiting_runs:" + slot
}
func (k keys) delayed() string           { return k.prefix + "delayed" }
func (k keys) delayedRuns() string       { return k.prefix + "delayed_runs" }
func (k keys) unserved() string          { return k.prefix + "unserved" }
func (k keys) served() string            { return k.prefix + "served" }
func (k keys) fence() string             { return k.prefix + "fence" }
func (k keys) paused() string            { return k.prefix + "paused" }
func (k keys) pausedExecutors() string   { return k.prefix + "paused_executors" }
func (k keys) outage() string            { return k.prefix + "outage" }
func (k keys) removed() string           { return k.prefix + "removed" }
func (k keys) removedDead() string       { return k.prefix + "removed_dead" }
func (k keys) oldSlots() string          { return k.prefix + "old_slots" }
func (k keys) housekeeping() string      { return k.prefix + "housekeeping" }
func (k keys) op(id string) string       { return k.prefix + "op:" + id }
func (k keys) history(job string) string { return k.prefix + "history:" + job }
func (k keys) past(day int64) string     { return k.prefix + "past:" + strconv.FormatInt(day, 10) }
func (k keys) dead() string              { return k.prefix + "dead" }
func (k keys) log(run string) string     { return k.prefix + "log:" + run }
func (k keys) events() string            { return k.prefix + "events" }
func (k keys) wake() string              { return k.prefix + "wake" }

// keyNames are what may follow the prefix of a key, or begin what follows it.
var keyNames = []string{
	"meta", "registry", "jobs", "calendars", "calendar_jobs", "backlogs", "run_times", "running", "leases", "waiting", "delayed", "delayed_runs", "unserved", "served",
	"fence", "paused", "paused_executors", "outage",
	"removed", "removed_dead", "housekeeping", "old_slots", "dead", "events", "calendars", "calendar_jobs", "stream:", "slots:", "waiting:", "waiting_runs:", "op:", "history:", "past:", "log:",
}

// isKeyName reports whether a key of Carillon may be called so, without its prefix.
func isKeyName(name string) bool {
	return slices.ContainsFunc(keyNames, func(k string) bool {
		return name == k || strings.HasSuffix(k, ":") && strings.HasPrefix(name, k)
	})
}

// partitionOf is the partition of an id: the hash of the text in its first {…}, else of the whole.
func partitionOf(id string, partitions int) int {
	if partitions <= 1 {
		return 0
	}
	if open := strings.IndexByte(id, '{'); open >= 0 {
		if n := strings.IndexByte(id[open+1:], '}'); n > 0 {
			id = id[open+1 : open+1+n]
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return int(h.Sum32() % uint32(partitions))
}
