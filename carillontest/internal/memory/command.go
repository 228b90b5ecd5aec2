package memory

import (
	"strconv"
	"strings"
	"time"
)

// command carries out one command on the server; args are without its name. It may panic with a
// fault, which is its answer then.
type command struct {
	least int // arguments
	run   func(s *Server, args []string) any
}

// commands are those that the store and its conformance suite use.
var commands map[string]command

func init() {
	commands = map[string]command{}
	for _, table := range []map[string]command{serverCommands, keyCommands, hashCommands, setCommands, sortedCommands, streamCommands} {
		for name, c := range table {
			commands[name] = c
		}
	}
}

// do carries out a command. It needs the lock.
func (s *Server) do(args []string) (reply any) {
	defer func() {
		if f, is := recover().(fault); is {
			reply = f
		}
	}()
	c, known := commands[strings.ToUpper(args[0])]
	if !known {
		return faultf("unknown command '%s'", args[0])
	}
	if len(args)-1 < c.least {
		return faultf("wrong number of arguments for '%s' command", strings.ToLower(args[0]))
	}
	return c.run(s, args[1:])
}

var serverCommands = map[string]command{
	"PING":   {0, func(*Server, []string) any { return status("PONG") }},
	"SELECT": {1, func(*Server, []string) any { return ok }},
	"INFO": {0, func(*Server, []string) any {
		return "redis_version:7.0.0\r\nrole:master\r\naof_enabled:1\r\n"
	}},
	"CONFIG": {2, func(_ *Server, args []string) any {
		return []any{args[1], "noeviction"}
	}},
	"TIME": {0, func(s *Server, _ []string) any {
		now := s.now()
		return []any{strconv.FormatInt(now.Unix(), 10), strconv.Itoa(now.Nanosecond() / 1000)}
	}},
	"PUBLISH": {2, func(s *Server, args []string) any { return s.publish(args[0], args[1]) }},
	"EVAL":    {2, (*Server).eval},
	"EVALSHA": {2, (*Server).evalKnown},
	"SCRIPT":  {1, (*Server).script},
}

func millis(t time.Time) int64 { return t.UnixMilli() }

// integer reads an argument that must be one.
func integer(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(notNumber)
	}
	return n
}
