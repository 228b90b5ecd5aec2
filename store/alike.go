package store

import (
	"encoding/json"
	"strings"
	"sync"
)

// alike knows records that were read, so that one that differs from another in nothing but its id, its
// args and when it was created is not decoded again. Its zero value knows none, and it is safe for
// concurrent use.
//
// Only records as Entry.encode writes them are recognised; of others it says nothing.
type alike struct {
	mu    sync.Mutex
	known map[shape]Record // each complete but for its id, args and time of creation
	used  int              // bytes of the shapes
	asked int              // how many records it did not know
	named int64            // the last Record.Alike
}

// shape is what alike records have in common: the text between the id and the args, and that between
// the args and the time of creation.
type shape struct{ head, tail string }

const (
	alikeShapes  = 1000
	alikeBytes   = 4 << 20
	alikeLongest = 16 << 10
	// alikeEvery is of how many unknown records one is kept: where all differ, keeping each costs more
	// than it saves.
	alikeEvery = 8
)

// cutRecord takes a record of the job with an id to pieces; ok is false when it is not as they are
// written. args may be no JSON.
func cutRecord(id, text string) (s shape, args string, created int64, ok bool) {
	rest, ok := strings.CutPrefix(text, `{"job":{"id":"`)
	if !ok || !plainText(id) || !strings.HasPrefix(rest, id) {
		return s, "", 0, false
	}
	rest, ok = strings.CutPrefix(rest[len(id):], `",`)
	if !ok {
		return s, "", 0, false
	}
	const mark = `,"created":`
	at := strings.LastIndex(rest, mark)
	if at < 0 || !strings.HasSuffix(rest, "}") {
		return s, "", 0, false
	}
	n := numbers{}
	created = n.read(rest[at+len(mark) : len(rest)-1])
	s.head = rest[:at]
	// Only texts come before the args, and in those every quotation mark has a backslash before it.
	if head, tail, found := strings.Cut(s.head, `,"args":`); found {
		end := endOfValue(tail)
		s.head, args, s.tail = head, tail[:end], tail[end:]
		ok = args != "" && args[0] > ' ' && args[len(args)-1] > ' '
	}
	return s, args, created, ok && n.err == nil
}

// plainText reports whether an id stands in JSON as it is, whoever writes it.
func plainText(id string) bool {
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// endOfValue returns where the JSON value ends that a text begins with.
func endOfValue(text string) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == '}' || c == ']'):
			return i
		case c == '}' || c == ']':
			depth--
		}
	}
	return len(text)
}

// record decodes the record of a job.
func (a *alike) record(id, text string) (Record, error) {
	s, args, created, ok := cutRecord(id, text)
	if r, found := a.get(s); ok && found {
		raw := json.RawMessage(args)
		if args == "" || json.Valid(raw) {
			r.Job.ID, r.Created = id, created
			if args != "" {
				r.Job.Args = raw
			}
			return r, nil
		}
	}
	r, err := decodeRecord(id, text)
	if err == nil && ok && a.keeps(s) && string(r.Job.Args) == args && canonical(r, text) {
		a.put(s, r)
	}
	return r, err
}

// canonical reports whether a record is written byte for byte as it was read.
func canonical(r Record, text string) bool {
	value, err := Entry{Record: r}.encode()
	_, again, _ := strings.Cut(value, "\n")
	return err == nil && again == text
}

func (a *alike) get(s shape) (Record, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.known[s]
	return r, ok
}

// keeps reports whether a record that is not known is to be.
func (a *alike) keeps(s shape) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return a.asked%alikeEvery == 1 && len(s.head)+len(s.tail) <= alikeLongest
}

// put keeps a record for a shape; when there is no room it forgets all others.
func (a *alike) put(s shape, r Record) {
	r.Job.ID, r.Job.Args, r.Created = "", nil, 0
	s = shape{strings.Clone(s.head), strings.Clone(s.tail)} // not the whole record
	size := len(s.head) + len(s.tail)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil || len(a.known) >= alikeShapes || a.used+size > alikeBytes {
		a.known, a.used = map[shape]Record{}, 0
	}
	a.named++
	r.Alike = a.named
	a.known[s] = r
	a.used += size
}
