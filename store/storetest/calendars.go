package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var calendarTests = []conformance{
	{"calendar: every partition has it, saying it twice is saying it once", calendarSet},
	{"calendar: a repeated op changes nothing any more", calendarRepeats},
	{"calendar: partitions that differ are made equal", calendarAgrees},
	{"calendar: it stays while a job refers to it", calendarInUse},
	{"calendar: a removal that stopped midway is finished", calendarHalfGone},
	{"calendar: add and update refuse one that is not there", calendarUnknown},
	{"calendar: add and update refuse times by an older version", calendarOlder},
	{"calendar: dispatch refuses who refers to an older version, and nobody else", calendarDispatch},
	{"calendar: following is compare and set, and counts once all do", calendarFollow},
	{"calendar: following is fenced, and refused after another change", calendarFollowRefused},
	{"calendar: what nobody refers to has nobody follow", calendarUnused},
}

// closedOn is a calendar that leaves a day out.
func closedOn(day string) string { return fmt.Sprintf(`{"exclude":[%q]}`, day) }

func (r *rig) setCalendar(name, day string) {
	r.Helper()
	r.must(r.s.SetCalendar(r.ctx, unique("op"), name, []byte(closedOn(day))))
}

func (r *rig) calendars(partition int) store.Calendars {
	r.Helper()
	c, err := r.s.Calendars(r.ctx, partition)
	r.must(err)
	return c
}

// by has a job refer to calendars.
func by(names ...string) func(*job.Job) {
	return func(j *job.Job) {
		var items []string
		for _, name := range names {
			items = append(items, fmt.Sprintf(`{"calendar":%q}`, name))
		}
		j.Trigger = json.RawMessage(fmt.Sprintf(`{"type":"cron","expr":"* * * * *","exclude":[%s]}`, strings.Join(items, ",")))
	}
}

// addBy stores a job that is due now and refers to calendars as they are.
func (r *rig) addBy(id string, names ...string) store.Entry {
	r.Helper()
	e := r.entry(id, by(names...))
	e.CalendarsVersion = r.calendars(0).Version
	r.must(r.s.Add(r.ctx, unique("op"), e))
	e.CalendarsVersion = 0
	return e
}

func (r *rig) due() store.Due {
	r.Helper()
	d, err := r.s.Due(r.ctx, 0, 100)
	r.must(err)
	return d
}

func calendarSet(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Partitions = 3 })
	var last [3]int64
	for _, step := range []struct {
		day     string
		changes bool
	}{{"2030-01-01", true}, {"2030-01-01", false}, {"2030-01-02", true}} {
		r.setCalendar("c", step.day)
		for p := range 3 {
			got := r.calendars(p)
			equal(r, "calendars", got.Documents, map[string]json.RawMessage{"c": json.RawMessage(closedOn(step.day))})
			equal(r, "a greater version", got.Version > last[p], step.changes)
			last[p] = got.Version
		}
	}
	_, err := r.calendars(0).Find("nobody")
	r.wantErr(err, store.ErrCalendarNotFound)
	for p := range 3 {
		d, err := r.s.Due(r.ctx, p, 1)
		r.must(err)
		equal(r, "version in due", d.CalendarsVersion, last[p])
	}
}

func calendarRepeats(t *testing.T, open Open) {
	r := newRig(t, open)
	r.must(r.s.SetCalendar(r.ctx, "op", "c", []byte(closedOn("2030-01-01"))))
	r.setCalendar("c", "2030-01-02")
	version := r.calendars(0).Version
	r.must(r.s.SetCalendar(r.ctx, "op", "c", []byte(closedOn("2030-01-01"))))
	equal(r, "document", string(r.calendars(0).Documents["c"]), closedOn("2030-01-02"))
	equal(r, "version", r.calendars(0).Version, version)
	r.must(r.s.RemoveCalendar(r.ctx, "op2", "c"))
	r.setCalendar("c", "2030-01-03")
	r.must(r.s.RemoveCalendar(r.ctx, "op2", "c"))
	equal(r, "document after the repeated removal", string(r.calendars(0).Documents["c"]), closedOn("2030-01-03"))
}

func calendarAgrees(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Partitions = 2 })
	r.must(r.s.SetCalendar(r.ctx, "op", "c", []byte(closedOn("2030-01-01"))))
	before := r.calendars(1).Version
	r.raw.do("HSET", r.keyIn(1, "calendars"), "doc c", closedOn("2030-01-02")) // as a call at the same time leaves it
	r.must(r.s.SetCalendar(r.ctx, "op", "c", []byte(closedOn("2030-01-01"))))
	equal(r, "document", string(r.calendars(1).Documents["c"]), closedOn("2030-01-01"))
	if c := r.calendars(1); c.Version <= before {
		t.Errorf("version is %d, was %d", c.Version, before)
	}
}

func calendarInUse(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		ends func(r *rig, e store.Entry)
	}{
		{"removed", func(r *rig, e store.Entry) { _, err := r.s.Remove(r.ctx, "end", e.Job.ID); r.must(err) }},
		{"finished", func(r *rig, e store.Entry) {
			d := advance(e, message(e, e.RunTime))
			d.Next, d.CalendarsVersion = nil, r.calendars(0).Version
			equal(r, "answer", r.dispatch(d), []store.Dispatched{store.DispatchOK})
		}},
		{"modified", func(r *rig, e store.Entry) {
			changed := e
			by("other")(&changed.Job)
			changed.CalendarsVersion = r.calendars(0).Version
			r.must(r.s.Update(r.ctx, "end", e, changed, job.JobModified, ""))
		}},
	} {
		r := newRig(t, open)
		r.setCalendar("c", "2030-01-01")
		r.setCalendar("other", "2030-01-01")
		e := r.addBy("j", "c", "other")
		r.add("stranger")
		paused := e
		paused.State, paused.RunTime = store.Paused, 0
		r.must(r.s.Update(r.ctx, unique("op"), e, paused, job.JobPaused, ""))
		paused.Version++
		active := paused
		active.State, active.RunTime = store.Active, e.RunTime
		r.must(r.s.Update(r.ctx, unique("op"), paused, active, job.JobResumed, ""))
		active.Version++
		err := r.s.RemoveCalendar(r.ctx, unique("op"), "c")
		r.wantErr(err, store.ErrCalendarInUse)
		if !strings.Contains(err.Error(), "by jobs j;") {
			t.Errorf("%s: the refusal names nobody: %v", c.name, err)
		}
		c.ends(r, active)
		users, err := r.s.CalendarUsers(r.ctx, "c", 10)
		r.must(err)
		equal(r, c.name+": users", len(users), 0)
		r.must(r.s.RemoveCalendar(r.ctx, unique("op"), "c"))
		r.wantErr(r.s.RemoveCalendar(r.ctx, unique("op"), "c"), store.ErrCalendarNotFound)
	}
}

func calendarHalfGone(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Partitions = 2 })
	r.setCalendar("c", "2030-01-01")
	r.raw.do("HDEL", r.keyIn(1, "calendars"), "doc c")
	r.must(r.s.RemoveCalendar(r.ctx, unique("op"), "c"))
	equal(r, "calendars", len(r.calendars(0).Documents), 0)
	r.wantErr(r.s.RemoveCalendar(r.ctx, unique("op"), "c"), store.ErrCalendarNotFound)
}

func calendarUnknown(t *testing.T, open Open) {
	r := newRig(t, open)
	r.setCalendar("c", "2030-01-01")
	e := r.entry("j", by("c", "nobody"))
	e.CalendarsVersion = r.calendars(0).Version
	r.wantErr(r.s.Add(r.ctx, "op", e), store.ErrCalendarNotFound)
	_, err := r.s.Get(r.ctx, "j")
	r.wantErr(err, store.ErrJobNotFound)
	old := r.addBy("j", "c")
	changed := old
	by("nobody")(&changed.Job)
	changed.CalendarsVersion = e.CalendarsVersion
	r.wantErr(r.s.Update(r.ctx, "op2", old, changed, job.JobModified, ""), store.ErrCalendarNotFound)
	got, err := r.s.Get(r.ctx, "j")
	r.must(err)
	equal(r, "version", got.Version, old.Version)
}

func calendarOlder(t *testing.T, open Open) {
	r := newRig(t, open)
	r.setCalendar("c", "2030-01-01")
	e, kept := r.entry("j", by("c")), r.addBy("kept", "c")
	e.CalendarsVersion = r.calendars(0).Version
	r.setCalendar("c", "2030-01-02")
	r.wantErr(r.s.Add(r.ctx, "op", e), store.ErrChanged)
	older := e.CalendarsVersion
	e.CalendarsVersion = r.calendars(0).Version
	r.must(r.s.Add(r.ctx, "op", e))
	changed := kept
	changed.CalendarsVersion = older // its next time was found by the older ones
	r.wantErr(r.s.Update(r.ctx, "op2", kept, changed, job.JobModified, ""), store.ErrChanged)
	changed.CalendarsVersion = 0 // its next time stays
	r.must(r.s.Update(r.ctx, "op3", kept, changed, job.JobModified, ""))
}

func calendarDispatch(t *testing.T, open Open) {
	r := newRig(t, open)
	r.setCalendar("c", "2030-01-01")
	a, b := r.addBy("a", "c"), r.add("b")
	older := r.calendars(0).Version
	r.setCalendar("c", "2030-01-02")
	stale, plain := advance(a, message(a, a.RunTime, "ra")), advance(b, message(b, b.RunTime, "rb"))
	stale.CalendarsVersion = older
	equal(r, "answers", r.dispatch(stale, plain), []store.Dispatched{store.DispatchStale, store.DispatchOK})
	r.wantPlace("ra")
	stale.CalendarsVersion = r.calendars(0).Version
	equal(r, "answers", r.dispatch(stale), []store.Dispatched{store.DispatchOK})
	r.wantPlace("ra", "stream:default")
}

// later has a job run a minute later.
func later(e store.Entry) store.Follow {
	f := store.Follow{Old: e, Next: e.Header, RunTime: e.RunTime + 60_000}
	f.Next.Next += 60_000
	return f
}

func calendarFollow(t *testing.T, open Open) {
	r := newRig(t, open)
	r.setCalendar("c", "2030-01-01")
	a, b := r.addBy("a", "c"), r.addBy("b", "c")
	r.add("stranger")
	older := r.calendars(0).Version
	r.setCalendar("c", "2030-01-02")
	version := r.calendars(0).Version
	entries, _, cursor, err := r.s.Referring(r.ctx, 0, 0, 100)
	r.must(err)
	equal(r, "those who refer, and the cursor", [2]int{len(entries), int(cursor)}, [2]int{2, 0})
	moved := b
	moved.RunTime++
	r.must(r.s.Update(r.ctx, unique("op"), b, moved, job.JobModified, ""))
	whole, err := r.s.FollowCalendars(r.ctx, 0, r.office, version, true, []store.Follow{later(a), later(b)})
	r.must(err)
	equal(r, "whole with one that had changed", whole, false)
	equal(r, "version that is followed", r.due().CalendarsApplied, older)
	got, err := r.s.Get(r.ctx, "a")
	r.must(err)
	equal(r, "a", [2]int64{got.Next, got.RunTime}, [2]int64{a.Next + 60_000, a.RunTime + 60_000})
	b, err = r.s.Get(r.ctx, "b")
	r.must(err)
	equal(r, "b", b.RunTime, moved.RunTime)
	whole, err = r.s.FollowCalendars(r.ctx, 0, r.office, version, true, []store.Follow{later(b)})
	r.must(err)
	equal(r, "whole", whole, true)
	equal(r, "version that is followed", r.due().CalendarsApplied, version)
	equal(r, "events of a", r.kinds("a"), []job.EventKind{job.JobAdded, job.JobModified})
}

func calendarFollowRefused(t *testing.T, open Open) {
	r := newRig(t, open)
	r.setCalendar("c", "2030-01-01")
	a := r.addBy("a", "c")
	older := r.calendars(0).Version
	r.setCalendar("c", "2030-01-02")
	_, err := r.s.FollowCalendars(r.ctx, 0, r.office, older, true, []store.Follow{later(a)})
	r.wantErr(err, store.ErrCalendarsChanged)
	old := r.office
	old.Term--
	_, err = r.s.FollowCalendars(r.ctx, 0, old, r.calendars(0).Version, true, []store.Follow{later(a)})
	r.wantErr(err, store.ErrFenced)
	equal(r, "version that is followed", r.due().CalendarsApplied, older)
	got, err := r.s.Get(r.ctx, "a")
	r.must(err)
	equal(r, "run time", got.RunTime, a.RunTime)
}

func calendarUnused(t *testing.T, open Open) {
	r := newRig(t, open)
	r.setCalendar("used", "2030-01-01")
	r.setCalendar("unused", "2030-01-01")
	r.addBy("j", "used")
	r.setCalendar("unused", "2030-01-02")
	d := r.due()
	equal(r, "version that is followed", d.CalendarsApplied, d.CalendarsVersion)
	before := d.CalendarsApplied
	r.setCalendar("used", "2030-01-02")
	r.setCalendar("unused", "2030-01-03")
	d = r.due()
	equal(r, "version that is followed, with a change to follow", d.CalendarsApplied, before)
}
