package store

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// stateErrors begin the answers by which Redis says that it, not the call, is in no state to be asked.
var stateErrors = []string{
	"LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "MOVED", "ASK", "OOM", "MISCONF", "NOREPLICAS",
	"NOAUTH", "WRONGPASS", "NOPERM", "UNKILLABLE", "EXECABORT", "ERR max number of clients",
}

// Answered reports whether err is an answer of Redis to the call itself, which asking again is unlikely to change:
// not that Redis was out of reach, or in a state in which it takes no such call.
func Answered(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return false
	}
	for _, state := range stateErrors {
		if strings.HasPrefix(reply.Error(), state) || strings.Contains(reply.Error(), "-"+state) {
			return false
		}
	}
	return true
}
