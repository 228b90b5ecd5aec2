package node_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// movedZones are the embedded rules, but for Europe/Berlin, which has the clock of another zone.
func movedZones(t *testing.T, berlin string) *trigger.Zones {
	t.Helper()
	from, err := zip.OpenReader("../../trigger/zoneinfo/zoneinfo.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range from.File {
		name := f.Name
		switch name {
		case "Europe/Berlin":
			continue
		case berlin:
			copyEntry(t, w, f, "Europe/Berlin")
		}
		copyEntry(t, w, f, name)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := trigger.ReadZones(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func copyEntry(t *testing.T, w *zip.Writer, f *zip.File, name string) {
	t.Helper()
	in, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.Create(name)
	if err == nil {
		_, err = io.Copy(out, in)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Not parallel: the rules are those of the process.
func TestJobsFollowAChangeOfZoneRules(t *testing.T) {
	t.Cleanup(func() { trigger.UseZones(trigger.EmbeddedZones()) })
	ctx, cluster := t.Context(), clusterOf(t)
	cfg := config(t, cluster, "n")
	cfg.Partitions = 2
	_, client := idle(t, cfg)
	cron := json.RawMessage(`{"type":"cron","expr":"30 12 * * *","timezone":"Europe/Berlin"}`)
	asked := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	for id, change := range map[string]func(*carillon.Job){
		"berlin": func(*carillon.Job) {},
		"utc":    func(j *carillon.Job) { j.Trigger = json.RawMessage(`{"type":"cron","expr":"30 12 * * *"}`) },
		"asked":  func(j *carillon.Job) { j.NextRunTime = job.At(asked) },
		"paused": func(j *carillon.Job) { j.NextRunTime = job.Paused() },
	} {
		j := carillon.Job{ID: id, Task: "act", Trigger: cron}
		change(&j)
		must(client.AddJob(ctx, j))(t)
	}
	nextBy := func(z *trigger.Zones, doc json.RawMessage) time.Time {
		t.Helper()
		trigger.UseZones(z)
		parsed, err := trigger.Parse(doc)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Next(time.Now())
	}
	for _, rules := range []*trigger.Zones{trigger.EmbeddedZones(), movedZones(t, "Asia/Tokyo")} {
		want := nextBy(rules, cron)
		n := lift(t, newNode(t, cfg))
		eventually(t, 30*time.Second, "the job to follow rules "+rules.Version(), func() bool {
			next, _ := nextOf(t, n.Client, "berlin")
			return next.Equal(want)
		})
		if next, _ := nextOf(t, n.Client, "utc"); next.UTC().Hour() != 12 {
			t.Errorf("a job in UTC has %v", next)
		}
		if next, _ := nextOf(t, n.Client, "asked"); !next.Equal(asked) {
			t.Errorf("a time that was asked for became %v, was %v", next, asked)
		}
		if _, active := nextOf(t, n.Client, "paused"); active {
			t.Error("a paused job became active")
		}
		eventually(t, 10*time.Second, "a check without findings", func() bool {
			s, err := store.Open(ctx, store.Config{URL: cfg.Redis, Namespace: cluster})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			found := 0
			err = s.Check(ctx, func(f store.Finding) { found++; t.Log(f) })
			return err == nil && found == 0
		})
		n.stop(t, 5*time.Second)
	}
	_, client = idle(t, cfg)
	var causes []string
	for _, e := range must(client.Events(ctx))(t) {
		if e.Kind == job.JobModified {
			causes = append(causes, e.JobID+" "+e.Cause)
		}
	}
	if len(causes) != 1 || !strings.HasPrefix(causes[0], "berlin zone rules changed from "+trigger.EmbeddedZones().Version()+" to +") {
		t.Errorf("events: %q", causes)
	}
}

// A node with other rules than the store's runs jobs and does not lead while a node with the store's lives. Not
// parallel: the rules of a node are those of the process when it was made.
func TestANodeWithOtherZoneRulesDoesNotLead(t *testing.T) {
	t.Cleanup(func() { trigger.UseZones(trigger.EmbeddedZones()) })
	ctx, cluster := t.Context(), clusterOf(t)
	leads := func(n *lifted) bool { return scrape(t, n.Address())["carillon_leader"] == 1 }
	first := lift(t, newNode(t, config(t, cluster, "first")))
	eventually(t, 10*time.Second, "the first node leads", func() bool { return leads(first) })
	trigger.UseZones(movedZones(t, "Asia/Tokyo"))
	second := lift(t, newNode(t, config(t, cluster, "second")))
	trigger.UseZones(trigger.EmbeddedZones())

	etcd, err := clientv3.New(clientv3.Config{Endpoints: world.etcd.Endpoints()})
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	for range 3 {
		eventually(t, 10*time.Second, "the leader to step down", func() bool { return stepDown(ctx, etcd, cluster) == nil })
		eventually(t, 10*time.Second, "somebody leads again", func() bool { return leads(first) || leads(second) })
		if leads(second) {
			t.Fatal("the node with other rules leads")
		}
	}
	first.stop(t, 5*time.Second)
	eventually(t, 30*time.Second, "the other node leads once nobody has the store's rules", func() bool { return leads(second) })
}

func stepDown(ctx context.Context, etcd *clientv3.Client, name string) error {
	return cluster.StepDown(ctx, etcd, name, 0, 0)
}
