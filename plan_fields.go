package carillon

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// FieldChange is one field of a job document that changes. Field is its path, such as trigger.every;
// Old or New is nil where the document lacks it.
type FieldChange struct {
	Field string          `json:"field"`
	Old   json.RawMessage `json:"old,omitempty"`
	New   json.RawMessage `json:"new,omitempty"`
}

// fieldChanges are the fields in which two jobs differ, by name. Objects are compared member by
// member, lists as a whole; spelling and order of members do not count.
func fieldChanges(before, after Job) ([]FieldChange, error) {
	a, err := leaves(before)
	if err != nil {
		return nil, err
	}
	b, err := leaves(after)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(a)
	maps.Copy(names, b)
	var changes []FieldChange
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if string(a[name]) != string(b[name]) {
			changes = append(changes, FieldChange{Field: name, Old: a[name], New: b[name]})
		}
	}
	return changes, nil
}

// timeChange shows that a job gets the next time that its trigger gives, in place of another one.
func timeChange(old, fixed store.Entry) FieldChange {
	text := func(e store.Entry) json.RawMessage {
		return json.RawMessage(`"` + job.FormatTime(time.UnixMilli(e.Next)) + `"`)
	}
	return FieldChange{Field: "next_run_time", Old: text(old), New: text(fixed)}
}

// leaves are the fields of a job's document by their paths; next_run_time is not one of them.
func leaves(j Job) (map[string]json.RawMessage, error) {
	j.NextRunTime = job.NextRun{}
	doc, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidJob, err)
	}
	into := map[string]json.RawMessage{}
	flatten(into, "", compact(doc))
	return into, nil
}

// flatten puts a value, or the members of an object that has any, under its path.
func flatten(into map[string]json.RawMessage, path string, value json.RawMessage) {
	var members map[string]json.RawMessage
	if value[0] != '{' || json.Unmarshal(value, &members) != nil || len(members) == 0 {
		into[path] = value
		return
	}
	for name, member := range members {
		flatten(into, strings.TrimPrefix(path+"."+name, "."), member)
	}
}
