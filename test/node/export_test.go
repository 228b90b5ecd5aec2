package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
)

// lineWriter hands on the lines of an export as they are written.
type lineWriter struct {
	rest []byte
	see  func(id string, line []byte) // id is of a job or a calendar
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, whole := bytes.Cut(w.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		var doc struct {
			ID       string `json:"id"`
			Calendar struct {
				Name string `json:"name"`
			} `json:"calendar"`
		}
		if err := json.Unmarshal(line, &doc); err != nil {
			return 0, err
		}
		w.see(doc.ID+doc.Calendar.Name, line)
		w.rest = slices.Clone(rest)
	}
}

// crowd is a cluster's namespace with n jobs, j0 and so on, whose args have a length.
type crowd struct {
	t      *testing.T
	client *carillon.Client
	raw    *redis.Client
	jobs   string // the key
	one    string // a stored job, which the others are copies of
}

const original = "the-original"

func crowded(t *testing.T, n, length int) *crowd {
	t.Helper()
	cfg := config(t, clusterOf(t), "n")
	_, client := idle(t, cfg)
	c := &crowd{t: t, client: client, raw: redis.NewClient(must(redis.ParseURL(cfg.Redis))(t)), jobs: "{" + cfg.Cluster + ":0}:jobs"}
	t.Cleanup(func() { _ = c.raw.Close() })
	must(client.AddJob(t.Context(), carillon.Job{ID: original, Task: "act", Args: json.RawMessage(`"<&>` + strings.Repeat("x", length) + `"`), Trigger: carillon.Cron("0 3 * * *")}))(t)
	c.one = must(c.raw.HGet(t.Context(), c.jobs, original).Result())(t)
	c.add(0, n)
	must(c.raw.HDel(t.Context(), c.jobs, original).Result())(t)
	t.Cleanup(func() { c.raw.Del(context.Background(), c.jobs) })
	return c
}

// add stores the jobs from…to-1.
func (c *crowd) add(from, to int) {
	c.t.Helper()
	for from < to {
		var fields []string
		for ; from < to && len(fields) < 2000; from++ {
			id := fmt.Sprintf("j%d", from)
			fields = append(fields, id, strings.Replace(c.one, original, id, 1))
		}
		must(c.raw.HSet(c.t.Context(), c.jobs, fields).Result())(c.t)
	}
}

// remove takes the jobs from…to-1 away.
func (c *crowd) remove(from, to int) {
	c.t.Helper()
	var ids []string
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprintf("j%d", i))
	}
	must(c.raw.HDel(c.t.Context(), c.jobs, ids...).Result())(c.t)
}

// An export of a store of 50,000 jobs holds a page of them. It is not parallel: others would be counted.
func TestExportHoldsAPage(t *testing.T) {
	const jobs, length = 50_000, 1_000
	c := crowded(t, jobs, length)
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before, most, lines, written := heap(), 0, 0, 0
	w := &lineWriter{see: func(_ string, line []byte) {
		written += len(line)
		if lines++; lines%10_000 == 0 {
			most = max(most, heap()-before)
		}
	}}
	if err := c.client.WriteExport(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d lines, %d bytes, at most %d held", lines, written, most)
	if lines != jobs || written < jobs*length || most > written/8 {
		t.Errorf("%d lines, %d bytes, at most %d held", lines, written, most)
	}
}

// While an export runs most jobs go, by which Redis orders the rest anew and hands some out again, and
// some come, with a calendar that they refer to.
func TestExportOfAStoreThatChanges(t *testing.T) {
	t.Parallel()
	const jobs, page, stay = 8_000, 500, 60
	c := crowded(t, jobs, 5_000) // longer than what is buffered, so that each is seen when it is read
	times := map[string]int{}
	var order []string
	w := &lineWriter{see: func(id string, line []byte) {
		if strings.HasPrefix(id, "j") && !bytes.Contains(line, []byte(`"args":"<&>xxx`)) {
			t.Errorf("the args of %s are not as they were given: %.300s", id, line)
		}
		order = append(order, id)
		if times[id]++; len(order) == page {
			c.leave(order[page-stay:], jobs)
			c.addWithCalendar()
		}
	}}
	if err := c.client.WriteExport(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s is in it %d times", id, n)
		}
	}
	calendar, job := slices.Index(order, "stays"), slices.IndexFunc(order, func(id string) bool { return strings.HasPrefix(id, "new") })
	if calendar < 0 || job < calendar || times["gone"] > 0 {
		t.Errorf("the calendar is line %d, the first job that refers to it %d", calendar, job)
	}
}

// leave removes all of the first n jobs but some, and others until Redis has made the table small.
func (c *crowd) leave(some []string, n int) {
	c.t.Helper()
	var others []string
	for i := range n {
		if id := fmt.Sprintf("j%d", i); !slices.Contains(some, id) {
			others = append(others, id)
		}
	}
	for part := range slices.Chunk(others, 2000) {
		must(c.raw.HDel(c.t.Context(), c.jobs, part...).Result())(c.t)
	}
	for range 3 {
		c.add(n, n+2000)
		c.remove(n, n+2000)
	}
}

// addWithCalendar stores two calendars, jobs that refer to one of them, so many that some are still to
// be listed, and removes the other.
func (c *crowd) addWithCalendar() {
	c.t.Helper()
	ctx := c.t.Context()
	for _, name := range []string{"gone", "stays"} {
		if err := c.client.SetCalendar(ctx, name, json.RawMessage(`{"exclude":["2030-01-01"]}`)); err != nil {
			c.t.Error(err)
		}
	}
	for i := range 50 {
		trigger := json.RawMessage(`{"type":"cron","expr":"0 3 * * *","exclude":[{"calendar":"stays"}]}`)
		must(c.client.AddJob(ctx, carillon.Job{ID: fmt.Sprintf("new%d", i), Task: "act", Trigger: trigger}))(c.t)
	}
	if err := c.client.RemoveCalendar(ctx, "gone"); err != nil {
		c.t.Error(err)
	}
}

// What Redis has in place of the store that a client opened is not exported as that.
func TestExportOfALostStore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		lose func(c *crowd, meta string) error
	}{
		{"emptied", func(c *crowd, meta string) error { return c.raw.Del(t.Context(), meta, c.jobs).Err() }},
		{"replaced", func(c *crowd, meta string) error {
			return c.raw.HSet(t.Context(), meta, "uid", "0190a000-0000-7000-8000-000000000000").Err()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := crowded(t, 10, 10)
			if err := tt.lose(c, strings.TrimSuffix(c.jobs, "jobs")+"meta"); err != nil {
				t.Fatal(err)
			}
			err := c.client.WriteExport(t.Context(), &bytes.Buffer{})
			if !errors.Is(err, carillon.ErrStoreLost) || !strings.Contains(err.Error(), "carillon store adopt") {
				t.Errorf("error is %v", err)
			}
		})
	}
}
