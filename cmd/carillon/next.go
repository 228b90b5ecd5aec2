package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/carillon-project/carillon/trigger"
)

// maxTimes bounds the answer of next.
const maxTimes = 10_000

func (a *app) nextCommand() *cobra.Command {
	var file, from, calendars string
	var count int
	var calendar bool
	var when triggerFlags
	c := &cobra.Command{
		Use: "next [-f FILE|-] [--from TIME] [--count N]", GroupID: groupJobs, Args: takes(),
		Short: "Show when a trigger fires",
		Long: "Reads a trigger document (JSON or YAML) from a file, from standard input or\n" +
			"from flags and prints its times as JSON, in UTC. Nothing is contacted.",
		Example: "  echo '{\"type\":\"cron\",\"expr\":\"0 3 * * mon\"}' | carillon next --count 3\n" +
			"  carillon next --every 90m --from 2026-01-01T00:00:00Z\n" +
			"  carillon next -f trigger.json --calendars calendars.yaml",
	}
	c.Flags().StringVarP(&file, "file", "f", "-", "`FILE` with the trigger; - is standard input")
	c.Flags().StringVar(&from, "from", "", "first `TIME` to consider, RFC 3339 (default now)")
	c.Flags().IntVar(&count, "count", 5, "how many times at most, 1 to 10000")
	c.Flags().BoolVar(&calendar, "calendar", false, "show the days of twelve months, from that of --from on")
	c.Flags().StringVar(&calendars, "calendars", "", "`FILE` with the calendars that the trigger refers to, by name")
	when.register(c.Flags())
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		doc, given, err := when.document()
		if err != nil {
			return err
		}
		if given && cmd.Flags().Changed("file") {
			return usagef("give a trigger either by -f or by flags, not by both")
		}
		if !given {
			if doc, err = a.readTrigger(file); err != nil {
				return err
			}
		}
		if calendar && cmd.Flags().Changed("count") {
			return usagef("--count does not go with --calendar, which shows a year")
		}
		begin, err := a.beginning(from)
		if err != nil {
			return err
		}
		t, err := a.resolveWith(calendars, doc, begin)
		if err != nil {
			return err
		}
		if calendar {
			return a.calendar(t, zoneOf(doc), begin)
		}
		return a.next(t, begin, count)
	}
	return c
}

// beginning reads --from, by default now.
func (a *app) beginning(from string) (time.Time, error) {
	if from == "" {
		return a.now(), nil
	}
	begin, err := time.Parse(time.RFC3339Nano, from)
	if err != nil {
		return begin, usagef("--from: %q is not a time such as 2026-01-01T00:00:00Z", from)
	}
	return begin, nil
}

// next prints the first count times of a trigger at or after begin.
func (a *app) next(t trigger.Trigger, begin time.Time, count int) error {
	if count < 1 || count > maxTimes {
		return usagef("--count: %d is not between 1 and %d", count, maxTimes)
	}
	times := []string{}
	for _, at := range trigger.Times(t, begin, count) {
		times = append(times, exact(at))
	}
	return a.line(struct {
		Times []string `json:"times"`
	}{times})
}

// exact prints a time to its last digit: whole seconds without a fraction, others in microseconds,
// or nanoseconds where a trigger has them.
func exact(t time.Time) string {
	layout := "2006-01-02T15:04:05Z"
	switch {
	case t.Nanosecond()%1000 != 0:
		layout = "2006-01-02T15:04:05.000000000Z"
	case t.Nanosecond() != 0:
		layout = "2006-01-02T15:04:05.000000Z"
	}
	return t.UTC().Format(layout)
}

// resolve compiles a trigger document as if it were added at now, with calendars that find returns.
func resolve(doc []byte, now time.Time, find func(name string) ([]byte, error)) (trigger.Trigger, error) {
	resolved, err := trigger.Resolve(doc, now)
	if err != nil {
		return nil, err
	}
	return trigger.ParseWith(resolved, find)
}

// resolveWith is resolve with the calendars of a file, an object that holds them by name; no file is no
// calendars.
func (a *app) resolveWith(file string, doc []byte, now time.Time) (trigger.Trigger, error) {
	var known map[string]json.RawMessage
	if file != "" {
		text, err := a.readDocument(file, "calendars")
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &known); err != nil {
			return nil, usagef("--calendars: it must be an object that holds calendars by name, {\"holidays\":{\"exclude\":[…]}}")
		}
	}
	t, err := resolve(doc, now, func(name string) ([]byte, error) {
		if calendar, ok := known[name]; ok {
			return calendar, nil
		}
		return nil, errors.New("it is not at hand; calendars are kept by stores: give it in a file by --calendars")
	})
	return t, usage(err)
}

// readTrigger reads one document. JSON is handed on as it is, for the trigger's own strict reading.
func (a *app) readTrigger(file string) ([]byte, error) { return a.readDocument(file, "trigger") }

// readDocument reads one document of a kind.
func (a *app) readDocument(file, kind string) ([]byte, error) {
	text, err := a.readInput(file)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, usagef("no %s document was given; write one such as %s", kind, samples[kind])
	}
	if bytes.IndexByte([]byte(`{["`), text[0]) >= 0 {
		return text, nil
	}
	doc, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, usagef("the %s document is neither JSON nor YAML: %w", kind, err)
	}
	return doc, nil
}

// samples are the documents of each kind that a refusal shows.
var samples = map[string]string{
	"trigger":   `{"type":"interval","every":"15s"}`,
	"calendar":  `{"exclude":["2026-12-25"]}`,
	"calendars": `{"holidays":{"exclude":["2026-12-25"]}}`,
}

// maxInput bounds what is read from a file or from standard input.
const maxInput = 256 << 20

// readInput reads a file, or standard input for "-".
func (a *app) readInput(file string) ([]byte, error) {
	in := a.stdin
	if file != "-" {
		f, err := openFile(file)
		if err != nil {
			return nil, usagef("-f: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, usagef("read %s: %w", nameOf(file), err)
	}
	if len(text) > maxInput {
		return nil, usagef("%s holds more than %d MiB", nameOf(file), maxInput>>20)
	}
	return text, nil
}

func nameOf(file string) string {
	if file == "-" {
		return "standard input"
	}
	return fmt.Sprintf("%q", file)
}
