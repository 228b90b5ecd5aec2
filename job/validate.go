package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what a document may hold. They bound what one job can cost every node.
const (
	MaxID       = 255       // bytes of an id, key, name of a task, executor or store
	MaxDocument = 256 << 10 // bytes of a whole job document
	MaxText     = 4 << 10   // bytes of name and description
	MaxLabels   = 64
)

// ErrInvalid is wrapped by every error of Decode and Validate.
var ErrInvalid = errors.New("invalid job")

// ValidID reports what is wrong with an id: it is 1 to 255 bytes of printable UTF-8 without
// spaces. kind ("id", "task", …) names it in the error.
func ValidID(kind, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%s: is missing", kind)
	case len(id) > MaxID:
		return fmt.Errorf("%s: has %d bytes, at most %d are allowed", kind, len(id), MaxID)
	case !utf8.ValidString(id):
		return fmt.Errorf("%s: %q is not valid UTF-8", kind, id)
	}
	for _, r := range id {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return fmt.Errorf("%s: %q has a space or an unprintable character", kind, id)
		}
	}
	return nil
}

// Validate returns every fault of the document, joined, each naming its field; the joined error
// wraps ErrInvalid. An empty id is allowed: whoever adds the job gives it one.
func (j Job) Validate() error {
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	if j.ID != "" {
		fault(ValidID("id", j.ID))
	}
	if strings.HasPrefix(j.ID, "@") {
		fault(fmt.Errorf("id: %q: a leading @ is reserved for ad-hoc runs", j.ID))
	}
	if j.Ended != "" {
		fault(errors.New("ended: is what an answer says of a job that is gone; leave it out"))
	}
	fault(ValidID("task", j.Task))
	for kind, v := range map[string]string{"executor": j.Executor, "store": j.Store, "key": j.Key} {
		if v != "" {
			fault(ValidID(kind, v))
		}
	}
	if len(bytes.TrimSpace(j.Trigger)) == 0 {
		fault(errors.New(`trigger: is missing; write {"type":"interval","every":"15s"}, a cron or a date`))
	}
	if len(j.Args) > 0 && !json.Valid(j.Args) {
		fault(errors.New("args: is not valid JSON"))
	}
	fault(j.validateOptions())
	fault(j.validateTexts())
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalid, errors.Join(faults...))
}

// validateOptions refuses what a document cannot hold, too: what is stored must be read again.
func (j Job) validateOptions() error {
	faults := []error{
		validWord("coalesce", j.Coalesce, coalesces), validWord("overlap", j.Overlap, overlaps), validWord("on_lost", j.OnLost, onLosts),
	}
	for _, d := range []struct {
		field string
		value Duration
	}{{"timeout", j.Timeout}, {"retry.backoff.initial", j.Retry.Backoff.Initial}, {"retry.backoff.max", j.Retry.Backoff.Max}} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("%s: %s must not be negative", d.field, time.Duration(d.value)))
		}
	}
	if g := time.Duration(j.MisfireGraceTime); g > 0 && g < time.Millisecond {
		faults = append(faults, fmt.Errorf("misfire_grace_time: %s must be at least 1ms, or GraceNone for never too late", g))
	}
	if j.MaxInstances < 0 {
		faults = append(faults, fmt.Errorf("max_instances: %d must be positive", j.MaxInstances))
	}
	if j.MaxRuns < 0 {
		faults = append(faults, fmt.Errorf("max_runs: %d must be positive", j.MaxRuns))
	}
	if j.Retry.MaxAttempts < 0 || j.Retry.MaxAttempts > 1000 {
		faults = append(faults, fmt.Errorf("retry.max_attempts: %d is not between 1 and 1000", j.Retry.MaxAttempts))
	}
	b := j.Retry.Backoff
	if b.Factor != 0 && !(b.Factor >= 1 && b.Factor <= 100) {
		faults = append(faults, fmt.Errorf("retry.backoff.factor: %v is not between 1 and 100", b.Factor))
	}
	if b.Jitter != nil && !(*b.Jitter >= 0 && *b.Jitter <= 1) {
		faults = append(faults, fmt.Errorf("retry.backoff.jitter: %v is not between 0 and 1", *b.Jitter))
	}
	if b.Max > 0 && b.Initial > b.Max {
		faults = append(faults, errors.New("retry.backoff: initial must not be longer than max"))
	}
	return errors.Join(faults...)
}

func (j Job) validateTexts() error {
	var faults []error
	for kind, v := range map[string]string{"name": j.Name, "description": j.Description} {
		if len(v) > MaxText || !utf8.ValidString(v) {
			faults = append(faults, fmt.Errorf("%s: must be valid UTF-8 of at most %d bytes", kind, MaxText))
		}
	}
	if len(j.Labels) > MaxLabels {
		faults = append(faults, fmt.Errorf("labels: %d are given, at most %d are allowed", len(j.Labels), MaxLabels))
	}
	for k, v := range j.Labels {
		if err := ValidID("labels", k); err != nil {
			faults = append(faults, err)
		}
		if len(v) > MaxID || !utf8.ValidString(v) {
			faults = append(faults, fmt.Errorf("labels: the value of %q must be valid UTF-8 of at most %d bytes", k, MaxID))
		}
	}
	if n := len(j.Args) + len(j.Trigger); n > MaxDocument {
		faults = append(faults, fmt.Errorf("args and trigger have %d bytes together, at most %d are allowed", n, MaxDocument))
	}
	return errors.Join(faults...)
}
