package store

import "context"

const (
	tidyPage   = 500 // jobs whose histories one call of Tidy looks at, at least
	tidyRounds = 720 // calls within which it has been with all jobs
)

// Tidy forgets what is beyond Config.EventAge and Config.HistoryAge in a partition: events, and rows in
// the histories of ad-hoc runs of tasks and of a page of its jobs; the newest row of each stays. A day's
// rows of jobs that were gone are forgotten once all are beyond Config.HistoryTTL. cursor is 0 or what the
// call before returned, which goes on where that left off: after some hundred calls each job that stood
// all the while has been looked at, however many there are. forgotten counts events and rows.
func (s *Store) Tidy(ctx context.Context, partition int, o Office, tasks []string, cursor uint64) (next uint64, forgotten int64, err error) {
	k := s.partitions[partition]
	all, err := s.reader.HLen(ctx, k.jobs()).Result()
	if err != nil {
		return cursor, 0, s.explain("tidy", err)
	}
	fields, next, err := s.reader.HScan(ctx, k.jobs(), cursor, "", max(tidyPage, all/tidyRounds)).Result()
	if err != nil {
		return cursor, 0, s.explain("tidy", err)
	}
	first, last := s.ending()
	days := k.daysFrom(first, last)
	keys := append([]string{k.events(), k.jobs(), k.fence()}, days...)
	for _, task := range tasks {
		keys = append(keys, k.history("@"+task))
	}
	for i := 0; i < len(fields); i += 2 {
		keys = append(keys, k.history(fields[i]))
	}
	t, err := s.office(ctx, tidyScript, o, keys, s.cfg.EventAge.Milliseconds(), s.cfg.HistoryAge.Milliseconds(),
		len(days), last)
	if err != nil {
		return cursor, 0, err
	}
	v := numbers{}
	return next, v.read(t[0]) + v.read(t[1]), v.unreadable("tidy")
}
