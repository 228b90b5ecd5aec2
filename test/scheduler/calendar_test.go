package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/scheduler"
	"github.com/carillon-project/carillon/store"
)

const hour = 3_600_000

// shut keeps a calendar that leaves out some times, Unix ms.
func (s *stand) shut(name string, times ...int64) {
	s.Helper()
	items := []any{}
	for _, at := range times {
		text := time.UnixMilli(at).UTC().Format(time.RFC3339Nano)
		items = append(items, map[string]string{"from": text, "to": text})
	}
	s.keep(name, items...)
}

func (s *stand) keep(name string, exclude ...any) {
	s.Helper()
	if exclude == nil {
		exclude = []any{}
	}
	doc, err := json.Marshal(map[string]any{"exclude": exclude})
	if err != nil {
		s.Fatal(err)
	}
	if err := s.SetCalendar(s.Context(), uuid.NewString(), name, doc); err != nil {
		s.Fatal(err)
	}
}

// by has a job refer to a calendar as it is.
func (s *stand) by(name string) func(*store.Entry) {
	s.Helper()
	c, err := s.Calendars(s.Context(), 0)
	if err != nil {
		s.Fatal(err)
	}
	return func(e *store.Entry) {
		e.Job.Trigger = []byte(strings.TrimSuffix(string(e.Job.Trigger), "}") + fmt.Sprintf(`,"exclude":[{"calendar":%q}]}`, name))
		e.CalendarsVersion = c.Version
	}
}

// followed reports whether every job follows the calendars.
func (s *stand) followed() bool {
	s.Helper()
	d, err := s.Due(s.Context(), 0, 1)
	if err != nil {
		s.Fatal(err)
	}
	return d.CalendarsApplied == d.CalendarsVersion
}

// nextTimes are the nominal times of all jobs.
func (s *stand) nextTimes() map[string]int64 {
	s.Helper()
	all, err := s.List(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	times := map[string]int64{}
	for _, e := range all {
		times[e.Job.ID] = e.Next
	}
	return times
}

// led runs a loop of which the test has more in its hands than of lead.
func (s *stand) led(term int64, change func(*scheduler.Config)) (ended chan error) {
	s.Helper()
	cfg := scheduler.Config{Store: s.Store, Node: "leader", Lease: s.lease}
	change(&cfg)
	l, err := scheduler.New(cfg)
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	ended = make(chan error, 1)
	go func() {
		defer close(over)
		ended <- l.Run(ctx, office(term))
	}()
	s.Cleanup(func() { cancel(); <-over })
	return ended
}

// A leader that hangs while it goes through the jobs, and comes back when there is another, writes
// nothing any more; the other goes on.
func TestFencedWhileFollowingCalendars(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	const jobs = 1200 // more than two pages, and more than a small hash gives at once
	first := s.now() + hour
	s.shut("closed")
	referring := s.by("closed")
	for i := range jobs {
		s.add(fmt.Sprint("job", i), first, hour, referring)
	}
	paged, goOn := make(chan int), make(chan struct{})
	ended := s.led(1, func(c *scheduler.Config) {
		c.Observe = func(o scheduler.Observation) {
			if o.Followed > 0 {
				paged <- o.Followed
				<-goOn
			}
		}
	})
	letGo := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(letGo)
	s.shut("closed", first)
	moved := <-paged
	if moved >= jobs {
		t.Fatalf("all %d jobs were one page", moved)
	}
	if err := s.TakeOffice(t.Context(), 0, office(2)); err != nil {
		t.Fatal(err)
	}
	before := s.nextTimes()
	letGo()
	if err := <-ended; !errors.Is(err, store.ErrFenced) {
		t.Errorf("the older leader ended with %v, want ErrFenced", err)
	}
	if diff := cmp.Diff(before, s.nextTimes()); diff != "" {
		t.Errorf("a fenced leader gave jobs other times (-before +after):\n%s", diff)
	}
	if s.followed() {
		t.Error("a fenced leader said that all jobs follow")
	}
	s.lead(3)
	s.eventually("the next leader has gone through all", s.followed)
	want := maps.Clone(before)
	for id := range want {
		want[id] = first + hour
	}
	if diff := cmp.Diff(want, s.nextTimes()); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
	if n := len(s.eventsOf(job.JobModified)); n != jobs {
		t.Errorf("%d jobs were given another time, want each of %d once", n, jobs)
	}
}

// eventsOf are the jobs of the events of one kind.
func (s *stand) eventsOf(kind job.EventKind) []string {
	s.Helper()
	var ids []string
	for after := (store.Cursor)(nil); ; {
		events, next, err := s.Events(s.Context(), after, 0)
		if err != nil {
			s.Fatal(err)
		}
		if len(events) == 0 {
			return ids
		}
		for _, e := range events {
			if e.Kind == kind {
				ids = append(ids, e.JobID)
			}
		}
		after = next
	}
}

// tapped is a logger that tells of every job to be parked before it is.
type tapped struct {
	hclog.Logger
	tell func(id string)
}

func (l tapped) With(args ...any) hclog.Logger { return tapped{l.Logger.With(args...), l.tell} }
func (l tapped) Debug(message string, args ...any) {
	if message == "parking a job" {
		l.tell(fmt.Sprint(args[1]))
	}
	l.Logger.Debug(message, args...)
}

// A job that is edited between the look at it and its parking is looked at again before all jobs count
// as followed.
func TestEditWhileACalendarParks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		parks int
	}{{"one is parked", 1}, {"all are parked", 600}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			editWhileParking(t, 600, c.parks) // more than a page
		})
	}
}

func editWhileParking(t *testing.T, jobs, parks int) {
	t.Helper()
	s := newStand(t, 1)
	first := s.now() + hour
	s.shut("closed")
	s.shut("open")
	closed, open, all := s.by("closed"), s.by("open"), map[string]store.Entry{}
	for i := range jobs {
		referring := open
		if i < parks {
			referring = closed
		}
		e := s.add(fmt.Sprint("job", i), first, hour, referring)
		all[e.Job.ID] = e
	}
	edited := make(chan string, 1)
	var once sync.Once
	edit := func(id string) {
		old := all[id]
		old.CalendarsVersion = 0
		changed := old
		changed.Job.Args = []byte(`"edited"`)
		if err := s.Update(context.Background(), uuid.NewString(), old, changed, job.JobModified, ""); err != nil {
			t.Error(err)
		}
		edited <- id
	}
	s.led(1, func(c *scheduler.Config) {
		c.Logger = tapped{hclog.NewNullLogger(), func(id string) { once.Do(func() { edit(id) }) }}
	})
	s.keep("closed", map[string]string{"type": "interval", "every": "1h", "start_date": time.UnixMilli(first).UTC().Format(time.RFC3339Nano)})
	s.eventually("all jobs follow", s.followed)
	got, err := s.Get(t.Context(), <-edited)
	if err != nil || got.State != store.Parked || string(got.Job.Args) != `"edited"` {
		t.Errorf("the edited job is %q with args %s (%v), want it parked", got.State, got.Job.Args, err)
	}
}

// Jobs that refer to no calendar cost no command of it, however many are dispatched at once.
func TestCalendarsCostOthersNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		referring int
		want      int64
	}{
		{"none refers to one", 0, 0},
		{"all do", store.MaxDispatch, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Close() })
			s := newStandAt(t, server, 1)
			if err := s.TakeOffice(t.Context(), 0, office(1)); err != nil {
				t.Fatal(err)
			}
			s.shut("closed")
			referring := s.by("closed")
			s.add("one that does", s.now()+hour, hour, referring)
			due := s.now()
			var all []store.Dispatch
			for i := range store.MaxDispatch {
				change := []func(*store.Entry){}
				if i < c.referring {
					change = append(change, referring)
				}
				e := s.add(fmt.Sprint("job", i), due, hour, change...)
				next := e.Header
				next.Last, next.Next, next.Runs = due, due+hour, 1
				all = append(all, store.Dispatch{
					ID: e.Job.ID, Old: e.Header, Next: &next, RunTime: due + hour, Executor: "default", CalendarsVersion: e.CalendarsVersion,
				})
			}
			before := s.calls("hget")
			answers, err := s.Dispatch(t.Context(), 0, office(1), all)
			if err != nil || answers[0] != store.DispatchOK || answers[len(answers)-1] != store.DispatchOK {
				t.Fatalf("dispatch: %v, error %v", answers, err)
			}
			if n := s.calls("hget") - before; n != c.want {
				t.Errorf("%d HGET in a dispatch of %d jobs, want %d", n, len(all), c.want)
			}
			for i := range all { // and now they end
				all[i].Old, all[i].Next = *all[i].Next, nil
				s.schedule(all[i].ID, due)
			}
			before = s.calls("hget") + s.calls("exists") // EXISTS: for the pause, and once for all histories
			if answers, err = s.Dispatch(t.Context(), 0, office(1), all); err != nil || answers[0] != store.DispatchOK {
				t.Fatalf("dispatch: %v, error %v", answers, err)
			}
			if n := s.calls("hget") + s.calls("exists") - before; c.referring == 0 && n != 2 {
				t.Errorf("%d HGET and EXISTS when %d jobs end, want 2", n, len(all))
			}
		})
	}
}

// calls is how often the server has carried out a command.
func (s *stand) calls(command string) int64 {
	s.Helper()
	text, err := s.raw.Info(s.Context(), "commandstats").Result()
	if err != nil {
		s.Fatal(err)
	}
	_, rest, ok := strings.Cut(text, "cmdstat_"+command+":calls=")
	if !ok {
		return 0
	}
	var n int64
	if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
		s.Fatal(err)
	}
	return n
}
