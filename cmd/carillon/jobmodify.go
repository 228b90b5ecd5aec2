package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

func (a *app) jobModifyCommand() *cobra.Command {
	var file string
	var fields jobFlags
	c := &cobra.Command{
		Use: "modify ID {-f FILE|- | --every 30s …}", Short: "Change fields of a job", Args: takes("ID"),
		Long: "Changes the fields that are given, by flags or by a document that holds only\n" +
			"them, and leaves the others. A field that is null goes back to its default;\n" +
			"null means never too late for misfire_grace_time and paused for next_run_time.\n" +
			"retry and labels are merged field by field.",
		Example: "  carillon job modify hello --every 30s\n" +
			"  echo '{\"max_instances\":2,\"timeout\":null}' | carillon job modify hello -f -",
	}
	c.Flags().StringVarP(&file, "file", "f", "", "`FILE` with the fields; - is standard input")
	fields.register(c.Flags(), "id")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		change, err := a.patchGiven(file, &fields, args[0])
		if err != nil {
			return err
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			j, err := c.ModifyJob(cmd.Context(), args[0], change.apply, in...)
			if err != nil {
				return err
			}
			return a.answer(j, func(w io.Writer) { fmt.Fprintf(w, "modified %s; next run %s\n", j.ID, nextRun(j)) })
		})
	}
	return c
}

// patch is the fields to change in a job document.
type patch map[string]json.RawMessage

// patchGiven reads and checks the change of the file or of the flags.
func (a *app) patchGiven(file string, fields *jobFlags, id string) (patch, error) {
	doc, err := fields.document()
	if err != nil {
		return nil, err
	}
	p := patch(doc)
	switch {
	case file != "" && len(doc) > 0:
		return nil, usagef("give the change either by -f or by flags, not by both")
	case file != "":
		text, err := a.readInput(file)
		if err != nil {
			return nil, err
		}
		docs, list, err := readDocuments(text)
		if err == nil && list {
			err = errors.New("it holds a list; one document with the fields to change is taken")
		}
		if err == nil {
			p, err = readPatch(docs[0].text)
		}
		if err != nil {
			return nil, usagef("%s: %w", nameOf(file), err)
		}
	}
	if len(p) == 0 {
		return nil, usagef("no field to change was given; say -f FILE, or flags such as --every 30s")
	}
	if err := p.check(a, id); err != nil {
		return nil, usage(err)
	}
	_, err = a.place()
	return p, err
}

// readPatch reads an object, refusing a field that is given twice.
func readPatch(doc []byte) (patch, error) {
	decoder := json.NewDecoder(bytes.NewReader(doc))
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return nil, fmt.Errorf("%w: a change is a JSON object of fields", job.ErrInvalid)
	}
	p := patch{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", job.ErrInvalid, err)
		}
		field, _ := name.(string) // an object's names are texts
		if _, twice := p[field]; twice {
			return nil, fmt.Errorf("%w: field %q is given twice", job.ErrInvalid, field)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", job.ErrInvalid, field, err)
		}
		p[field] = value
	}
	return p, nil
}

// check refuses what no job could be changed to.
func (p patch) check(a *app, id string) error {
	whole := patch{
		"id":      json.RawMessage(`"checked"`),
		"task":    json.RawMessage(`"checked"`),
		"trigger": json.RawMessage(`{"type":"interval","every":"1s"}`),
	}
	for field, value := range p {
		if !isNull(value) || meansSomething(field) {
			whole[field] = value
		} else if field == "task" || field == "trigger" {
			return fmt.Errorf("%w: %s: a job cannot be without", job.ErrInvalid, field)
		}
	}
	doc, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	j, err := decodeJob(doc, a.now())
	if err != nil {
		return err
	}
	if p["id"] != nil && j.ID != id {
		return fmt.Errorf("%w: id: cannot be changed; add a new job and remove this one", job.ErrInvalid)
	}
	if p["store"] != nil {
		return fmt.Errorf("%w: store: cannot be changed; add the job there and remove this one", job.ErrInvalid)
	}
	return nil
}

func isNull(value json.RawMessage) bool { return string(bytes.TrimSpace(value)) == "null" }

// meansSomething reports whether null is a value of the field rather than the lack of one.
func meansSomething(field string) bool {
	return field == "misfire_grace_time" || field == "next_run_time" || field == "args"
}

// apply merges the change over a stored job.
func (p patch) apply(j *job.Job) error {
	args := j.Args
	doc, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	var fields patch
	if err := json.Unmarshal(doc, &fields); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	for field, value := range p {
		switch {
		case isNull(value) && !meansSomething(field):
			delete(fields, field)
		case field == "retry" || field == "labels":
			if fields[field], err = merged(fields[field], value); err != nil {
				return fmt.Errorf("%w: %s: %w", job.ErrInvalid, field, err)
			}
		default:
			fields[field] = value
		}
	}
	if doc, err = json.Marshal(fields); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	changed, err := job.Decode(doc)
	if err != nil {
		return err
	}
	if p["args"] == nil {
		changed.Args = args // byte for byte
	}
	*j = changed
	return nil
}

// merged puts the members of change over those of old; null takes one away.
func merged(old, change json.RawMessage) (json.RawMessage, error) {
	into, over := patch{}, patch{}
	if old != nil {
		if err := json.Unmarshal(old, &into); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(change, &over); err != nil {
		return nil, err
	}
	for name, value := range over {
		if isNull(value) {
			delete(into, name)
			continue
		}
		into[name] = value
	}
	return json.Marshal(into)
}
