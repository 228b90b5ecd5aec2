package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/carillon-project/carillon/job"
)

// Header is the first line of a stored job: what the leader compares and sets. Scripts compare it
// as text and never read into it, so two headers are equal exactly when nothing happened between.
type Header struct {
	UID     string // the job's incarnation; a job removed and added again gets another
	Version int64  // counts changes of the definition
	Last    int64  // the last nominal time that was dispatched or skipped, Unix ms; 0 = none
	Next    int64  // the nominal time that run_times stands for, Unix ms; 0 = none
	Runs    int64  // how many runs were dispatched, for max_runs
	State   State
	Reason  string // why the job is paused or parked
}

// State says whether a job has times to come.
type State string

// The states of a stored job.
const (
	Active State = "a"
	Paused State = "p" // by a user
	Parked State = "k" // by the leader, because the record or its trigger cannot be used
)

const headerFormat = "1"

// Encode returns the stored line, with its newline.
func (h Header) Encode() string { return string(h.appendTo(make([]byte, 0, 128))) }

// appendTo appends the stored line, with its newline.
func (h *Header) appendTo(b []byte) []byte {
	b = append(append(append(b, headerFormat...), ' '), h.UID...)
	for _, n := range [...]int64{h.Version, h.Last, h.Next, h.Runs} {
		b = strconv.AppendInt(append(b, ' '), n, 10)
	}
	b = append(append(append(b, ' '), h.State...), ' ')
	if h.Reason != "" {
		b = append(b, url.QueryEscape(h.Reason)...)
	}
	return append(b, '\n')
}

// DecodeHeader reads a stored line, with or without its newline. The error wraps ErrNewerFormat or
// ErrUnreadable.
func DecodeHeader(line string) (Header, error) {
	line = strings.TrimSuffix(line, "\n")
	var f [8]string
	count, rest, more := 0, line, true
	for ; more; count++ {
		var field string
		field, rest, more = strings.Cut(rest, " ")
		if count < len(f) {
			f[count] = field
		}
	}
	if f[0] != headerFormat {
		if v, err := strconv.Atoi(f[0]); err == nil && v > 1 {
			return Header{}, fmt.Errorf("store: job header: %w: format %d; this node knows %s", ErrNewerFormat, v, headerFormat)
		}
		return Header{}, fmt.Errorf("store: job header: %w: %.40q", ErrUnreadable, line)
	}
	if count != len(f) {
		return Header{}, fmt.Errorf("store: job header: %w: %d fields", ErrUnreadable, count)
	}
	n := numbers{}
	h := Header{
		UID: f[1], Version: n.read(f[2]), Last: n.read(f[3]), Next: n.read(f[4]), Runs: n.read(f[5]),
		State: State(f[6]),
	}
	reason, err := url.QueryUnescape(f[7])
	n.note(err)
	if h.State == "" {
		n.note(errors.New("no state"))
	}
	h.Reason = reason
	if n.err != nil {
		return Header{}, fmt.Errorf("store: job header: %w: %w", ErrUnreadable, n.err)
	}
	// Scripts compare headers as text: one that would be written differently never matches itself.
	var again [160]byte
	if string(bytes.TrimSuffix(h.appendTo(again[:0]), []byte("\n"))) != line {
		return Header{}, fmt.Errorf("store: job header: %w: %.40q is not as it is written", ErrUnreadable, line)
	}
	return h, nil
}

// Record is the rest of a stored job; what has its built-in default is not written, hence these defaults
// can only change with the format. Job is complete: every default is filled in and its trigger
// is resolved (zone and anchor made explicit). Given is the trigger as the user wrote it, so that
// adding the same document again can be told from changing it.
type Record struct {
	Job     job.Job         `json:"job"`
	Given   json.RawMessage `json:"given,omitempty"`
	Created int64           `json:"created"` // Unix ms, Redis time
	// Asked is the next_run_time that somebody asked for, Unix ms; 0 = none. It stands whatever the
	// trigger and its calendars say.
	Asked int64 `json:"asked,omitempty"`
	// Alike, in what Records returns, is the same for records that differ in no more than their id, their
	// args and when they were created; 0 = nobody knows of another. It is not stored.
	Alike int64 `json:"-"`
}

// Entry is one stored job: its header, its record, and when it runs next.
type Entry struct {
	Header
	Record
	RunTime int64 // Unix ms with jitter, from run_times; 0 = paused or finished
	// CalendarsVersion is that of the calendars by which Next was found; 0 = none were asked. It is not
	// stored, and 0 in what is read.
	CalendarsVersion int64
	// Bytes is how long its stored text is, in what is read.
	Bytes int
}

// Document returns the job as users see it, with next_run_time filled in.
func (e Entry) Document() job.Job {
	j := e.Job
	j.NextRunTime = job.Paused()
	if e.RunTime != 0 {
		j.NextRunTime = job.At(time.UnixMilli(e.RunTime))
	}
	return j
}

func (e Entry) encode() (string, error) {
	e.Job.NextRunTime, e.Job.Ended = job.NextRun{}, ""
	e.Job = e.Job.WithoutDefaults()
	if bytes.Equal(e.Given, e.Job.Trigger) {
		e.Given = nil
	}
	var b strings.Builder
	b.WriteString(e.Header.Encode())
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // users' <, > and & stay as they were given
	if err := enc.Encode(e.Record); err != nil {
		return "", fmt.Errorf("store: job %q: encode: %w", e.Job.ID, err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// decodeEntry reads a stored job. id is the hash field it was found under.
func decodeEntry(id, value string) (Entry, error) { return decodeWith(decodeRecord, id, value) }

// decodeWith is decodeEntry with another way to decode the record.
func decodeWith(decode func(id, text string) (Record, error), id, value string) (Entry, error) {
	line, rec, _ := strings.Cut(value, "\n")
	h, err := DecodeHeader(line)
	if err != nil {
		return Entry{}, fmt.Errorf("job %q: %w", id, err)
	}
	e := Entry{Header: h, Bytes: len(value)}
	if e.Record, err = decode(id, rec); err != nil {
		return Entry{Header: h, Bytes: len(value)}, err
	}
	return e, nil
}

func decodeRecord(id, text string) (r Record, err error) {
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Record{}, fmt.Errorf("store: job %q: %w: %w", id, ErrUnreadable, err)
	}
	r.Job = r.Job.WithDefaults(job.Options{})
	if r.Given == nil {
		r.Given = r.Job.Trigger
	}
	if r.Job.ID != id {
		return Record{}, fmt.Errorf("store: job %q: %w: the record names %q", id, ErrUnreadable, r.Job.ID)
	}
	return r, nil
}

// Message returns the message that carries the given runs of this job.
func (e Entry) Message(runs ...MessageRun) Message {
	j := e.Job
	return Message{
		Attempt: 1, Max: j.MaxInstances, Grace: j.MisfireGraceTime, Overlap: j.Overlap, UID: e.UID, JobID: j.ID,
		Executor: j.Executor, Slot: j.SlotKey(), Task: j.Task, OnLost: j.OnLost, Retry: j.Retry,
		Timeout: time.Duration(j.Timeout), Runs: runs, Args: j.Args,
	}
}
