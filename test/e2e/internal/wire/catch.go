package wire

import (
	"crypto/sha1"
	"encoding/hex"
	"regexp"
	"strings"
	"sync"
)

// Stage is where a call is caught.
type Stage int

// The stages of a call.
const (
	// Request is caught before the server sees it: it waits for Forward or Drop.
	Request Stage = iota
	// Reply is lost: the server has done the call, and the connection ends instead of its answer.
	Reply
)

// Catch is a trap for one call of one script.
type Catch struct {
	script  string
	stage   Stage
	sprung  chan struct{}
	once    sync.Once
	verdict chan bool // true = pass on
}

// Catch sets a trap for the next call of the script, by its name, that passes this relay.
func (r *Relay) Catch(script string, stage Stage) *Catch {
	c := &Catch{script: script, stage: stage, sprung: make(chan struct{}), verdict: make(chan bool, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.catches = append(r.catches, c)
	return c
}

// Sprung is closed when the call was caught.
func (c *Catch) Sprung() <-chan struct{} { return c.sprung }

// Forward lets a held request go on.
func (c *Catch) Forward() { c.once.Do(func() { c.verdict <- true }) }

// Drop ends the connection of a held request, which the server never sees.
func (c *Catch) Drop() { c.once.Do(func() { c.verdict <- false }) }

// Hold makes every call of the script wait, from now on, before the server sees it. The returned
// function lets all of them go on, also those whose callers have given up meanwhile: that is how late
// requests come. One script is held once at a time.
func (r *Relay) Hold(script string) (release func()) {
	open := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holds == nil {
		r.holds = map[string]chan struct{}{}
	}
	r.holds[script] = open
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.holds[script] == open {
			delete(r.holds, script)
			close(open)
		}
	}
}

// wait returns when no call of the script is held, or not any more.
func (r *Relay) wait(script string) {
	r.mu.Lock()
	open := r.holds[script]
	r.mu.Unlock()
	if open != nil {
		<-open
	}
}

// letGo ends every Hold.
func (r *Relay) letGo() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for script, open := range r.holds {
		delete(r.holds, script)
		close(open)
	}
}

// caught springs the trap that is set for the script, if there is one.
func (r *Relay) caught(script string, stage Stage) *Catch {
	if script == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, c := range r.catches {
		if c.script == script && c.stage == stage {
			r.catches = append(r.catches[:i:i], r.catches[i+1:]...)
			close(c.sprung)
			return c
		}
	}
	return nil
}

// Scripts knows scripts by the digest of their source. The zero value is ready for use.
type Scripts struct {
	mu    sync.Mutex
	names map[string]string
}

// head is the line that every file of a script begins with.
var head = regexp.MustCompile(`^-- ([a-z_]+): `)

// nameOf is the name in the last head of a source, which is the script's own: those before are of the
// parts it begins with, and a line within a comment is no head.
func nameOf(source string) (name string) {
	before := ""
	for line := range strings.Lines(source) {
		if found := head.FindStringSubmatch(line); found != nil && !strings.HasPrefix(before, "--") {
			name = found[1]
		}
		before = line
	}
	return name
}

// name returns the name of the script that a command calls, or "". It learns sources.
func (s *Scripts) name(args []string) string {
	if len(args) < 2 {
		return ""
	}
	switch strings.ToUpper(args[0]) {
	case "EVALSHA", "EVALSHA_RO":
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.names[strings.ToLower(args[1])]
	case "EVAL", "EVAL_RO":
		return s.learn(args[1])
	case "SCRIPT":
		if len(args) == 3 && strings.EqualFold(args[1], "LOAD") {
			s.learn(args[2])
		}
	}
	return ""
}

func (s *Scripts) learn(source string) string {
	name := nameOf(source)
	if name == "" {
		return ""
	}
	sum := sha1.Sum([]byte(source))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil {
		s.names = map[string]string{}
	}
	s.names[hex.EncodeToString(sum[:])] = name
	return name
}
