package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/trigger"
)

// readDocuments splits a text into documents: one JSON value, a JSON list, JSON lines, or YAML with
// one or several documents, each of which may be a list. list reports whether the text held more
// than a single document, be it a list of one.
func readDocuments(text []byte) (docs []json.RawMessage, list bool, err error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	if len(text) == 0 {
		return nil, false, errors.New("no document was given")
	}
	split := yamlValues
	if text[0] == '{' || text[0] == '[' {
		split = jsonValues
	}
	values, err := split(text)
	if err != nil {
		return nil, false, err
	}
	for _, v := range values {
		if v[0] != '[' {
			docs = append(docs, v)
			continue
		}
		list = true
		var members []json.RawMessage
		if err := json.Unmarshal(v, &members); err != nil {
			return nil, false, fmt.Errorf("the list is not JSON: %w", err)
		}
		docs = append(docs, members...)
	}
	return docs, list || len(docs) > 1, nil
}

// jsonValues are the values of a text that holds one after another.
func jsonValues(text []byte) ([]json.RawMessage, error) {
	var values []json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var v json.RawMessage
		err := decoder.Decode(&v)
		switch {
		case errors.Is(err, io.EOF):
			return values, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("document %d ends too early", len(values)+1)
		case err != nil:
			return nil, fmt.Errorf("document %d is not JSON: %w", len(values)+1, err)
		}
		values = append(values, v)
	}
}

// yamlValues are the documents of a YAML text as JSON; empty ones are left out.
func yamlValues(text []byte) ([]json.RawMessage, error) {
	var values []json.RawMessage
	for i, part := range splitYAML(text) {
		v, err := yaml.YAMLToJSONStrict(part)
		if err != nil {
			return nil, fmt.Errorf("document %d is neither JSON nor YAML: %w", i+1, err)
		}
		if v = bytes.TrimSpace(v); len(v) > 0 && !bytes.Equal(v, []byte("null")) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return nil, errors.New("no document was given")
	}
	return values, nil
}

// splitYAML cuts a stream at its lines of three dashes, which no document may hold at the
// beginning of a line.
func splitYAML(text []byte) [][]byte {
	var parts [][]byte
	var part []byte
	for line := range bytes.Lines(text) {
		trimmed := bytes.TrimRight(line, " \t\r\n")
		if bytes.Equal(trimmed, []byte("---")) {
			parts, part = append(parts, part), nil
			continue
		}
		part = append(part, line...)
	}
	parts = append(parts, part)
	if len(bytes.TrimSpace(parts[0])) == 0 && len(parts) > 1 {
		parts = parts[1:]
	}
	return parts
}

// decodeJobs checks every document before any is used, and reports all that is wrong with them.
func decodeJobs(docs []json.RawMessage, now time.Time) ([]job.Job, error) {
	jobs := make([]job.Job, len(docs))
	type place struct{ store, id string }
	seen := map[place]int{}
	var faults []error
	for i, doc := range docs {
		j, err := decodeJob(doc, now)
		at := place{cmp.Or(j.Store, job.DefaultName), j.ID}
		if before, twice := seen[at]; err == nil && twice && j.ID != "" {
			err = fmt.Errorf("%w: id: %q is document %d's too", job.ErrInvalid, j.ID, before+1)
		}
		if err != nil {
			if len(docs) > 1 {
				err = fmt.Errorf("document %d: %w", i+1, err)
			}
			faults = append(faults, err)
			continue
		}
		jobs[i], seen[at] = j, i
	}
	return jobs, usage(errors.Join(faults...))
}

// decodeJob checks all of a document that can be checked without asking anybody.
func decodeJob(doc json.RawMessage, now time.Time) (job.Job, error) {
	j, err := job.Decode(doc)
	if err != nil {
		return j, err
	}
	t, err := resolve(j.Trigger, now)
	if err != nil {
		return j, fmt.Errorf("%w: trigger: %w", job.ErrInvalid, err)
	}
	if t.Next(time.Time{}).IsZero() {
		return j, fmt.Errorf("%w: trigger: %w: it never fires", job.ErrInvalid, trigger.ErrInvalid)
	}
	return j, nil
}
