package ledger

import (
	"strings"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// apply does to the book what a command did to the store. Commands about other keys do nothing.
func (b *book) apply(command []string) {
	verb := strings.ToUpper(command[0])
	if verb == "FLUSHALL" || verb == "FLUSHDB" {
		b.wipe()
		b.Wipes++
		return
	}
	part, name := split(command)
	if name == "" {
		return
	}
	kind, rest, _ := strings.Cut(name, ":")
	switch {
	case verb == "DEL" || verb == "UNLINK":
		for _, key := range command[1:] {
			b.remove(key)
		}
	case kind == "stream":
		b.stream(verb, command)
	case name == "running":
		b.running(verb, command[2:])
	case name == "leases":
		b.lease(verb, command[2:])
	case name == "delayed_runs":
		b.park("delayed", verb, command)
	case kind == "waiting_runs":
		b.park("waiting", verb, command)
	case verb == "MSET":
		b.setMany(command[1:])
	case kind == "slots":
		b.slot(verb, rest, command)
	case name == "fence" && verb == "HSET":
		b.fence(part, command[2:])
	case name == "events" && verb == "XADD":
		_, values := entryOf(command)
		for _, text := range values {
			b.events(text)
		}
	case kind == "history" && (verb == "LPUSH" || verb == "LPUSHX"):
		for _, row := range command[2:] {
			b.row(rest, row)
		}
	case kind == "past" && verb == "HSET":
		for i := 2; i+1 < len(command); i += 2 {
			b.row(command[i], command[i+1])
		}
	}
}

// remove is the end of a whole key.
func (b *book) remove(key string) {
	_, name, _ := strings.Cut(key, "}:")
	for _, entry := range b.entries[key] {
		for _, m := range entry {
			b.take("stream", m)
		}
	}
	delete(b.entries, key)
	for _, m := range b.parked[key] {
		place := "waiting"
		if name == "delayed_runs" {
			place = "delayed"
		}
		b.take(place, m)
	}
	delete(b.parked, key)
	if slot, ok := strings.CutPrefix(name, "slots:"); ok {
		delete(b.slots, slot)
	}
}

func (b *book) stream(verb string, command []string) {
	key := command[1]
	switch verb {
	case "XADD":
		id, values := entryOf(command)
		var entry []message
		for _, text := range values {
			if m, ok := parseMessage(text); ok {
				b.put("stream", m)
				entry = append(entry, m)
			}
		}
		if b.entries[key] == nil {
			b.entries[key] = map[string][]message{}
		}
		b.entries[key][id] = entry
	case "XDEL":
		for _, id := range command[2:] {
			for _, m := range b.entries[key][id] {
				b.take("stream", m)
			}
			delete(b.entries[key], id)
		}
	}
}

func (b *book) running(verb string, args []string) {
	drop := func(id string) {
		if h, ok := b.holds[id]; ok {
			b.take("running", h.message)
			delete(b.holds, id)
		}
	}
	switch verb {
	case "HSET":
		for i := 0; i+1 < len(args); i += 2 {
			if h, ok := parseHold(args[i+1]); ok {
				drop(args[i])
				b.holds[args[i]] = h
				b.put("running", h.message)
			}
		}
	case "HDEL":
		for _, id := range args {
			drop(id)
		}
	}
}

func (b *book) lease(verb string, args []string) {
	switch verb {
	case "ZADD":
		for len(args) > 0 && (args[0] == "XX" || args[0] == "NX") {
			args = args[1:]
		}
		for i := 0; i+1 < len(args); i += 2 {
			b.leases[args[i+1]] = millis(args[i])
		}
	case "ZREM":
		for _, id := range args {
			b.touch(id)
			delete(b.leases, id)
		}
	}
}

// park is a hash of messages that wait, by run id.
func (b *book) park(place, verb string, command []string) {
	key, args := command[1], command[2:]
	if b.parked[key] == nil {
		b.parked[key] = map[string]message{}
	}
	drop := func(id string) {
		if m, ok := b.parked[key][id]; ok {
			b.take(place, m)
			delete(b.parked[key], id)
		}
	}
	switch verb {
	case "HSET":
		for i := 0; i+1 < len(args); i += 2 {
			if m, ok := parseMessage(args[i+1]); ok {
				drop(args[i])
				b.parked[key][args[i]] = m
				b.put(place, m)
			}
		}
	case "HDEL":
		for _, id := range args {
			drop(id)
		}
	}
}

func (b *book) slot(verb, slot string, command []string) {
	switch verb {
	case "INCR":
		b.slots[slot]++
	case "DECR":
		b.slots[slot]--
	case "SET":
		b.slots[slot] = number(command[2])
	}
}

// setMany is MSET, which slot counters alone are written by.
func (b *book) setMany(args []string) {
	for i := 0; i+1 < len(args); i += 2 {
		if _, slot, ok := strings.Cut(args[i], "}:slots:"); ok {
			b.slots[slot] = number(args[i+1])
		}
	}
}

func (b *book) fence(part string, args []string) {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "term" {
			b.fences[part] = integer(args[i+1])
			b.Fences = append(b.Fences, history.Fence{Step: b.step, At: b.now, Term: b.fences[part], Part: part})
		}
	}
}

// events reads lines of kind, job, run, scheduled, attempt, node, term, cause.
func (b *book) events(text string) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(fields) < 8 {
			continue
		}
		switch fields[0] {
		case "job_submitted":
			f := b.fact(fields[2])
			f.term, f.by = integer(fields[6]), fields[5]
		case "job_lost":
			b.fact(fields[2]).lost = true
		}
	}
}

// row reads started, ended, outcome, run, scheduled, attempt, node, count, until, cause, error.
func (b *book) row(job, text string) {
	fields := strings.Split(text, "\t")
	if len(fields) < 11 {
		return
	}
	outcome, scheduled := fields[2], millis(fields[4])
	if id := fields[3]; id != "" {
		f := b.fact(id)
		f.outcomes = append(f.outcomes, outcome)
		b.Rows = append(b.Rows, history.Outcome{
			JobID: job, RunID: id, Scheduled: scheduled, Outcome: outcome, Attempt: number(fields[5]), Node: fields[6],
		})
		return
	}
	s := history.Skip{At: b.now, JobID: job, Outcome: outcome, From: scheduled, Count: max(number(fields[7]), 1), Cause: fields[9]}
	if s.Until = s.From; fields[8] != "" {
		s.Until = millis(fields[8])
	}
	b.Skips = append(b.Skips, s)
}
