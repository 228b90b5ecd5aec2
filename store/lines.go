package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// LinesLimit is how many lines are kept of one run, the latest.
const LinesLimit = 1000

// Line is one line that a handler wrote. Its text is kept on one line, up to 2,000 bytes.
type Line struct {
	RunID    string
	Attempt  int       // from 1
	Number   int       // from 1, by attempt
	Time     time.Time // by the clock of the node, to the millisecond
	Level    string    // "info", "warn", "error" or "progress"
	Fraction float64   // of a progress line, from 0 to 1
	Text     string
}

// linesBatch is how many lines one call of the script keeps.
const linesBatch = 500

// Keep keeps lines, those of one run in the order of their attempts and numbers. A line that is kept
// already is not kept twice, and one that comes after lines of a later attempt is dropped. They
// live as long as the history of a job that is gone. After an error some may be kept.
func (s *Store) Keep(ctx context.Context, lines []Line) error {
	byPartition := map[int][]Line{}
	for _, l := range lines {
		p := s.PartitionOf(l.RunID)
		byPartition[p] = append(byPartition[p], l)
	}
	for p, all := range byPartition {
		for some := range slices.Chunk(all, linesBatch) {
			if err := s.keepSome(ctx, s.partitions[p], some); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) keepSome(ctx context.Context, k keys, lines []Line) error {
	var keys []string
	index := map[string]int{}
	args := []any{LinesLimit, int64(s.cfg.HistoryTTL.Seconds())}
	for _, l := range lines {
		key := k.log(l.RunID)
		if index[key] == 0 {
			keys = append(keys, key)
			index[key] = len(keys)
		}
		args = append(args, index[key], fmt.Sprintf("%d-%d", l.Attempt, l.Number), encodeLine(l))
	}
	_, err := s.run(ctx, linesScript, keys, args...)
	return err
}

// encodeLine is the stored form: tab-separated ms, level, fraction, text.
func encodeLine(l Line) string {
	return strings.Join([]string{
		strconv.FormatInt(l.Time.UnixMilli(), 10), l.Level, strconv.FormatFloat(l.Fraction, 'g', -1, 64), clean(l.Text),
	}, "\t")
}

func decodeLine(runID string, entry redis.XMessage) (Line, error) {
	attempt, number, _ := strings.Cut(entry.ID, "-")
	f := strings.SplitN(text(entry.Values["l"]), "\t", 4)
	if len(f) != 4 {
		return Line{}, fmt.Errorf("store: line: %w: %d fields", ErrUnreadable, len(f))
	}
	n := numbers{}
	fraction, err := strconv.ParseFloat(f[2], 64)
	n.note(err)
	return Line{
		RunID: runID, Attempt: n.count(attempt), Number: n.count(number), Time: time.UnixMilli(n.read(f[0])).UTC(),
		Level: f[1], Fraction: fraction, Text: f[3],
	}, n.unreadable("line")
}

// Lines returns the lines of a run that come after the cursor, and the cursor after them; "" is the
// beginning of what is kept. When there are none it waits up to block for one (0 = it does not
// wait). A run without lines, or that never was, has none.
func (s *Store) Lines(ctx context.Context, runID, after string, block time.Duration) ([]Line, string, error) {
	if after == "" {
		after = "0-0"
	}
	client := s.reader
	if block >= time.Millisecond {
		client = s.blocking
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, block+2*time.Second)
		defer cancel()
	} else {
		block = -1 // BLOCK 0 would wait for ever
	}
	key := s.partitions[s.PartitionOf(runID)].log(runID)
	got, err := client.XRead(ctx, &redis.XReadArgs{Streams: []string{key, after}, Count: LinesLimit, Block: block}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, after, nil
	}
	if err != nil {
		return nil, after, s.explain("lines", err)
	}
	var lines []Line
	for _, entry := range got[0].Messages {
		after = entry.ID
		l, err := decodeLine(runID, entry)
		if err != nil {
			s.warnOnce("line cannot be read, left out", key, entry.ID, "run", runID, "line", entry.ID, "error", err)
			continue
		}
		lines = append(lines, l)
	}
	return lines, after, nil
}
