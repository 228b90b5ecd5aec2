package job_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
)

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct{ name, doc, says string }{
		{"unknown field", `{"task":"t","trigger":{},"colour":"red"}`, `unknown field "colour"`},
		{"field twice", `{"task":"t","task":"u","trigger":{}}`, `"task" is given twice`},
		{"nested field twice", `{"task":"t","trigger":{},"retry":{"max_attempts":1,"max_attempts":2}}`, `"retry.max_attempts" is given twice`},
		{"wrong type", `{"task":"t","trigger":{},"max_instances":"8"}`, "max_instances"},
		{"not an object", `["t"]`, "a job is a JSON object"},
		{"trailing text", `{"task":"t","trigger":{}} {}`, "text after the document"},
		{"cut off", `{"task":"t"`, "ends too early"},
		{"no task", `{"trigger":{}}`, "task: is missing"},
		{"no trigger", `{"task":"t"}`, "trigger: is missing"},
		{"space in the id", `{"id":"a b","task":"t","trigger":{}}`, "has a space"},
		{"reserved id", `{"id":"@t","task":"t","trigger":{}}`, "reserved"},
		{"long id", `{"id":"` + strings.Repeat("x", 256) + `","task":"t","trigger":{}}`, "256 bytes"},
		{"coalesce", `{"task":"t","trigger":{},"coalesce":"some"}`, "coalesce"},
		{"overlap", `{"task":"t","trigger":{},"overlap":"both"}`, "overlap"},
		{"on_lost", `{"task":"t","trigger":{},"on_lost":"cry"}`, "on_lost"},
		{"grace of nothing", `{"task":"t","trigger":{},"misfire_grace_time":0}`, "at least 1ms"},
		{"negative grace", `{"task":"t","trigger":{},"misfire_grace_time":-1}`, "must not be negative"},
		{"duration in words", `{"task":"t","trigger":{},"timeout":"soon"}`, `"30s"`},
		{"negative instances", `{"task":"t","trigger":{},"max_instances":-1}`, "max_instances: -1"},
		{"attempts", `{"task":"t","trigger":{},"retry":{"max_attempts":1001}}`, "retry.max_attempts"},
		{"factor", `{"task":"t","trigger":{},"retry":{"backoff":{"factor":0.5}}}`, "retry.backoff.factor"},
		{"jitter", `{"task":"t","trigger":{},"retry":{"backoff":{"jitter":2}}}`, "retry.backoff.jitter"},
		{"initial over max", `{"task":"t","trigger":{},"retry":{"backoff":{"initial":"1m","max":"1s"}}}`, "initial must not be longer"},
		{"local next_run_time", `{"task":"t","trigger":{},"next_run_time":"2024-01-01 00:00:00"}`, "RFC 3339"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := job.Decode([]byte(tt.doc))
			if !errors.Is(err, job.ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Decode: %v; want ErrInvalid that says %q", err, tt.says)
			}
		})
	}
}

func TestValidateSaysEveryFault(t *testing.T) {
	err := job.Job{ID: "a b", Executor: "x y", Args: json.RawMessage("{"), Options: job.Options{MaxInstances: -1}}.Validate()
	for _, says := range []string{"id:", "executor:", "task:", "trigger:", "args:", "max_instances:"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Validate: %v; want it to name %q", err, says)
		}
	}
}

func TestDocumentReadsBackTheSame(t *testing.T) {
	jitter := 0.0
	want := job.Job{
		ID: "a", Name: "n", Task: "t", Args: json.RawMessage(`["<x>",1.0]`), Trigger: json.RawMessage(`{"type":"date"}`),
		Executor: "e", Store: "s", Key: "k", MaxRuns: 3, Description: "d", Labels: map[string]string{"a": "b"},
		NextRunTime: job.At(time.UnixMilli(1_700_000_000_123).UTC()),
		Options: job.Options{
			Coalesce: job.CoalesceAll, MisfireGraceTime: job.GraceNone, MaxInstances: 8, Overlap: job.OverlapQueue, OnLost: job.OnLostDrop,
			Retry:   job.Retry{MaxAttempts: 3, Backoff: job.Backoff{Initial: job.Duration(time.Second), Max: job.Duration(time.Minute), Factor: 3, Jitter: &jitter}},
			Timeout: job.Duration(1500 * time.Millisecond),
		},
	}
	doc, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := job.Decode(doc)
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	again, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(doc), string(again)); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{`"misfire_grace_time":null`, `"timeout":"1.5s"`, `"next_run_time":"2023-11-14T22:13:20.123Z"`} {
		if !strings.Contains(string(doc), part) {
			t.Errorf("%s lacks %s", doc, part)
		}
	}
}

func TestUnsaidOptionsTakeDefaults(t *testing.T) {
	mine := job.Options{Coalesce: job.CoalesceAll, MaxInstances: 8, MisfireGraceTime: job.Grace(30 * time.Second)}
	got := job.Job{ID: "a", Task: "t", Options: job.Options{MaxInstances: 2, MisfireGraceTime: job.GraceNone}}.WithDefaults(mine)
	want := job.Options{
		Coalesce: job.CoalesceAll, MaxInstances: 2, MisfireGraceTime: job.GraceNone,
		Overlap: job.OverlapSkip, OnLost: job.OnLostRerun, Retry: job.Retry{MaxAttempts: 1},
	}
	if diff := cmp.Diff(want, got.Options); diff != "" {
		t.Error(diff)
	}
	if got.Executor != "default" || got.Store != "default" || got.Name != "t" || got.SlotKey() != "a" {
		t.Errorf("names are %q %q %q %q", got.Executor, got.Store, got.Name, got.SlotKey())
	}
}

func TestCoalesceAndGraceForms(t *testing.T) {
	for _, tt := range []struct {
		doc      string
		coalesce job.Coalesce
		grace    job.Grace
	}{
		{`{"coalesce":true,"misfire_grace_time":30}`, job.CoalesceLatest, job.Grace(30 * time.Second)},
		{`{"coalesce":false,"misfire_grace_time":"1m"}`, job.CoalesceAll, job.Grace(time.Minute)},
		{`{"coalesce":"earliest","misfire_grace_time":null}`, job.CoalesceEarliest, job.GraceNone},
		{`{}`, "", 0},
	} {
		var o job.Options
		if err := json.Unmarshal([]byte(tt.doc), &o); err != nil {
			t.Errorf("%s: %v", tt.doc, err)
			continue
		}
		if o.Coalesce != tt.coalesce || o.MisfireGraceTime != tt.grace {
			t.Errorf("%s: got %q %v", tt.doc, o.Coalesce, time.Duration(o.MisfireGraceTime))
		}
	}
}

func TestBackoffDelay(t *testing.T) {
	none := 0.0
	for _, tt := range []struct {
		name   string
		b      job.Backoff
		failed int
		random float64
		want   time.Duration
	}{
		{"first, by default", job.Backoff{}, 1, 0.5, time.Second},
		{"third, by default", job.Backoff{}, 3, 0.5, 4 * time.Second},
		{"jitter below", job.Backoff{}, 1, 0, 900 * time.Millisecond},
		{"cap", job.Backoff{Max: job.Duration(3 * time.Second), Jitter: &none}, 9, 0.9, 3 * time.Second},
		{"many failures", job.Backoff{Jitter: &none}, 5000, 0, time.Hour},
		{"own initial and factor", job.Backoff{Initial: job.Duration(time.Millisecond), Factor: 10, Jitter: &none}, 3, 0, 100 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.b.Delay(tt.failed, tt.random); got != tt.want {
				t.Errorf("Delay(%d) = %s, want %s", tt.failed, got, tt.want)
			}
		})
	}
}

func TestEventMask(t *testing.T) {
	m := job.Mask(job.JobExecuted, job.JobMissed, "no such kind")
	for _, kind := range job.EventKinds() {
		if want := kind == job.JobExecuted || kind == job.JobMissed; m.Has(kind) != want {
			t.Errorf("mask has %s: %v", kind, !want)
		}
		if !job.AllEvents.Has(kind) {
			t.Errorf("AllEvents lacks %s", kind)
		}
	}
}

func TestEventAndRowShapes(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_007)
	for _, tt := range []struct {
		name string
		v    any
		want string
	}{
		{"event", job.Event{Kind: job.JobStarted, Time: at, Store: "s", JobID: "a<b", RunID: "r", ScheduledTime: at, Attempt: 2, Node: "n"},
			`{"event":"job_started","time":"2023-11-14T22:13:20.007Z","store":"s","job_id":"a<b","run_id":"r","scheduled_time":"2023-11-14T22:13:20.007Z","attempt":2,"node":"n"}`},
		{"event of a leader", job.Event{Kind: job.LeaderElected, Time: at, Node: "n", Term: 7}, `{"event":"leader_elected","time":"2023-11-14T22:13:20.007Z","node":"n","term":7}`},
		{"row of a run", job.Row{RunID: "r", ScheduledTime: at, Outcome: job.Executed, Attempt: 1, Node: "n", Started: at, Finished: at, Count: 1},
			`{"run_id":"r","scheduled_time":"2023-11-14T22:13:20.007Z","outcome":"executed","attempt":1,"node":"n","started":"2023-11-14T22:13:20.007Z","finished":"2023-11-14T22:13:20.007Z"}`},
		{"row of a stretch", job.Row{ScheduledTime: at, Outcome: job.Coalesced, Finished: at, Count: 3, Until: at, Cause: "c"},
			`{"scheduled_time":"2023-11-14T22:13:20.007Z","outcome":"coalesced","started":null,"finished":"2023-11-14T22:13:20.007Z","cause":"c","count":3,"until":"2023-11-14T22:13:20.007Z"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.v.(json.Marshaler).MarshalJSON() // Marshal would escape the id again
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzDecode: whatever is accepted is valid, and reads back as itself.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"a","task":"t","trigger":{"type":"date"},"misfire_grace_time":null,"retry":{"max_attempts":2}}`))
	f.Add([]byte(`{"task":"t","trigger":{},"next_run_time":null,"coalesce":false,"timeout":1.5}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		j, err := job.Decode(doc)
		if err != nil {
			if !errors.Is(err, job.ErrInvalid) {
				t.Fatalf("%q: %v does not wrap ErrInvalid", doc, err)
			}
			return
		}
		once, err := json.Marshal(j)
		if err != nil {
			t.Fatalf("%q: %v", doc, err)
		}
		again, err := job.Decode(once)
		if err != nil {
			t.Fatalf("%q became %q: %v", doc, once, err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(once) != string(twice) {
			t.Fatalf("%q became %q, then %q (%v)", doc, once, twice, err)
		}
	})
}
