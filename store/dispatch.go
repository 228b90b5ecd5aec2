package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/carillon-project/carillon/job"
)

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

	// Backlog is the last run of Messages when more due times line up than they hold, until those have ended.
	// BacklogEnds says that no more do.
	Backlog     string
	BacklogEnds bool

	Executor string
	Messages []Message
	Rows     []job.Row   // stretches of times that did not run
	Events   []job.Event // of what does not run: coalesced, missed; that each run was submitted is added
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
	return s.PrepareDispatch(partition, o, jobs).Send(ctx)
}

// PreparedDispatch is a call of Dispatch that has been written and not yet sent.
type PreparedDispatch struct {
	store     *Store
	partition int
	office    Office
	keys      []string
	args      []any
	jobs      int
}

// PrepareDispatch does of Dispatch what needs no server. The jobs must not be changed until it is sent.
func (s *Store) PrepareDispatch(partition int, o Office, jobs []Dispatch) *PreparedDispatch {
	p := &PreparedDispatch{store: s, partition: partition, office: o, jobs: len(jobs)}
	if len(jobs) > 0 {
		c := dispatchCall{keys: s.partitions[partition], node: s.cfg.Node, term: o.Term, jobs: jobs}
		p.keys, p.args = c.write()
	}
	return p
}

// Send sends the call and returns what Dispatch does.
func (p *PreparedDispatch) Send(ctx context.Context) ([]Dispatched, error) {
	if p.jobs == 0 {
		return nil, nil
	}
	s := p.store
	t, err := s.office(ctx, dispatchScript, p.office, p.keys, p.args...)
	if err != nil {
		return nil, err
	}
	if t[0] == "PAUSED" {
		return nil, fmt.Errorf("store %s: dispatch: %w", s.cfg.Name, ErrPaused)
	}
	n := numbers{}
	s.sequences[p.partition].atLeast(n.orZero(t[1]))
	return p.answers(t[2:]), n.unreadable("dispatch")
}

// answers are the tags of the script; no tags mean that all are OK.
func (p *PreparedDispatch) answers(tags []string) []Dispatched {
	all := make([]Dispatched, p.jobs)
	for i := range all {
		all[i] = DispatchOK
		if len(tags) > 0 {
			all[i] = Dispatched(tags[i])
		}
	}
	return all
}

// dispatchCall writes one call of the script. Nearly all of its arguments are pieces of one text, so
// that a job costs few allocations.
type dispatchCall struct {
	keys keys
	node string
	term int64
	jobs []Dispatch

	finish int // how many jobs do
	*texts
}

// write returns the keys and the arguments of the script, after those of every script of the leader.
func (c *dispatchCall) write() (keys []string, args []any) {
	k := c.keys
	usual := c.jobs[0].Executor
	odd := oddJobs{keys: []string{k.events(), k.jobs(), k.fence(), k.paused(), k.runTimes(), k.calendars(), k.calendarJobs(), k.stream(usual)}}
	messages, largest, latest := 0, 0, int64(0)
	c.texts = newTexts()
	for i := range c.jobs {
		d := &c.jobs[i]
		for _, m := range d.Messages {
			messages, largest = messages+1, max(largest, len(m.Args)+64*len(m.Runs))
		}
		latest = max(latest, d.Latest)
		if d.Next == nil {
			c.finish++
		}
	}
	c.writeHistories()
	events := c.writeEvents()
	c.writeHeaders()
	c.writeMessages()
	pieces := c.pieces()
	for i := range c.finish {
		odd.keys = append(odd.keys, pieces[i])
	}
	pieces = pieces[c.finish:]
	share := share(messages, largest)
	args = append(make([]any, 0, 16+events+4*len(c.jobs)+2*messages), len(c.jobs), share, c.finish, latest, events, &pieces[events])
	for i := range c.jobs {
		odd.see(k, i, usual, &c.jobs[i])
	}
	args = append(args, odd.count)
	for i := range pieces[:events] {
		args = append(args, &pieces[i])
	}
	pieces = pieces[events+1:]
	for i := range c.jobs {
		args = append(args, &c.jobs[i].ID)
	}
	headers := len(pieces) - messages
	for i := range pieces[:headers] {
		args = append(args, &pieces[i])
	}
	for i := range c.jobs {
		if c.jobs[i].Next != nil {
			args = append(args, &c.jobs[i].RunTime)
		}
	}
	args = append(args, odd.args...)
	for i := range pieces[headers:] {
		args = append(args, fields[i%share], &pieces[headers+i])
	}
	return odd.keys, args
}

// writeHistories makes the keys of the histories of the jobs that finish.
func (c *dispatchCall) writeHistories() {
	prefix := c.keys.history("")
	for i := range c.jobs {
		if c.jobs[i].Next == nil {
			c.key(prefix, c.jobs[i].ID)
		}
	}
}

// writeEvents makes pieces of the events of all jobs, and returns how many, and one more: for each job its latest
// time and how long its events are.
func (c *dispatchCall) writeEvents() int {
	details := make([]byte, 0, 24*len(c.jobs))
	pack := newEventPack(c.texts)
	for i := range c.jobs {
		d := &c.jobs[i]
		length := -1 // events have a newline between two
		end := func(at int) {
			length += len(c.b) - at + 1
			pack.end(at)
		}
		for k := range d.Events {
			at := pack.begin()
			c.b = appendEvent(c.b, &d.Events[k])
			end(at)
		}
		for k := range d.Messages {
			m := &d.Messages[k]
			for _, run := range m.Runs {
				at := pack.begin()
				c.b = appendRunEvent(c.b, job.JobSubmitted, m, run, c.node, c.term, "")
				end(at)
			}
		}
		if d.Next == nil {
			at := pack.begin()
			c.b = appendEvent(c.b, &job.Event{Kind: job.JobRemoved, JobID: d.ID, Node: c.node, Term: c.term, Cause: "finished"})
			end(at)
		}
		details = append(strconv.AppendInt(details, d.Latest, 10), ' ')
		details = append(strconv.AppendInt(details, int64(max(length, 0)), 10), ';')
	}
	events := pack.close()
	c.b = append(c.b, details...)
	c.cut()
	return events
}

// writeHeaders makes a piece of each header that was read, then, unless all jobs finish, of each to
// store.
func (c *dispatchCall) writeHeaders() {
	for i := range c.jobs {
		c.b = c.jobs[i].Old.appendTo(c.b)
		c.cut()
	}
	if c.finish == len(c.jobs) {
		return
	}
	for i := range c.jobs {
		if next := c.jobs[i].Next; next != nil {
			c.b = next.appendTo(c.b)
		}
		c.cut()
	}
}

func (c *dispatchCall) writeMessages() {
	for i := range c.jobs {
		for k := range c.jobs[i].Messages {
			c.b = c.jobs[i].Messages[k].appendTo(c.b)
			c.cut()
		}
	}
}

// oddJobs collects what the script has to be told of the jobs that are not usual: one message for the
// usual stream, no rows, no calendars.
type oddJobs struct {
	keys  []string
	index map[string]int // of those keys that were asked for
	count int
	args  []any
}

// see looks at the job in place at.
func (o *oddJobs) see(k keys, at int, usual string, d *Dispatch) {
	if len(d.Messages) == 1 && d.Executor == usual && len(d.Rows) == 0 && d.CalendarsVersion == 0 && d.Backlog == "" && !d.BacklogEnds {
		return
	}
	history := 0
	if len(d.Rows) > 0 {
		history = o.at(k.history(d.ID))
	}
	o.count++
	o.args = append(o.args, at+1, o.at(k.stream(d.Executor)), history, timeOrEmpty(d.CalendarsVersion), rowLines(d.Rows), len(d.Messages), o.backlogText(k, d))
}

// at returns the index of a key in the script.
func (o *oddJobs) at(key string) int {
	if o.index == nil {
		o.index = map[string]int{}
	}
	if o.index[key] == 0 {
		o.keys = append(o.keys, key)
		o.index[key] = len(o.keys)
	}
	return o.index[key]
}

// fields are the names of the fields of an entry that holds several messages.
var fields = [mostShared]any{"m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"}

// mostShared is how many messages an entry holds at most.
const mostShared = 8

// crowd is how many messages it takes for some to share an entry.
const crowd = 64

// sharedBytes is how long an entry with several messages may be.
const sharedBytes = 32 << 10

// share is how many messages of a call may stand in one entry of a stream; largest is how many bytes the
// longest has. A lone message has an entry of its own; of a crowd up to eight share one, as long as they are
// short and there remain enough entries for all nodes to have some. What a node has no room for it puts back.
func share(messages, largest int) int {
	return max(1, min(mostShared, messages/crowd, sharedBytes/max(largest, 1)))
}

func rowLines(rows []job.Row) string {
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = HistoryRow(r)
	}
	return strings.Join(lines, "\n")
}
