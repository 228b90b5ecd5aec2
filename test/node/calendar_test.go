package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon"
)

// told is a logger that calls tell before it writes an info line.
type told struct {
	hclog.Logger
	tell func(message string)
}

func (l told) With(args ...any) hclog.Logger  { return told{l.Logger.With(args...), l.tell} }
func (l told) Named(name string) hclog.Logger { return told{l.Logger.Named(name), l.tell} }
func (l told) Info(message string, args ...any) {
	l.tell(message)
	l.Logger.Info(message, args...)
}

// outside is a trigger from a time on, without what the calendar "closed" leaves out.
func outside(every time.Duration, start time.Time) json.RawMessage {
	return fmt.Appendf(nil, `{"type":"interval","every":%q,"start_date":%q,"exclude":[{"calendar":"closed"}]}`,
		every, start.UTC().Format(time.RFC3339Nano))
}

// A leader ends, or hangs, when it has given some of the jobs the times that a changed calendar leaves
// them; the next one gives them to the others. Jobs that fire all the while fire at no time that an
// acknowledged calendar leaves out, and at no time twice.
func TestCalendarsAreFollowedThroughAChangeOfLeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		leave func(leader *lifted, goOn func())
	}{
		{"it ends", func(leader *lifted, goOn func()) { leader.cancel(); goOn() }},
		{"it hangs", func(*lifted, func()) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			followThroughAChange(t, c.leave)
		})
	}
}

const (
	farJobs  = 700 // whose next time is far: more than two pages of them
	tick     = 100 * time.Millisecond
	shutTime = 1500 * time.Millisecond
)

func followThroughAChange(t *testing.T, leave func(*lifted, func())) {
	ctx, cluster := t.Context(), clusterOf(t)
	paged, release := make(chan struct{}, 1), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(release) })
	var once sync.Once
	cfg := config(t, cluster, "first")
	cfg.Logger = told{cfg.Logger, func(message string) {
		if message == "jobs follow their calendars" {
			once.Do(func() { paged <- struct{}{}; <-release })
		}
	}}
	first := lift(t, newNode(t, cfg))
	t.Cleanup(goOn) // before the node is stopped
	eventually(t, 10*time.Second, "the first node leads", func() bool { return scrape(t, first.Address())["carillon_leader"] == 1 })
	second := liftNew(t, cluster, "second")

	start := time.Now().Truncate(tick).Add(tick)
	far := start.Add(time.Hour)
	if err := second.SetCalendar(ctx, "closed", json.RawMessage(`{"exclude":[]}`)); err != nil {
		t.Fatal(err)
	}
	for i := range farJobs {
		must(second.AddJob(ctx, carillon.Job{ID: fmt.Sprint("far", i), Task: "act", Trigger: outside(time.Hour, far)}))(t)
	}
	fired := newTimes()
	ticking := carillon.Job{ID: "tick", Task: "act", Args: act(t, fired.note), Trigger: outside(tick, start)}
	ticking.Coalesce, ticking.Overlap = carillon.CoalesceAll, carillon.OverlapQueue
	must(second.AddJob(ctx, ticking))(t)
	eventually(t, 10*time.Second, "some runs", func() bool { return len(fired.seen()) >= 3 })

	// The far jobs lose their next time, and the job that ticks those of a while.
	from := time.Now().Truncate(tick).Add(10 * tick)
	doc := fmt.Appendf(nil, `{"exclude":[%s,%s]}`, item(from, from.Add(shutTime)), item(far, far))
	if err := second.SetCalendar(ctx, "closed", doc); err != nil {
		t.Fatal(err)
	}
	if !time.Now().Before(from) {
		t.Log("the calendar was acknowledged after its first time; those before that are not judged")
		from = time.Now()
	}
	receive(t, paged, "a page of jobs that follow the calendar")
	leave(first, goOn)
	eventually(t, 20*time.Second, "the second node leads", func() bool { return scrape(t, second.Address())["carillon_leader"] == 1 })
	want := far.Add(time.Hour).UnixMilli()
	eventually(t, 20*time.Second, "every far job has its new time", func() bool { return oldTimes(t, second.Client, want) == 0 })
	goOn()
	last := from.Add(shutTime)
	eventually(t, 20*time.Second, "runs after the time that is left out", func() bool { return fired.after(last) >= 10 })
	if n := oldTimes(t, second.Client, want); n > 0 {
		t.Errorf("%d jobs have another time when the older leader goes on", n)
	}
	for at, n := range fired.seen() {
		if when := time.UnixMilli(at); n > 1 || (!when.Before(from) && !when.After(last)) {
			t.Errorf("%d runs for %s; left out is %s to %s", n, when.UTC(), from.UTC(), last.UTC())
		}
	}
	if n := scrape(t, second.Address())["carillon_followed_jobs_total"]; n < 1 || n >= farJobs {
		t.Errorf("the second leader gave %v jobs their times, want a part of %d", n, farJobs)
	}
}

// item leaves out what lies between two times.
func item(from, to time.Time) string {
	return fmt.Sprintf(`{"from":%q,"to":%q}`, from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano))
}

// oldTimes is how many far jobs have another next time than the one that is wanted.
func oldTimes(t *testing.T, client *carillon.Client, want int64) int {
	t.Helper()
	n := farJobs
	for _, j := range must(client.Jobs(t.Context()))(t) {
		if at, ok := j.NextRunTime.Time(); ok && at.UnixMilli() == want {
			n--
		}
	}
	return n
}

// times counts runs by their scheduled time.
type times struct {
	mu   sync.Mutex
	runs map[int64]int
}

func newTimes() *times { return &times{runs: map[int64]int{}} }

func (f *times) note(_ context.Context, run carillon.Run) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs[run.ScheduledTime.UnixMilli()]++
	return nil, nil
}

func (f *times) seen() map[int64]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.runs)
}

// after is how many times after a moment have had their run.
func (f *times) after(moment time.Time) (n int) {
	for at := range f.seen() {
		if time.UnixMilli(at).After(moment) {
			n++
		}
	}
	return n
}
