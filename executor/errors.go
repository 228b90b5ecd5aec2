package executor

import "errors"

// Why the context of a handler ended: context.Cause returns one of these.
var (
	ErrLeaseLost = errors.New("executor: lease lost: another node may run this now")
	ErrCancelled = errors.New("executor: cancelled on request")
	ErrTimeout   = errors.New("executor: timeout of the job has passed")
	ErrShutdown  = errors.New("executor: node shutdown")
)

// errNotBegun is the error of a run that has started in the store but not here, since the node goes.
var errNotBegun = errors.New("not begun")

// errExited is the error of a handler that ended its goroutine instead of returning.
var errExited = errors.New("handler called runtime.Goexit")

type permanentError struct{ error }

// Unwrap lets errors.Is and errors.As see the error within.
func (e permanentError) Unwrap() error { return e.error }

// Permanent wraps an error that no further attempt can mend: a run that ends with it is not tried
// again, whatever its job says. The text stays as it is. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

// IsPermanent reports whether err or one that it wraps came from Permanent.
func IsPermanent(err error) bool {
	var p permanentError
	return errors.As(err, &p)
}
