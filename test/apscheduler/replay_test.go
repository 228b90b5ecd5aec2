package apscheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest"
	"github.com/carillon-project/carillon/job"
)

// player carries out the steps of one scenario. APScheduler was observed with a clock of its own,
// due jobs processed only when a step said so, and runs waiting in a queue until a step ran them.
// Here the scheduler is paused but for the steps that process, and a handler that has started waits
// until a step runs it.
type player struct {
	kit    *carillontest.Kit
	client *carillon.Client
	ours   *account
	names  map[string]string // of jobs added without an id
	held   bool              // paused by a step
	gate   chan struct{}     // closed while a step runs what is queued
}

func replay(t *testing.T, s scenario) *account {
	t.Helper()
	p := &player{ours: newAccount(), names: map[string]string{}}
	opts := carillontest.Options{Start: s.Steps[0].At, Defaults: defaults(t, s)}
	carillontest.Run(t, opts, func(t *testing.T, kit *carillontest.Kit) {
		p.kit, p.gate = kit, make(chan struct{})
		carillontest.Handle(kit, "task", p.wait)
		p.client = kit.Client()
		kit.Node().AddListener(carillon.AllEvents, func(carillon.Event) {})
		p.must(t, p.client.Pause(t.Context()))
		for i, st := range s.Steps {
			kit.AdvanceTo(st.At)
			err := p.do(t, st)
			kit.Settle()
			p.note(t, fmt.Sprintf("%d %s", i+1, st.Op), err)
		}
		p.ours.close(kit, p.name)
		events, err := p.client.Events(t.Context())
		p.must(t, err)
		for _, e := range events {
			if e.Kind == job.JobSubmitted {
				p.ours.add("sent", p.name(e.JobID), e.ScheduledTime)
			}
		}
	})
	return p.ours
}

// defaults are the job_defaults of a scenario, which APScheduler reads from text.
func defaults(t *testing.T, s scenario) carillon.Options {
	t.Helper()
	doc := map[string]any{}
	for name, text := range s.Config.Defaults {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		doc[name] = v
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var o carillon.Options
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// wait is the handler: it ends when a step runs what is queued.
func (p *player) wait(ctx context.Context, _ any) (any, error) {
	select {
	case <-p.gate:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *player) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// name is what the file calls a job.
func (p *player) name(id string) string {
	if name, ok := p.names[id]; ok {
		return name
	}
	return id
}

// note accounts for the jobs after a step.
func (p *player) note(t *testing.T, name string, err error) {
	t.Helper()
	jobs, listed := p.client.Jobs(t.Context())
	p.must(t, listed)
	next := map[string]string{}
	for _, j := range jobs {
		at, _ := j.NextRunTime.Time()
		next[p.name(j.ID)] = clock(at)
	}
	p.ours.steps, p.ours.next, p.ours.error = append(p.ours.steps, name), append(p.ours.next, next), append(p.ours.error, err != nil)
}

// do carries out a step; what it returns is what Carillon refused.
func (p *player) do(t *testing.T, s step) error {
	t.Helper()
	ctx, id := t.Context(), s.text("job_id")
	switch s.Op {
	case "start":
		p.held, _ = s.Args["paused"].(bool)
	case "process":
		p.process(t)
	case "run":
		close(p.gate)
		p.kit.Settle()
		p.gate = make(chan struct{})
	case "restart":
		p.kit.Down()
		p.kit.Up()
	case "pause", "resume":
		p.held = s.Op == "pause"
	case "add_job":
		return p.add(ctx, s)
	case "modify_job":
		return p.modify(ctx, id, s)
	case "reschedule_job":
		_, err := p.client.RescheduleJob(ctx, id, trigger(s.Args))
		return err
	case "pause_job":
		_, err := p.client.PauseJob(ctx, id)
		return err
	case "resume_job":
		_, err := p.client.ResumeJob(ctx, id)
		return err
	case "remove_job":
		return p.client.RemoveJob(ctx, id)
	case "remove_all_jobs":
		_, err := p.client.RemoveAllJobs(ctx)
		return err
	case "get_job":
		_, err := p.client.GetJob(ctx, id)
		return err
	case "bad_listener":
		p.kit.Node().AddListener(carillon.AllEvents, func(carillon.Event) { panic("a bad listener") })
	case "get_jobs", "break_executor", "break_store": // nothing here can be broken between two steps of one script
	default:
		t.Fatalf("step %q is not understood", s.Op)
	}
	return nil
}

// process lets the leader do what is due, unless a step has paused the scheduler.
func (p *player) process(t *testing.T) {
	t.Helper()
	if p.held {
		return
	}
	p.must(t, p.client.Resume(t.Context()))
	p.kit.Settle()
	p.must(t, p.client.Pause(t.Context()))
}

func (p *player) add(ctx context.Context, s step) error {
	doc := map[string]any{"task": "task"}
	var opts []carillon.CallOption
	for name, v := range s.Args {
		switch name {
		case "id", "misfire_grace_time", "coalesce", "max_instances", "executor":
			doc[name] = v
		case "next_run_time":
			doc[name] = rfc3339(v)
		case "kwargs":
			doc["args"] = v.(map[string]any)["tag"]
		case "replace_existing":
			opts = append(opts, carillon.ReplaceExisting())
		}
	}
	if _, given := s.Args["trigger"]; given {
		doc["trigger"] = trigger(s.Args)
	}
	j, err := decode(doc)
	if err != nil {
		return err
	}
	stored, err := p.client.AddJob(ctx, j, opts...)
	if err == nil && j.ID == "" {
		p.names[stored.ID] = fmt.Sprintf("uuid%d", len(p.names)+1)
	}
	return err
}

// modify changes the document of a job as an outside program would.
func (p *player) modify(ctx context.Context, id string, s step) error {
	_, err := p.client.ModifyJob(ctx, id, func(j *carillon.Job) error {
		raw, err := json.Marshal(j)
		if err != nil {
			return err
		}
		doc := map[string]any{}
		if err := json.Unmarshal(raw, &doc); err != nil {
			return err
		}
		delete(doc, "next_run_time")
		for name, v := range s.Args {
			switch name {
			case "job_id":
			case "id":
				if v != j.ID {
					return errors.New("the id of a job stays")
				}
			case "next_run_time":
				doc[name] = rfc3339(v)
			case "kwargs":
				doc["args"] = v.(map[string]any)["tag"]
			case "trigger":
				doc[name] = v
				if v == "CronTrigger(hour=5)" {
					doc[name] = map[string]any{"type": "cron", "fields": map[string]any{"hour": 5}}
				}
			default:
				doc[name] = v
			}
		}
		changed, err := decode(doc)
		*j = changed
		return err
	})
	return err
}

// decode reads a document as the command line does.
func decode(doc map[string]any) (carillon.Job, error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return carillon.Job{}, err
	}
	return job.Decode(raw)
}

// trigger is the document of a trigger in the arguments of a step.
func trigger(args map[string]any) json.RawMessage {
	doc, fields := map[string]any{"type": args["trigger"]}, map[string]any{}
	for name, v := range args {
		switch name {
		case "minutes", "start_date", "end_date", "run_date":
			doc[name] = v
		case "minute":
			fields[name] = v
		}
	}
	if len(fields) > 0 {
		doc["fields"] = maps.Clone(fields)
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil
	}
	return raw
}

// rfc3339 is a time of the file, which has no zone, in UTC.
func rfc3339(v any) any {
	text, given := v.(string)
	if !given {
		return v
	}
	return text[:10] + "T" + text[11:] + "Z"
}
