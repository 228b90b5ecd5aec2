package executor

import (
	"context"

	"github.com/carillon-project/carillon/store"
)

// able reports whether this node has a handler for the task.
func (l *line) able(task string) bool {
	_, ok := l.cfg.Handler(task)
	return ok
}

// served reports whether some live node of the executor has a handler for the task, and logs when that changes:
// runs of a task that no such node serves wait, so the log is the first to tell of it.
func (l *line) served(task string) bool {
	ok := l.cfg.Served(task)
	switch {
	case ok && l.lacking[task]:
		delete(l.lacking, task)
		l.log.Info("a node of the executor serves the task again", "task", task)
	case !ok && !l.lacking[task] && len(l.lacking) < reportedLimit:
		l.lacking[task] = true
		l.log.Warn("no live node of the executor serves the task, its runs wait until one does or their grace ends", "task", task,
			"remedy", "start a node with this executor that handles the task, or end them with: carillon run cancel --task "+task)
	}
	return ok
}

// lacks reports whether the entry holds a task that this node has no handler for.
func (l *line) lacks(o opened) bool {
	for i := range o.messages {
		if !l.able(o.messages[i].Task) {
			return true
		}
	}
	return false
}

// postpone puts off the messages whose task this node lacks, and puts the rest of the entry back.
func (l *line) postpone(ctx context.Context, o opened) error {
	var off, back []store.Message
	for _, m := range o.messages {
		if l.able(m.Task) {
			back = append(back, m)
			continue
		}
		off = append(off, m)
	}
	return l.queue.Postpone(ctx, l.consumer, o.id, l.delay(), off, back)
}
