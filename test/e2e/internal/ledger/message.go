package ledger

import (
	"strconv"
	"strings"
	"time"
)

// message is what the ledger needs of a stored message.
type message struct {
	attempt, max int
	job, slot    string
	runs         []run
}

type run struct {
	id             string
	scheduled, due time.Time
}

// parseMessage reads the stored form; ok is false for a nudge or what it cannot read.
func parseMessage(body string) (m message, ok bool) {
	head, rest, ok := strings.Cut(body, "\n")
	runs, _, more := strings.Cut(rest, "\n")
	fields := strings.Split(head, "\t")
	if !ok || !more || len(fields) < 12 {
		return m, false
	}
	m.attempt, m.max = number(fields[1]), number(fields[2])
	m.job, m.slot = fields[6], fields[10]
	for _, text := range strings.Split(runs, ",") {
		parts := strings.Split(text, "@")
		if len(parts) != 3 {
			return m, false
		}
		m.runs = append(m.runs, run{id: parts[0], scheduled: millis(parts[1]), due: millis(parts[2])})
	}
	return m, true
}

// hold is a value of running.
type hold struct {
	owner, slot string
	attempt     int
	message     message
}

func parseHold(value string) (h hold, ok bool) {
	head, body, ok := strings.Cut(value, "\n")
	fields := strings.Split(head, "\t")
	if !ok || len(fields) != 6 {
		return h, false
	}
	h.owner, h.attempt, h.slot = fields[0], number(fields[2]), fields[3]
	h.message, ok = parseMessage(body)
	return h, ok
}

// node is the name that an owner token begins with.
func (h hold) node() string {
	name, _, _ := strings.Cut(h.owner, "/")
	return name
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

func millis(text string) time.Time {
	n, err := strconv.ParseFloat(text, 64) // scores may be written as 1.7e+12
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(n)).UTC()
}
