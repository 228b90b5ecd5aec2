package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/carillon-project/carillon/job"
)

func openFile(path string) (*os.File, error) { return os.Open(path) }

// triggerFlags are the short ways to write a trigger.
type triggerFlags struct{ every, cron, at, json, timezone string }

func (t *triggerFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&t.every, "every", "", "fire at this `INTERVAL`: 15s, 1h30m")
	flags.StringVar(&t.cron, "cron", "", "fire by this crontab `EXPR` of 5 or 6 fields")
	flags.StringVar(&t.at, "at", "", "fire once at this `TIME`")
	flags.StringVar(&t.json, "trigger", "", "fire by this trigger document, `JSON`")
	flags.StringVar(&t.timezone, "timezone", "", "`ZONE` of --cron and --at, Europe/Vienna (default UTC)")
}

// document returns the trigger that the flags say, and whether they say any.
func (t *triggerFlags) document() (doc json.RawMessage, given bool, err error) {
	var said []string
	fields := map[string]string{}
	for _, f := range []struct{ flag, kind, field, value string }{
		{"--every", "interval", "every", t.every},
		{"--cron", "cron", "expr", t.cron},
		{"--at", "date", "run_date", t.at},
		{"--trigger", "", "", t.json},
	} {
		if f.value == "" {
			continue
		}
		said = append(said, f.flag)
		if f.field != "" {
			fields["type"], fields[f.field] = f.kind, f.value
		}
	}
	switch {
	case len(said) > 1:
		return nil, true, usagef("%s: a job has one trigger; give one of them", strings.Join(said, " and "))
	case len(said) == 0 && t.timezone != "":
		return nil, true, usagef("--timezone goes with --cron, --at or --every")
	case len(said) == 0:
		return nil, false, nil
	case t.json != "" && t.timezone != "":
		return nil, true, usagef("--timezone: write it into the document of --trigger")
	case t.json != "":
		return json.RawMessage(t.json), true, nil
	}
	if t.timezone != "" {
		fields["timezone"] = t.timezone
	}
	doc, err = json.Marshal(fields)
	return doc, true, err
}

// jobFlags are the fields of a job document as flags.
type jobFlags struct {
	flags   *pflag.FlagSet
	when    triggerFlags
	args    string
	grace   string
	timeout string
	labels  []string
	retry   int
	paused  bool
}

// textFields are the flags that are texts in the document too.
var textFields = []struct{ flag, field, usage string }{
	{"id", "id", "`ID` of the job (default: a new UUID)"},
	{"task", "task", "`NAME` of the task to run"},
	{"name", "name", "`TEXT` shown to people"},
	{"description", "description", "`TEXT` for people"},
	{"executor", "executor", "`NAME` of the executor (default \"default\")"},
	{"coalesce", "coalesce", "of several due times run latest (true), earliest or all (false)"},
	{"overlap", "overlap", "with all instances busy: skip, queue or replace"},
	{"on-lost", "on_lost", "when the node dies: rerun or drop"},
	{"key", "key", "share max_instances with jobs of the same `KEY`"},
	{"next-run-time", "next_run_time", "first run at this `TIME`, RFC 3339"},
}

func (f *jobFlags) register(flags *pflag.FlagSet, except ...string) {
	f.flags = flags
	for _, t := range textFields {
		if len(except) == 0 || t.flag != except[0] {
			flags.String(t.flag, "", t.usage)
		}
	}
	f.when.register(flags)
	flags.StringVar(&f.args, "args", "", "arguments of the task, `JSON`")
	flags.StringVar(&f.grace, "misfire-grace-time", "", "latest start, a `DURATION`, or none")
	flags.StringVar(&f.timeout, "timeout", "", "longest `DURATION` of a run")
	flags.Int("max-instances", 0, "runs of the job at once")
	flags.Int("max-runs", 0, "end the job after so many runs")
	flags.StringArrayVar(&f.labels, "label", nil, "`KEY=VALUE` (repeatable)")
	flags.IntVar(&f.retry, "retry", 0, "attempts in all when it fails")
	flags.BoolVar(&f.paused, "paused", false, "add it paused")
}

// document returns the fields that were given.
func (f *jobFlags) document() (map[string]json.RawMessage, error) {
	doc := map[string]json.RawMessage{}
	put := func(field string, v any) {
		text, err := json.Marshal(v)
		if err == nil { // texts, numbers and maps of texts can always be encoded
			doc[field] = text
		}
	}
	for _, t := range textFields {
		if f.flags.Changed(t.flag) {
			put(t.field, f.flags.Lookup(t.flag).Value.String())
		}
	}
	if raw := f.flags.Lookup("coalesce").Value.String(); raw == "true" || raw == "false" {
		doc["coalesce"] = json.RawMessage(raw) // as a document may say it: latest or all
	}
	for flag, field := range map[string]string{"max-instances": "max_instances", "max-runs": "max_runs"} {
		if f.flags.Changed(flag) {
			doc[field] = json.RawMessage(f.flags.Lookup(flag).Value.String())
		}
	}
	when, given, err := f.when.document()
	if err != nil {
		return nil, err
	}
	if given {
		doc["trigger"] = when
	}
	if f.flags.Changed("args") {
		doc["args"] = json.RawMessage(f.args)
	}
	if f.flags.Changed("retry") {
		put("retry", job.Retry{MaxAttempts: f.retry})
	}
	if f.flags.Changed("misfire-grace-time") {
		doc["misfire_grace_time"] = json.RawMessage("null")
		if f.grace != "none" && f.grace != "null" {
			d, err := job.ParseDuration(f.grace)
			if err != nil {
				return nil, usagef("--misfire-grace-time: %w", err)
			}
			put("misfire_grace_time", job.Duration(d))
		}
	}
	if f.flags.Changed("timeout") {
		d, err := job.ParseDuration(f.timeout)
		if err != nil {
			return nil, usagef("--timeout: %w", err)
		}
		put("timeout", job.Duration(d))
	}
	if f.paused {
		if doc["next_run_time"] != nil {
			return nil, usagef("--paused and --next-run-time exclude each other")
		}
		doc["next_run_time"] = json.RawMessage("null")
	}
	if err := f.putLabels(put); err != nil {
		return nil, err
	}
	for _, raw := range []struct{ flag, field string }{{"--args", "args"}, {"--trigger", "trigger"}} {
		if text, said := doc[raw.field]; said && !json.Valid(text) {
			return nil, usagef("%s: %s is not JSON", raw.flag, cut(string(text), 40))
		}
	}
	return doc, nil
}

func (f *jobFlags) putLabels(put func(string, any)) error {
	if len(f.labels) == 0 {
		return nil
	}
	labels := map[string]string{}
	for _, text := range f.labels {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return usagef("--label: %q is not KEY=VALUE", text)
		}
		labels[key] = value
	}
	put("labels", labels)
	return nil
}
