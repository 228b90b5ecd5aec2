package memory

import (
	"bufio"
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

func writeReply(w *bufio.Writer, reply any) {
	number := func(kind byte, n int) {
		w.WriteByte(kind)
		w.WriteString(strconv.Itoa(n))
		w.WriteString("\r\n")
	}
	line := func(kind byte, text string) {
		w.WriteByte(kind)
		w.WriteString(text)
		w.WriteString("\r\n")
	}
	switch v := reply.(type) {
	case nil:
		line('$', "-1")
	case nilList:
		line('*', "-1")
	case string:
		number('$', len(v))
		w.WriteString(v)
		w.WriteString("\r\n")
	case int64:
		number(':', int(v))
	case status:
		line('+', string(v))
	case fault:
		line('-', string(v))
	case []any:
		number('*', len(v))
		for _, part := range v {
			writeReply(w, part)
		}
	case several:
		for _, part := range v {
			writeReply(w, part)
		}
	}
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
