package job

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Coalesce says which of several due times of one job run when the scheduler finds them together.
// The zero value means "not said": the default of whoever adds the job applies, and CoalesceLatest
// after that. APScheduler's true and false are accepted in documents as latest and all.
type Coalesce string

// The values of Coalesce.
const (
	CoalesceLatest   Coalesce = "latest"   // only the last due time runs
	CoalesceEarliest Coalesce = "earliest" // only the first due time runs
	CoalesceAll      Coalesce = "all"      // every due time runs, one after another in one slot
)

// UnmarshalJSON accepts "latest", "earliest", "all", true (latest) and false (all).
func (c *Coalesce) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true":
		*c = CoalesceLatest
		return nil
	case "false":
		*c = CoalesceAll
		return nil
	}
	return unmarshalWord(b, c, "coalesce", coalesces)
}

// Overlap says what happens to a run whose job already has max_instances runs.
// The zero value means OverlapSkip.
type Overlap string

// The values of Overlap.
const (
	OverlapSkip    Overlap = "skip"    // the run ends as max_instances
	OverlapQueue   Overlap = "queue"   // the run waits in line, by scheduled time
	OverlapReplace Overlap = "replace" // the oldest run is cancelled, and the new one starts when it has ended
)

// UnmarshalJSON accepts the three words only.
func (o *Overlap) UnmarshalJSON(b []byte) error {
	return unmarshalWord(b, o, "overlap", overlaps)
}

// OnLost says what becomes of a run whose node died while it ran. The zero value means OnLostRerun.
type OnLost string

// The values of OnLost.
const (
	OnLostRerun OnLost = "rerun" // sent again as the next attempt
	OnLostDrop  OnLost = "drop"  // ends with the outcome lost
)

// UnmarshalJSON accepts the two words only.
func (o *OnLost) UnmarshalJSON(b []byte) error {
	return unmarshalWord(b, o, "on_lost", onLosts)
}

// The words of each option.
var (
	coalesces = []Coalesce{CoalesceLatest, CoalesceEarliest, CoalesceAll}
	overlaps  = []Overlap{OverlapSkip, OverlapQueue, OverlapReplace}
	onLosts   = []OnLost{OnLostRerun, OnLostDrop}
)

func unmarshalWord[T ~string](b []byte, into *T, field string, words []T) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil && slices.Contains(words, T(s)) {
		*into = T(s)
		return nil
	}
	return fmt.Errorf("%s: %s is not one of %q", field, b, words)
}

// validWord reports a word that a Go program wrote and a document may not hold. Empty is not said.
func validWord[T ~string](field string, word T, words []T) error {
	if word == "" || slices.Contains(words, word) {
		return nil
	}
	return fmt.Errorf("%s: %q is not one of %q", field, word, words)
}

// Duration is a time.Duration that reads and prints as text: "30s" in JSON, and a bare number
// is seconds. It never holds a negative value that came from a document.
type Duration time.Duration

// MarshalJSON prints the duration as Go does, "1m30s", so that it reads back exactly.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON accepts "1m30s" or a number of seconds, zero or more.
func (d *Duration) UnmarshalJSON(b []byte) error {
	v, err := parseDuration(b)
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// ParseDuration reads "1m30s" or a number of seconds, as the documents, flags and environment
// variables of Carillon write a duration. Negative values are refused.
func ParseDuration(text string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return parseDuration([]byte(text))
	}
	return parseDuration([]byte(strconv.Quote(text)))
}

func parseDuration(b []byte) (time.Duration, error) {
	var v time.Duration
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		v, err = time.ParseDuration(s)
		if err != nil {
			return 0, fmt.Errorf("duration %s: write it as \"30s\" or as a number of seconds", b)
		}
	} else {
		sec, err := strconv.ParseFloat(string(b), 64)
		if err != nil || math.IsNaN(sec) || math.Abs(sec) > math.MaxInt64/float64(time.Second) {
			return 0, fmt.Errorf("duration %s: write it as \"30s\" or as a number of seconds", b)
		}
		v = time.Duration(math.Round(sec * float64(time.Second)))
	}
	if v < 0 {
		return 0, fmt.Errorf("duration %s: must not be negative", b)
	}
	return v, nil
}

// Grace is a misfire_grace_time: how late a run may start. Lateness equal to it still runs.
// The zero value means "not said"; GraceNone means never too late, JSON null.
type Grace time.Duration

// GraceNone is the grace of a run that is never too late.
const GraceNone Grace = -1

// MarshalJSON prints null for GraceNone and a duration otherwise.
func (g Grace) MarshalJSON() ([]byte, error) {
	if g < 0 {
		return []byte("null"), nil
	}
	return Duration(g).MarshalJSON()
}

// UnmarshalJSON accepts null (never too late) or a positive duration; zero is refused, as
// APScheduler does, since no run can start at its very instant.
func (g *Grace) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*g = GraceNone
		return nil
	}
	v, err := parseDuration(b)
	if err != nil {
		return fmt.Errorf("misfire_grace_time: %w", err)
	}
	if v < time.Millisecond {
		return fmt.Errorf("misfire_grace_time: %s: must be at least 1ms, or null for never too late", b)
	}
	*g = Grace(v)
	return nil
}

// NextRun is the explicit next_run_time of a document. The zero value leaves the first time to the
// trigger; Paused (JSON null) adds the job paused; At gives the first time.
type NextRun struct {
	set bool
	at  time.Time
}

// Paused is the next_run_time of a job that is added paused.
func Paused() NextRun { return NextRun{set: true} }

// At is an explicit first run time.
func At(t time.Time) NextRun { return NextRun{set: true, at: t} }

// IsZero reports whether nothing was said, so that encoding/json omits the field.
func (n NextRun) IsZero() bool { return !n.set }

// IsPaused reports whether the document asks for no next run.
func (n NextRun) IsPaused() bool { return n.set && n.at.IsZero() }

// Time returns the explicit time and whether there is one.
func (n NextRun) Time() (time.Time, bool) { return n.at, n.set && !n.at.IsZero() }

// MarshalJSON prints null when paused and RFC 3339 UTC with milliseconds otherwise.
func (n NextRun) MarshalJSON() ([]byte, error) {
	if n.at.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(FormatTime(n.at))
}

// UnmarshalJSON accepts null or an RFC 3339 time.
func (n *NextRun) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Paused()
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("next_run_time: %s: write a time as RFC 3339, or null to add the job paused", b)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("next_run_time: %q: write a time as RFC 3339 with its offset, or null to add the job paused", s)
	}
	*n = At(t)
	return nil
}

// FormatTime prints an instant as every surface of Carillon does: RFC 3339, UTC, milliseconds.
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// Retry says how often a run that failed is tried again. The zero value is one attempt.
// Attempts lost with their node do not count.
type Retry struct {
	MaxAttempts int     `json:"max_attempts,omitempty"` // attempts in all, at least 1
	Backoff     Backoff `json:"backoff,omitzero"`
}

// Backoff is the pause between attempts: Initial × Factor^(n-1), at most Max, times a random
// factor in 1 ± Jitter. Zero fields mean 1s, 1h, 2 and 0.1.
type Backoff struct {
	Initial Duration `json:"initial,omitempty"`
	Max     Duration `json:"max,omitempty"`
	Factor  float64  `json:"factor,omitempty"`
	Jitter  *float64 `json:"jitter,omitempty"`
}

// Delay returns the pause after the given failed attempt (1 = the first). random is in [0,1).
func (b Backoff) Delay(failed int, random float64) time.Duration {
	initial, limit, factor, jitter := time.Second, time.Hour, 2.0, 0.1
	if b.Initial > 0 {
		initial = time.Duration(b.Initial)
	}
	if b.Max > 0 {
		limit = time.Duration(b.Max)
	}
	if b.Factor > 0 {
		factor = b.Factor
	}
	if b.Jitter != nil {
		jitter = *b.Jitter
	}
	d := float64(initial) * math.Pow(factor, float64(max(failed, 1)-1))
	d = math.Min(d, float64(limit)) * (1 + jitter*(2*random-1))
	return time.Duration(math.Max(d, 0))
}
