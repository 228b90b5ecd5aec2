package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/carillon-project/carillon/job"
)

// Message is one slot's worth of runs of one job, as it travels through streams, running, delayed
// and waiting, with all that a consumer needs. Its runs share the slot and run one after another
// in time order; Attempt and Lost belong to the first of them.
//
// The stored form is three parts separated by newlines: a line of tab-separated fields that
// begins with the format version (those the scripts read come first), a line of runs, and the
// args byte for byte.
type Message struct {
	Attempt  int       // of the first run, counted from 1
	Max      int       // max_instances; 0 = the run needs no slot
	Grace    job.Grace // misfire_grace_time
	Overlap  job.Overlap
	UID      string // of the job's incarnation; empty for an ad-hoc run
	JobID    string // "@task" for an ad-hoc run
	Executor string
	Lost     int // attempts of the first run that were lost with their node
	Failed   int // attempts of the first run that failed
	Slot     string
	Task     string
	OnLost   job.OnLost
	Retry    job.Retry
	Timeout  time.Duration
	Runs     []MessageRun // at least one
	Args     json.RawMessage
}

// Following are the runs after the first, as a message that begins anew; nil when there are none.
func (m *Message) Following() *Message {
	if len(m.Runs) < 2 {
		return nil
	}
	rest := *m
	rest.Runs, rest.Attempt, rest.Lost, rest.Failed = m.Runs[1:], 1, 0, 0
	return &rest
}

// MessageRun is one run of a message. Times are Unix milliseconds.
type MessageRun struct {
	ID        string
	Scheduled int64 // the nominal time
	Due       int64 // the nominal time plus jitter: what misfire is judged by
}

const messageFormat = "1"

// Encode returns the stored form.
func (m Message) Encode() string {
	return string(m.appendTo(make([]byte, 0, 256+64*len(m.Runs)+len(m.Args))))
}

// appendTo appends the stored form.
func (m *Message) appendTo(b []byte) []byte {
	field := func(s string) { b = append(append(b, s...), '\t') }
	number := func(n int64) { b = append(strconv.AppendInt(b, n, 10), '\t') }
	field(messageFormat)
	number(int64(m.Attempt))
	number(int64(m.Max))
	number(graceMillis(m.Grace))
	field(string(m.Overlap))
	field(m.UID)
	field(m.JobID)
	field(m.Executor)
	number(int64(m.Lost))
	number(int64(m.Failed))
	field(m.Slot)
	field(m.Task)
	field(string(m.OnLost))
	field(encodeRetry(m.Retry))
	number(ceilMillis(m.Timeout))
	b = append(b, '\n')
	for i := range m.Runs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, m.Runs[i].ID...), '@')
		b = append(strconv.AppendInt(b, m.Runs[i].Scheduled, 10), '@')
		b = strconv.AppendInt(b, m.Runs[i].Due, 10)
	}
	return append(append(b, '\n'), m.Args...)
}

func graceMillis(g job.Grace) int64 {
	if g <= 0 {
		return -1
	}
	return ceilMillis(time.Duration(g))
}

// ceilMillis rounds up, so that what is short does not become none.
func ceilMillis(d time.Duration) int64 {
	ms := d.Milliseconds()
	if d > time.Duration(ms)*time.Millisecond {
		ms++
	}
	return ms
}

func encodeRetry(r job.Retry) string {
	if r.MaxAttempts <= 1 {
		return ""
	}
	b, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	return string(b)
}

const messageFields = 15

// DecodeMessage reads the stored form. The error wraps ErrNewerFormat when a newer node wrote it,
// and ErrUnreadable otherwise.
func DecodeMessage(body string) (Message, error) {
	if version, _, _ := strings.Cut(body, "\t"); newerFormat(version) {
		return Message{}, fmt.Errorf("store: message: %w: format %s; this node knows %s", ErrNewerFormat, version, messageFormat)
	}
	head, rest, ok := strings.Cut(body, "\n")
	if !ok {
		return Message{}, fmt.Errorf("store: message: %w: no header", ErrUnreadable)
	}
	runs, args, ok := strings.Cut(rest, "\n")
	if !ok {
		return Message{}, fmt.Errorf("store: message: %w: no runs", ErrUnreadable)
	}
	var f [messageFields + 1]string
	fields := 0
	for field := range strings.SplitSeq(head, "\t") {
		if fields < len(f) {
			f[fields] = field
		}
		fields++
	}
	if f[0] != messageFormat {
		return Message{}, fmt.Errorf("store: message: %w: it begins with %.40q", ErrUnreadable, f[0])
	}
	if fields != len(f) || f[messageFields] != "" {
		return Message{}, fmt.Errorf("store: message: %w: %d fields", ErrUnreadable, fields)
	}
	n := numbers{}
	m := Message{
		Attempt: n.count(f[1]), Max: n.count(f[2]), Grace: n.grace(f[3]),
		Overlap: job.Overlap(f[4]), UID: f[5], JobID: f[6], Executor: f[7], Lost: n.count(f[8]),
		Failed: n.count(f[9]), Slot: f[10], Task: f[11], OnLost: job.OnLost(f[12]),
		Timeout: n.millis(f[14]),
	}
	if strings.ContainsFunc(f[4], func(c rune) bool { return c < 'a' || c > 'z' }) {
		n.note(fmt.Errorf("overlap %q", f[4])) // scripts could not read it either
	}
	if args != "" {
		m.Args = json.RawMessage(args)
	}
	if f[13] != "" {
		n.note(json.Unmarshal([]byte(f[13]), &m.Retry))
		if m.Retry.MaxAttempts <= 1 {
			m.Retry = job.Retry{}
		}
	}
	m.Runs = decodeRuns(runs, &n)
	if n.err == nil && len(m.Runs) == 0 {
		n.note(errors.New("it has no runs"))
	}
	if err := n.unreadable("message"); err != nil {
		return Message{}, err
	}
	return m, nil
}

// newerFormat reports whether a message begins as those of a later format will: its number, higher
// than ours, before the first tab.
func newerFormat(version string) bool {
	n := numbers{}
	return n.count(version) > 1 && n.err == nil
}

func decodeRuns(line string, n *numbers) []MessageRun {
	if line == "" {
		return nil
	}
	runs := make([]MessageRun, 0, strings.Count(line, ",")+1)
	for part := range strings.SplitSeq(line, ",") {
		id, times, ok := strings.Cut(part, "@")
		scheduled, due, ok2 := strings.Cut(times, "@")
		if !ok || !ok2 || id == "" {
			n.note(fmt.Errorf("run %q", part))
			return nil
		}
		runs = append(runs, MessageRun{ID: id, Scheduled: n.read(scheduled), Due: n.read(due)})
	}
	return runs
}

// numbers reads many integers and keeps the first error.
type numbers struct{ err error }

// read takes the canonical form only, so that what is read is written again byte for byte.
func (n *numbers) read(s string) int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (s[0] == '+' || s != "0" && strings.HasPrefix(strings.TrimPrefix(s, "-"), "0")) {
		err = fmt.Errorf("number %q", s)
	}
	n.note(err)
	return v
}

// count reads a number that is not negative.
func (n *numbers) count(s string) int {
	v := n.read(s)
	if v < 0 || v > math.MaxInt32 {
		n.note(fmt.Errorf("number %q", s))
	}
	return int(v)
}

// millis reads a duration that is not negative.
func (n *numbers) millis(s string) time.Duration {
	v := n.read(s)
	if v < 0 || v > math.MaxInt64/int64(time.Millisecond) {
		n.note(fmt.Errorf("duration %q", s))
	}
	return time.Duration(v) * time.Millisecond
}

func (n *numbers) grace(s string) job.Grace {
	if s == "-1" {
		return job.GraceNone
	}
	d := n.millis(s)
	if d == 0 {
		n.note(fmt.Errorf("grace %q", s))
	}
	return job.Grace(d)
}

func (n *numbers) note(err error) {
	if n.err == nil {
		n.err = err
	}
}

// unreadable is the first error as one of the named thing, which wraps ErrUnreadable.
func (n *numbers) unreadable(what string) error {
	if n.err == nil {
		return nil
	}
	return fmt.Errorf("store: %s: %w: %w", what, ErrUnreadable, n.err)
}

// nudgeMark begins a stream entry that carries no run: it says that a slot has come free and that
// the first in its line may start. Losing one loses nothing; the leader's sweep sends another.
const nudgeMark = "N\t"
