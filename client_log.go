package carillon

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/carillon-project/carillon/job"
)

// LogLine is one line that a handler wrote with Logger or Progress.
type LogLine struct {
	RunID    string
	Attempt  int
	Number   int // from 1, by attempt; a gap says that lines were dropped
	Time     time.Time
	Level    string  // "info", "warn", "error" or "progress"
	Fraction float64 // of a progress line, from 0 to 1
	Text     string
}

// MarshalJSON prints the shape outside programs read.
func (l LogLine) MarshalJSON() ([]byte, error) {
	w := struct {
		RunID    string   `json:"run_id"`
		Attempt  int      `json:"attempt"`
		Number   int      `json:"number"`
		Time     string   `json:"time"`
		Level    string   `json:"level"`
		Fraction *float64 `json:"fraction,omitempty"`
		Message  string   `json:"message"`
	}{RunID: l.RunID, Attempt: l.Attempt, Number: l.Number, Time: job.FormatTime(l.Time), Level: l.Level, Message: l.Text}
	if l.Level == progressLevel {
		w.Fraction = &l.Fraction
	}
	return json.Marshal(w)
}

const (
	// followWait is how long RunLog waits for lines before it asks whether the run goes on.
	followWait = time.Second
	// lastLines is how long after a run's end RunLog waits for lines that are on their way.
	lastLines = 5 * linesPause
)

// RunLog calls f for the lines that are kept of a run, the oldest first, and with follow for those to
// come, until the run has ended; f is called from this goroutine. Lines of a run's last moments may
// be missing when Redis was slow to take them. ErrRunNotFound when there are no lines and no such
// run is known, see GetRun.
func (c *Client) RunLog(ctx context.Context, runID string, follow bool, f func(LogLine), opts ...CallOption) error {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return err
	}
	wait := time.Duration(0)
	at, over := "", !follow
	for {
		lines, next, err := s.Lines(ctx, runID, at, wait)
		if err != nil {
			return err
		}
		at = next
		for _, l := range lines {
			f(LogLine(l))
		}
		switch {
		case len(lines) > 0:
			continue
		case over && at == "0-0":
			_, err := c.GetRun(ctx, runID, opts...)
			return err
		case over:
			return nil
		}
		wait = followWait
		if _, err := s.Find(ctx, runID); errors.Is(err, ErrRunNotFound) {
			wait, over = lastLines, true
		} else if err != nil {
			return err
		}
	}
}
