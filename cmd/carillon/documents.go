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

// source is one document and the line of its text on which it begins.
type source struct {
	line int
	text json.RawMessage
}

// readDocuments splits a text into documents: one JSON value, a JSON list, JSON lines, or YAML with
// one or several documents, each of which may be a list. list reports whether the text held more
// than a single document, be it a list of one. Errors name the line.
func readDocuments(text []byte) (docs []source, list bool, err error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	begin := bytes.TrimSpace(text)
	if len(begin) == 0 {
		return nil, false, errors.New("no document was given")
	}
	split := yamlValues
	if begin[0] == '{' || begin[0] == '[' {
		split = jsonValues
	}
	values, err := split(text)
	if err != nil {
		return nil, false, err
	}
	for _, v := range values {
		if v.text[0] != '[' {
			docs = append(docs, v)
			continue
		}
		list = true
		members, err := v.members()
		if err != nil {
			return nil, false, err
		}
		docs = append(docs, members...)
	}
	return docs, list || len(docs) > 1, nil
}

// lineAt is the line of a text on which the byte at an offset stands.
func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
}

// jsonValues are the values of a text that holds one after another.
func jsonValues(text []byte) ([]source, error) {
	var values []source
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var v json.RawMessage
		err := decoder.Decode(&v)
		var wrong *json.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return values, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("document %d, line %d: it ends too early", len(values)+1, lineAt(bytes.TrimSpace(text), int64(len(text))))
		case errors.As(err, &wrong):
			return nil, fmt.Errorf("document %d, line %d: it is not JSON: %w", len(values)+1, lineAt(text, wrong.Offset-1), err)
		case err != nil:
			return nil, fmt.Errorf("document %d is not JSON: %w", len(values)+1, err)
		}
		values = append(values, source{lineAt(text, decoder.InputOffset()-int64(len(v))), v})
	}
}

// members are those of a list. Those of a YAML list all begin where the list does.
func (s source) members() ([]source, error) {
	decoder := json.NewDecoder(bytes.NewReader(s.text))
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("line %d: the list is not JSON: %w", s.line, err)
	}
	var all []source
	for decoder.More() {
		var v json.RawMessage
		if err := decoder.Decode(&v); err != nil {
			return nil, fmt.Errorf("line %d: the list is not JSON: %w", s.line, err)
		}
		at := lineAt(s.text, decoder.InputOffset()-int64(len(v)))
		all = append(all, source{s.line + at - 1, v})
	}
	return all, nil
}

// yamlValues are the documents of a YAML text as JSON; empty ones are left out.
func yamlValues(text []byte) ([]source, error) {
	var values []source
	for i, part := range splitYAML(text) {
		// Blank lines in front make the lines of the parser those of the whole text.
		v, err := yaml.YAMLToJSONStrict(append(bytes.Repeat([]byte("\n"), part.line-1), part.text...))
		if err != nil {
			return nil, fmt.Errorf("document %d is neither JSON nor YAML: %w", i+1, err)
		}
		if v = bytes.TrimSpace(v); len(v) > 0 && !bytes.Equal(v, []byte("null")) {
			values = append(values, source{part.line, v})
		}
	}
	if len(values) == 0 {
		return nil, errors.New("no document was given")
	}
	return values, nil
}

// splitYAML cuts a stream at its lines of three dashes, which no document may hold at the
// beginning of a line.
func splitYAML(text []byte) []source {
	var parts []source
	part, number := source{line: 1}, 0
	for line := range bytes.Lines(text) {
		number++
		trimmed := bytes.TrimRight(line, " \t\r\n")
		if bytes.Equal(trimmed, []byte("---")) {
			parts, part = append(parts, part), source{line: number + 1}
			continue
		}
		part.text = append(part.text, line...)
	}
	parts = append(parts, part)
	if len(bytes.TrimSpace(parts[0].text)) == 0 && len(parts) > 1 {
		parts = parts[1:]
	}
	return parts
}

// decodeJobs checks every document before any is used, and reports all that is wrong with them.
func decodeJobs(docs []source, now time.Time) ([]job.Job, error) {
	jobs := make([]job.Job, len(docs))
	type place struct{ store, id string }
	seen := map[place]int{}
	var faults []error
	for i, doc := range docs {
		j, err := decodeJob(doc.text, now)
		at := place{cmp.Or(j.Store, job.DefaultName), j.ID}
		if before, twice := seen[at]; err == nil && twice && j.ID != "" {
			err = fmt.Errorf("%w: id: %q is document %d's too", job.ErrInvalid, j.ID, before+1)
		}
		if err != nil {
			if len(docs) > 1 {
				err = fmt.Errorf("document %d, line %d: %w", i+1, doc.line, err)
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
	t, err := resolve(j.Trigger, now, func(string) ([]byte, error) { return nil, nil }) // the store has them
	if err != nil {
		return j, fmt.Errorf("%w: %w", job.ErrInvalid, err)
	}
	if t.Next(time.Time{}).IsZero() {
		return j, fmt.Errorf("%w: %w: it never fires", job.ErrInvalid, trigger.ErrInvalid)
	}
	return j, nil
}
