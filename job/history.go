package job

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Outcome is how a run ended, or why times of a job did not run.
type Outcome string

// The outcomes. Missed, MaxInstances and Coalesced are of times that did not run.
const (
	Executed     Outcome = "executed"
	Failed       Outcome = "error"
	TimedOut     Outcome = "timeout"
	Missed       Outcome = "missed"
	MaxInstances Outcome = "max_instances"
	Coalesced    Outcome = "coalesced"
	Cancelled    Outcome = "cancelled"
	Lost         Outcome = "lost"
)

// Row is one line of a job's history: a run (its last attempt), or a stretch of Count due times
// from ScheduledTime to Until that did not run.
type Row struct {
	RunID         string
	ScheduledTime time.Time
	Outcome       Outcome
	Attempt       int
	Node          string
	Started       time.Time // zero for what never started
	Finished      time.Time
	Error         string
	Cause         string
	Count         int // 1 for a run
	Until         time.Time
	Result        json.RawMessage // what the handler returned, if it is kept
}

var milliseconds = regexp.MustCompile(`\b\d+ ms\b`)

// CauseText is Cause for people: lengths of time that it has in milliseconds read as "30m0s".
func (r Row) CauseText() string {
	return milliseconds.ReplaceAllStringFunc(r.Cause, func(text string) string {
		n, err := strconv.ParseInt(strings.TrimSuffix(text, " ms"), 10, 64)
		if err != nil || n > math.MaxInt64/int64(time.Millisecond) {
			return text
		}
		return (time.Duration(n) * time.Millisecond).String()
	})
}

// MarshalJSON prints the shape outside programs read; times are RFC 3339 UTC with milliseconds,
// or null.
func (r Row) MarshalJSON() ([]byte, error) {
	w := struct {
		RunID         string          `json:"run_id,omitempty"`
		ScheduledTime *string         `json:"scheduled_time"`
		Outcome       Outcome         `json:"outcome"`
		Attempt       int             `json:"attempt,omitempty"`
		Node          string          `json:"node,omitempty"`
		Started       *string         `json:"started"`
		Finished      *string         `json:"finished"`
		Error         string          `json:"error,omitempty"`
		Cause         string          `json:"cause,omitempty"`
		Count         int             `json:"count,omitempty"`
		Until         *string         `json:"until,omitempty"`
		Result        json.RawMessage `json:"result,omitempty"`
	}{
		RunID: r.RunID, ScheduledTime: timeOrNull(r.ScheduledTime), Outcome: r.Outcome, Attempt: r.Attempt,
		Node: r.Node, Started: timeOrNull(r.Started), Finished: timeOrNull(r.Finished),
		Error: r.Error, Cause: r.Cause, Result: r.Result,
	}
	if r.RunID == "" {
		w.Count, w.Until = r.Count, timeOrNull(r.Until)
	}
	return marshalNoEscape(w)
}

func timeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := FormatTime(t)
	return &s
}

// marshalNoEscape is json.Marshal without turning <, > and & of ids and errors into \u escapes.
func marshalNoEscape(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
