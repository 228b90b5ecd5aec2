package memory

import (
	"fmt"
	"strconv"
)

// A reply is nil, a string, an int64, a status, a fault, a nilList, several or a []any of replies.
type (
	status  string
	fault   string   // begins with its kind, such as ERR; text without one is an ERR
	nilList struct{} // what a read without result answers
	several []any    // replies written one after another
)

const ok = status("OK")

func (f fault) Error() string { return string(f) }

// faultf is an ERR.
func faultf(format string, args ...any) fault { return fault("ERR " + fmt.Sprintf(format, args...)) }

const (
	wrongType = fault("WRONGTYPE Operation against a key holding the wrong kind of value")
	syntax    = fault("ERR syntax error")
	notNumber = fault("ERR value is not an integer or out of range")
)

// appendReply adds the wire form of a reply.
func appendReply(b []byte, reply any) []byte {
	line := func(kind byte, text string) []byte {
		return append(append(append(b, kind), text...), "\r\n"...)
	}
	switch v := reply.(type) {
	case nil:
		return line('$', "-1")
	case nilList:
		return line('*', "-1")
	case string:
		b = line('$', strconv.Itoa(len(v)))
		return append(append(b, v...), "\r\n"...)
	case int64:
		return line(':', strconv.FormatInt(v, 10))
	case status:
		return line('+', string(v))
	case fault:
		return line('-', string(v))
	case []any:
		b = line('*', strconv.Itoa(len(v)))
		for _, part := range v {
			b = appendReply(b, part)
		}
	case several:
		for _, part := range v {
			b = appendReply(b, part)
		}
	}
	return b
}

// texts makes a reply of strings.
func texts(all []string) []any {
	list := make([]any, len(all))
	for i, v := range all {
		list[i] = v
	}
	return list
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
