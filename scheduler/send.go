package scheduler

import (
	"fmt"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// largestCall is about how many bytes of messages one dispatch may carry.
const largestCall = 2 << 20

// add adds a decided job, with its dispatch. lineUp makes its message wait for a slot rather than be
// refused: the slot may be held by an earlier part of the same backlog.
func (p *partition) add(b *batch, it item, now int64, lineUp bool) {
	c, d := it.job, it.decision
	out := store.Dispatch{ID: c.id, Old: c.header, Latest: d.latest, Executor: c.executor, CalendarsVersion: c.calendars}
	if d.next.nominal != 0 {
		h := c.header
		h.Last, h.Next, h.Runs = d.last, d.next.nominal, h.Runs+int64(len(d.runs))
		b.headers = append(b.headers, h)
		out.Next, out.RunTime = &b.headers[len(b.headers)-1], d.next.due
	}
	if d.missed.count > 0 {
		p.skip(&out, job.Missed, job.JobMissed, d.missed, now, missedCause(d, c.grace))
	}
	if d.coalesced.count > 0 {
		p.skip(&out, job.Coalesced, job.JobCoalesced, d.coalesced, now, coalescedCause(d.coalesced.count, c.coalesce))
	}
	out.BacklogEnds = lineUp && !d.goesOn()
	it.bytes = 512 + c.stored
	if len(d.runs) > 0 {
		m := c.messageOf()
		if lineUp {
			m.Overlap = job.OverlapQueue
		}
		first := len(b.runs)
		for _, r := range d.runs {
			b.runs = append(b.runs, store.MessageRun{ID: RunID(p.cfg.Store.UID(), c.uid, r.nominal), Scheduled: r.nominal, Due: r.due})
		}
		m.Runs = b.runs[first:len(b.runs):len(b.runs)]
		if d.goesOn() {
			out.Backlog = m.Runs[len(m.Runs)-1].ID
		}
		b.messages = append(b.messages, m)
		out.Messages = b.messages[len(b.messages)-1 : len(b.messages) : len(b.messages)]
		it.bytes += len(m.Args) + 256*len(m.Runs)
	}
	b.items, b.dispatches = append(b.items, it), append(b.dispatches, out)
}

// skip adds the row and the event of a stretch of times that do not run.
func (p *partition) skip(out *store.Dispatch, outcome job.Outcome, kind job.EventKind, s stretch, now int64, cause string) {
	out.Rows = append(out.Rows, job.Row{
		ScheduledTime: time.UnixMilli(s.first), Until: time.UnixMilli(s.last), Outcome: outcome, Node: p.cfg.Node,
		Finished: time.UnixMilli(now), Cause: cause, Count: int(s.count),
	})
	out.Events = append(out.Events, job.Event{
		Kind: kind, JobID: out.ID, ScheduledTime: time.UnixMilli(s.first), Node: p.cfg.Node, Term: p.office.Term, Cause: cause,
	})
}

func missedCause(d decision, grace time.Duration) string {
	late := fmt.Sprintf("late by %d ms, grace is %d ms", d.late.Milliseconds(), grace.Milliseconds())
	if d.missed.count == 1 {
		return late
	}
	return fmt.Sprintf("%d due times missed, the first %s", d.missed.count, late)
}

func coalescedCause(count int64, how job.Coalesce) string {
	times := "due times"
	if count == 1 {
		times = "due time"
	}
	return fmt.Sprintf("%d %s folded into the %s", count, times, how)
}

// fitting is how many of the first items one call takes, at least one.
func fitting(items []item) int {
	n, bytes := 0, 0
	for n < len(items) && n < store.MaxDispatch && (n == 0 || bytes+items[n].bytes <= largestCall) {
		bytes += items[n].bytes
		n++
	}
	return n
}

// settle notes what became of a call.
func (p *partition) settle(s sent) {
	now := p.elapsed()
	at := p.clock.redis(s.at)
	if len(s.answers) > 0 {
		p.trust.answered(s.at)
	}
	o := Observation{Partition: p.index, Skipped: map[job.Outcome]int64{}, Lateness: make([]time.Duration, 0, len(s.answers))}
	for i, answer := range s.answers {
		it := &s.items[i]
		switch answer {
		case store.DispatchOK:
			p.dispatched(it, &s.dispatches[i], now)
			o.add(&it.decision, at)
			p.tell(s.dispatches[i].Events, at)
		case store.DispatchNotDue:
			p.stumble(it.due, it.job.uid, now, time.Millisecond)
		default:
			p.jobs.drop(it.due.ID) // it is not as it was known
			p.unsure = p.unsure || it.decision.goesOn()
			p.stumble(it.due, it.job.uid, now, 0)
		}
	}
	for _, it := range s.items[len(s.answers):] {
		p.jobs.drop(it.due.ID) // nobody knows what became of it
		p.unsure = p.unsure || it.decision.goesOn()
	}
	if o.Dispatched > 0 || len(o.Skipped) > 0 {
		p.cfg.Observe(o)
	}
}

// tell has the listener hear what does not run; runs are told of by the executors that take them up.
func (p *partition) tell(events []job.Event, at int64) {
	for _, e := range events {
		e.Time, e.Store = time.UnixMilli(at).UTC(), p.cfg.Store.Name()
		p.cfg.Listen(e)
	}
}

// dispatched forgets what was remembered of the job, or remembers that the rest of its backlog
// waits for the runs that were sent.
func (p *partition) dispatched(it *item, out *store.Dispatch, now time.Duration) {
	delete(p.held, it.due.ID)
	if out.Next == nil {
		p.jobs.drop(it.due.ID)
		return
	}
	it.job.header = *out.Next
	if it.decision.goesOn() {
		h := p.keep(it.due, now)
		h.header, h.run, h.since, h.until = it.job.header, out.Backlog, now, now+backlogPoll
	}
}

func (o *Observation) add(d *decision, at int64) {
	o.Dispatched += len(d.runs)
	for _, r := range d.runs {
		o.Lateness = append(o.Lateness, time.Duration(max(at-r.due, 0))*time.Millisecond)
	}
	if d.missed.count > 0 {
		o.Skipped[job.Missed] += d.missed.count
	}
	if d.coalesced.count > 0 {
		o.Skipped[job.Coalesced] += d.coalesced.count
	}
}
