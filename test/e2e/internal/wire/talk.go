package wire

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"sync"
)

// talk is one connection through a relay.
type talk struct {
	relay     *Relay
	near, far net.Conn

	mu      sync.Mutex
	pending []string // the scripts, or "", of calls whose replies are to come
}

// requests passes what the client sends until either end is gone.
func (t *talk) requests() {
	if t.relay.scripts == nil {
		t.relay.copyAll(t.far, t.near)
		return
	}
	in := bufio.NewReaderSize(t.near, 64<<10)
	for {
		raw, args, err := readCommand(in)
		if err != nil {
			return
		}
		script := t.relay.scripts.name(args)
		if c := t.relay.caught(script, Request); c != nil && !<-c.verdict {
			return
		}
		t.relay.wait(script)
		t.relay.pass()
		if !answeredByPush(args) {
			t.mu.Lock()
			t.pending = append(t.pending, script)
			t.mu.Unlock()
		}
		if _, err := t.far.Write(raw); err != nil {
			return
		}
	}
}

// replies passes what the server answers until either end is gone, or a reply is to be lost.
func (t *talk) replies() {
	if t.relay.scripts == nil {
		t.relay.copyAll(t.near, t.far)
		return
	}
	in := bufio.NewReaderSize(t.far, 64<<10)
	for {
		var frame bytes.Buffer
		kind, err := readFrame(in, &frame)
		if err != nil {
			return
		}
		if kind != '>' {
			script := t.next()
			if script != "" && bytes.Contains(frame.Bytes(), []byte("\r\nFENCED\r\n")) {
				t.relay.refused()
			}
			if t.relay.caught(script, Reply) != nil {
				return
			}
		}
		t.relay.pass()
		if _, err := t.near.Write(frame.Bytes()); err != nil {
			return
		}
	}
}

// next is the script whose reply has come.
func (t *talk) next() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) == 0 {
		return ""
	}
	script := t.pending[0]
	t.pending = t.pending[1:]
	return script
}

// answeredByPush reports whether a command is answered by pushes alone.
func answeredByPush(args []string) bool {
	return len(args) > 0 && strings.HasSuffix(strings.ToUpper(args[0]), "SUBSCRIBE")
}

func (r *Relay) refused() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusals++
}

// Refusals is how many script calls were answered with FENCED so far.
func (r *Relay) Refusals() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refusals
}
