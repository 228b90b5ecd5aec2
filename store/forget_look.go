package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// look reads the next messages of the pass and returns the uids that they refer to. A cursor of a hash means
// nothing in another process of Redis: the messages are all looked through again then.
func (f *Forgetting) look(ctx context.Context, st forgetState) (uids map[string]bool, next forgetState, err error) {
	uids = map[string]bool{}
	switch st.phase {
	case forgetRunning:
		next, err = f.scan(ctx, f.k.running(), st, forgetStreams, func(value string) {
			_, body, _ := strings.Cut(value, "\n")
			refer(uids, body)
		})
	case forgetStreams:
		next, err = f.lookStream(ctx, st, uids)
	case forgetDelayed:
		next, err = f.scan(ctx, f.k.delayedRuns(), st, forgetLines, func(body string) { refer(uids, body) })
	default:
		next, err = f.lookLines(ctx, st, uids)
	}
	if err != nil {
		return nil, st, err
	}
	life, err := f.s.life(ctx, f.k)
	if err == nil && life != st.life {
		f.places = nil
		next = st.to(forgetRunning)
		next.life = life
	}
	return uids, next, err
}

// scan reads one page of the values of a hash. After the last the state is that of the next phase.
func (f *Forgetting) scan(ctx context.Context, key string, st forgetState, phase string, see func(value string)) (forgetState, error) {
	cursor, err := strconv.ParseUint(st.at, 10, 64)
	if err != nil {
		cursor = 0
	}
	pairs, cursor, err := f.s.reader.HScan(ctx, key, cursor, "", int64(f.count)).Result()
	if wrongType(err) {
		return st.to(phase), nil
	}
	if err != nil {
		return st, err
	}
	bytes := 0
	for i := 1; i < len(pairs); i += 2 {
		bytes += len(pairs[i])
		see(pairs[i])
	}
	f.adapt(bytes)
	if cursor == 0 {
		return st.to(phase), nil
	}
	return st.in(strconv.FormatUint(cursor, 10)), nil
}

// adapt chooses how many entries the next read asks for, after one of so many bytes.
func (f *Forgetting) adapt(bytes int) {
	switch {
	case bytes > forgetBytes:
		f.count = max(1, int(int64(f.count)*forgetBytes/int64(bytes)))
	case bytes < forgetBytes/4:
		f.count = min(2*f.count, f.batch)
	}
}

// lookStream reads one page of a stream, oldest first: a message that was put back meanwhile is at its end.
func (f *Forgetting) lookStream(ctx context.Context, st forgetState, uids map[string]bool) (forgetState, error) {
	if err := f.find(ctx); err != nil {
		return st, err
	}
	executor, last, found := strings.Cut(st.at, "\t")
	if !found || last == "" {
		i, done := slices.BinarySearch(f.places.streams, executor)
		if done && found {
			i++
		}
		if i == len(f.places.streams) {
			return st.to(forgetDelayed), nil
		}
		executor, last = f.places.streams[i], ""
	}
	from := "-"
	if last != "" {
		from = "(" + last
	}
	entries, err := f.s.reader.XRangeN(ctx, f.k.stream(executor), from, "+", int64(f.count)).Result()
	if err != nil && !wrongType(err) {
		return st, err
	}
	if len(entries) == 0 {
		return st.in(executor + "\t"), nil
	}
	bytes := 0
	for _, entry := range entries {
		for _, value := range entry.Values {
			bytes += len(text(value))
			refer(uids, text(value))
		}
	}
	f.adapt(bytes)
	return st.in(executor + "\t" + entries[len(entries)-1].ID), nil
}

// lookLines reads the messages of the next lines.
func (f *Forgetting) lookLines(ctx context.Context, st forgetState, uids map[string]bool) (forgetState, error) {
	if err := f.find(ctx); err != nil {
		return st, err
	}
	for seen := 0; seen < f.batch; {
		i, done := slices.BinarySearch(f.places.lines, st.at)
		if done {
			i++
		}
		if i == len(f.places.lines) {
			return st.to(forgetDead), nil
		}
		slot := f.places.lines[i]
		for line, more := (forgetState{}), true; more; more = line.at != "" {
			var err error
			if line, err = f.scan(ctx, f.k.waitingRuns(slot), line, "", func(body string) {
				seen++
				refer(uids, body)
			}); err != nil {
				return st, err
			}
		}
		seen++
		st = st.in(slot)
	}
	return st, nil
}

// find looks for the streams and lines, also those that no index names. One that is made later holds no message
// of a job that was removed before the pass.
func (f *Forgetting) find(ctx context.Context) error {
	if f.places != nil {
		return nil
	}
	server, err := f.s.serverOf(ctx, f.k)
	if err != nil {
		return err
	}
	var found places
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		var names []string
		if names, cursor, err = server.Scan(ctx, cursor, f.k.prefix+"[sw]*", 1000).Result(); err != nil {
			return err
		}
		for _, name := range names {
			if executor, ok := strings.CutPrefix(name, f.k.stream("")); ok {
				found.streams = append(found.streams, executor)
			} else if slot, ok := strings.CutPrefix(name, f.k.waitingRuns("")); ok {
				found.lines = append(found.lines, slot)
			}
		}
	}
	slices.Sort(found.streams)
	slices.Sort(found.lines)
	found.streams, found.lines = slices.Compact(found.streams), slices.Compact(found.lines)
	f.places = &found
	return nil
}

// wrongType reports whether a key holds something of another type, in which no node finds a message.
func wrongType(err error) bool { return redis.HasErrorPrefix(err, "WRONGTYPE") }

// stepDead notes which uids only the runs refer to that failed for good.
func (f *Forgetting) stepDead(ctx context.Context, o Office, stored string, st forgetState) error {
	uids, whole, err := f.lookDead(ctx)
	if err != nil {
		return f.s.explain("forget", err)
	}
	if !whole {
		return nil // the list changed too much meanwhile: the next step reads it again
	}
	_, err = f.call(ctx, o, step{stored: stored, next: st.to(forgetDrop), more: st, what: forgetDead, uids: slices.Sorted(maps.Keys(uids))})
	return err
}

// lookDead reads the list of dead runs page by page. What is put in front of it meanwhile moves the rest back,
// what is retried moves it forward, so each page but the first must hold the last run of the one before. whole
// is false when one does not.
func (f *Forgetting) lookDead(ctx context.Context) (uids map[string]bool, whole bool, err error) {
	uids = map[string]bool{}
	for from, last := int64(0), ""; ; {
		count := max(int64(f.count), 2)
		bodies, err := f.s.reader.LRange(ctx, f.k.dead(), from, from+count-1).Result()
		if err != nil && !wrongType(err) {
			return nil, false, err
		}
		if last != "" && !slices.Contains(bodies, last) {
			return nil, false, nil
		}
		bytes := 0
		for _, body := range bodies {
			bytes += len(body)
			if !strings.HasPrefix(body, unreadableMark) { // it cannot be retried
				refer(uids, body)
			}
		}
		f.adapt(bytes)
		if int64(len(bodies)) < count {
			return uids, true, nil
		}
		from, last = from+count-1, bodies[len(bodies)-1]
	}
}

// stepSlots forgets the old slots of jobs that were removed by an older node, or have finished.
func (f *Forgetting) stepSlots(ctx context.Context, o Office, stored string, st forgetState) (ForgetStep, error) {
	cursor, err := strconv.ParseUint(st.at, 10, 64)
	if err != nil {
		cursor = 0
	}
	pairs, cursor, err := f.s.reader.HScan(ctx, f.k.oldSlots(), cursor, "", int64(f.batch/2+1)).Result()
	if err != nil {
		return ForgetStep{}, f.s.explain("forget", err)
	}
	var gone []string
	for i := 0; i+1 < len(pairs); i += 2 {
		id, _, _ := strings.Cut(pairs[i+1], " ")
		value, err := f.s.reader.HGet(ctx, f.k.jobs(), id).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return ForgetStep{}, f.s.explain("forget", err)
		}
		if words := strings.SplitN(value, " ", 3); len(words) < 3 || words[1] != pairs[i] {
			gone = append(gone, pairs[i])
		}
	}
	next := st.in(strconv.FormatUint(cursor, 10))
	if cursor == 0 {
		next = st.to(forgetIdle)
		next.pass++
	}
	_, err = f.call(ctx, o, step{stored: stored, next: next, more: st, what: forgetSlots, uids: gone})
	return ForgetStep{Done: err == nil && cursor == 0}, err
}

// refer adds the uids that a message may refer to. A message of this format names its own. Of one that cannot
// be read, since a newer node wrote it, each word may be a uid: every format must have the uid in it as a word.
func refer(uids map[string]bool, body string) {
	const format, uid, fields = 0, 5, 7
	if strings.HasPrefix(body, nudgeMark) {
		return
	}
	head, _, _ := strings.Cut(body, "\n")
	if f := strings.SplitN(head, "\t", fields+1); len(f) > uid && f[format] == messageFormat {
		if f[uid] != "" {
			uids[f[uid]] = true
		}
		return
	}
	words := 0
	for word := range strings.FieldsFuncSeq(body[:min(len(body), foreignLimit)], func(c rune) bool {
		return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}) {
		if words++; words > foreignWords {
			return
		}
		uids[word] = true
	}
}

// How much of a message of another format is searched for uids: a header takes less.
const (
	foreignLimit = 4096
	foreignWords = 256
)
