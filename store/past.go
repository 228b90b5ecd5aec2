package store

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Rows of runs that ended while their job was gone stand together in one hash per day, by job, instead
// of a list each: see past.lua. Days are those of Redis' clock. A node or client guesses them by its own,
// and is told when it was wrong.

const dayMS = int64(24 * time.Hour / time.Millisecond)

// dayOf is the day of a time in Unix ms.
func dayOf(ms int64) int64 {
	day := ms / dayMS
	if ms%dayMS < 0 {
		day--
	}
	return day
}

// daysFrom are the keys of days that follow one another, the latest first.
func (k keys) daysFrom(first, last int64) []string {
	all := []string{}
	for day := last; day >= first; day-- {
		all = append(all, k.past(day))
	}
	return all
}

// today are the keys of the days that it may be in Redis, earliest first, and the first of them.
func (s *Store) today(k keys) (first int64, days []string) {
	day := dayOf(s.cfg.Now().UnixMilli())
	return day - 1, []string{k.past(day - 1), k.past(day), k.past(day + 1)}
}

// living are the days that can hold rows which are younger than HistoryTTL at a time in Unix ms.
func (s *Store) living(now int64) (first, last int64) {
	return dayOf(now - s.cfg.HistoryTTL.Milliseconds()), dayOf(now)
}

// ending are the days whose rows may all be older than HistoryTTL in Redis, and which may still be
// there: see the life that past.lua gives them.
func (s *Store) ending() (first, last int64) {
	day, life := dayOf(s.cfg.Now().UnixMilli()), (s.cfg.HistoryTTL.Milliseconds()+dayMS-1)/dayMS
	return day - life - 4, day - life + 1
}

// rows returns the stored rows of a job in a partition, newest first: up to limit of its list, 0 = all, and
// those of days. The latter are left out once they are older than HistoryTTL, as if they had that life.
func (s *Store) rows(ctx context.Context, k keys, jobID string, limit int) ([]string, error) {
	if strings.HasPrefix(jobID, "@") {
		lines, err := s.reader.LRange(ctx, k.history(jobID), 0, int64(limit)-1).Result()
		return lines, s.explain("history", err)
	}
	now := s.cfg.Now().UnixMilli()
	for {
		first, last := s.living(now)
		var list *redis.StringSliceCmd
		var past *redis.Cmd
		_, err := s.reader.Pipelined(ctx, func(p redis.Pipeliner) error {
			list = p.LRange(ctx, k.history(jobID), 0, int64(limit)-1)
			past = s.dialect(recallScript).Eval(ctx, p, k.daysFrom(first, last), jobID)
			return nil
		})
		if err != nil {
			return nil, s.explain("history", err)
		}
		n, found := numbers{}, tags(past.Val())
		if now = n.read(found[0]); n.unreadable("history") != nil {
			return nil, n.unreadable("history")
		}
		if f, l := s.living(now); f == first && l == last {
			return s.merged(list.Val(), found[1:], now), nil
		}
	}
}

// merged adds to the rows of a list those of days that are young enough. Of rows that ended in one millisecond
// those of the list come first: as a rule a list that is there takes all rows.
func (s *Store) merged(list, past []string, now int64) []string {
	past = slices.DeleteFunc(past, func(row string) bool { return finishedAt(row) <= now-s.cfg.HistoryTTL.Milliseconds() })
	if len(past) == 0 {
		return list
	}
	all := slices.Concat(list, past)
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(finishedAt(b), finishedAt(a)) })
	return all
}

// finishedAt is when the run of a row ended, in Unix ms; 0 if that cannot be read.
func finishedAt(row string) int64 {
	_, rest, _ := strings.Cut(row, "\t")
	text, _, _ := strings.Cut(rest, "\t")
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return at
}
