package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// script is one Lua file with its contract: how many keys it takes, which parts it begins with,
// and whether it must work when Redis is out of memory.
type script struct {
	name    string
	keys    int  // fixed keys
	perItem int  // keys per item after those; 0 = no more
	waits   bool // for replicas, see acknowledged

	source         string
	plain, flagged *redis.Script // for servers without and with "#!lua" flags
}

type part string

const (
	alone   part = ""          // the file as it is
	lib     part = "lib"       // lib.lua, messages.lua, then the file
	office  part = "lib+fence" // lib.lua, fence.lua, then the file
	room    part = "lib+taken+refused"
	ending  part = "lib+ends"
	refers  part = "lib+refer"
	fires   part = "lib+fence+refer+claim"
	shelf   part = "lib+past"
	counts  part = "lib+fence+holders"
	counted part = "holders" // without lib
)

func newScript(name string, begins part, keys, perItem int) *script {
	var src strings.Builder
	if begins != alone && begins != counted {
		src.WriteString(luaFile("lib"))
		src.WriteString(luaFile("messages"))
	}
	if begins == office || begins == fires || begins == counts {
		src.WriteString(luaFile("fence"))
	}
	if begins == room {
		src.WriteString(luaFile("taken"))
		src.WriteString(luaFile("refused"))
	}
	if begins == ending {
		src.WriteString(luaFile("ends"))
	}
	if begins == refers || begins == fires {
		src.WriteString(luaFile("refer"))
	}
	if begins == fires {
		src.WriteString(luaFile("claim"))
	}
	if begins == counts || begins == counted {
		src.WriteString(luaFile("holders"))
	}
	if begins == shelf {
		src.WriteString(luaFile("past"))
	}
	src.WriteString(luaFile(name))
	return &script{
		name: name, keys: keys, perItem: perItem, source: src.String(),
		plain: redis.NewScript(src.String()), flagged: redis.NewScript("#!lua\n" + src.String()),
	}
}

// allowOOM marks a script that must work when Redis has no memory left: it gives memory back, or
// keeps what runs.
func (sc *script) allowOOM() *script {
	sc.flagged = redis.NewScript("#!lua flags=allow-oom\n" + sc.source)
	return sc
}

// readsOnly marks a script that writes nothing, so that no lack of memory refuses it.
func (sc *script) readsOnly() *script {
	sc.flagged = redis.NewScript("#!lua flags=no-writes\n" + sc.source)
	return sc
}

func luaFile(name string) string {
	b, err := fs.ReadFile(luaFiles, "lua/"+name+".lua")
	if err != nil {
		return "return redis.error_reply('ERR script " + name + " was not embedded')"
	}
	return string(b)
}

// Every script, with its arity. The contract of each stands at the head of its file.
var (
	initScript          = newScript("init", alone, 1, 0)
	addScript           = newScript("add", refers, 7, 0).acknowledged()
	updateScript        = newScript("update", refers, 8, 0).acknowledged()
	finishJobScript     = newScript("finish_job", refers, 7, 0).acknowledged()
	removeScript        = newScript("remove", refers, 9, 0).acknowledged()
	clearLineScript     = newScript("clear_line", lib, 7, 0).acknowledged()
	supersedeScript     = newScript("supersede", lib, 4, 1)
	enqueueScript       = newScript("enqueue", lib, 6, 0).acknowledged()
	enqueueNowScript    = newScript("enqueue_now", lib, 4, 1).acknowledged()
	withdrawScript      = newScript("withdraw", lib, 8, 0).acknowledged()
	retryScript         = newScript("retry", lib, 11, 0).acknowledged()
	backfillScript      = newScript("backfill", lib, 3, 1).acknowledged()
	lifeScript          = newScript("life", alone, 1, 0).acknowledged()
	linesScript         = newScript("lines", alone, 0, 1)
	pauseScript         = newScript("pause", lib, 3, 0).acknowledged()
	pauseExecutorScript = newScript("pause_executor", lib, 4, 0).acknowledged()
	handBackScript      = newScript("hand_back", alone, 1, 0)
	noteScript          = newScript("note", lib, 2, 0)
	outageScript        = newScript("outage", alone, 1, 0).allowOOM()
	cancelScript        = newScript("cancel", lib, 4, 0).acknowledged()
	nudgeScript         = newScript("nudge", lib, 3, 0)
	startScript         = newScript("start", room, 9, 4)
	startAllScript      = newScript("start_all", alone, 7, 1)
	postponeScript      = newScript("postpone", lib, 6, 0)
	stepOutScript       = newScript("step_out", lib, 10, 0)
	unservedScript      = newScript("unserved", office, 7, 1)
	settleScript        = newScript("settle", office, 5, 0)
	servingScript       = newScript("serving", office, 5, 0)
	cancelDelayedScript = newScript("cancel_delayed", lib, 6, 1).acknowledged()
	setAsideScript      = newScript("set_aside", lib, 4, 1)
	layAsideScript      = newScript("lay_aside", lib, 7, 2)
	nextScript          = newScript("next", lib, 12, 0)
	renewScript         = newScript("renew", alone, 2, 0).allowOOM()
	finishScript        = newScript("finish", ending, 11, 2).allowOOM()
	finishPlainScript   = newScript("finish_plain", shelf, 10, 1).allowOOM()
	dueScript           = newScript("due", alone, 7, 0).readsOnly()
	takeOfficeScript    = newScript("take_office", lib, 4, 0)
	dispatchScript      = newScript("dispatch", fires, 8, 1)
	parkScript          = newScript("park", office, 4, 0)
	backlogsScript      = newScript("backlogs", office, 4, 0)
	recoverScript       = newScript("recover", office, 7, 4)
	expireScript        = newScript("expire", office, 5, 1)
	clampScript         = newScript("clamp", office, 4, 0)
	promoteScript       = newScript("promote", office, 6, 2)
	reclaimScript       = newScript("reclaim", office, 4, 0)
	auditScript         = newScript("audit", counts, 4, 1)
	forgetScript        = newScript("forget", office, 7, 0)
	keepScript          = newScript("keep", office, 4, 0)
	tidyScript          = newScript("tidy", office, 3, 1)
	recallScript        = newScript("recall", alone, 0, 1).readsOnly()
	tallyScript         = newScript("tally", counted, 2, 1).readsOnly()
	followScript        = newScript("follow", office, 5, 0)
	mendCalendarsScript = newScript("mend_calendars", office, 4, 0)
	rezoneScript        = newScript("rezone", office, 5, 0)
	rolledBackScript    = newScript("rolled_back", office, 3, 0)
	acceptScript        = newScript("accept", alone, 1, 0)

	setCalendarScript    = newScript("set_calendar", lib, 4, 0)
	removeCalendarScript = newScript("remove_calendar", lib, 4, 0)
)

const (
	resends    = 4
	firstPause = 50 * time.Millisecond
)

// run calls a script and resends it, with the same keys and arguments, while its outcome is
// unknown: every script answers a repeat as it answered the first call, or refuses it harmlessly.
func (s *Store) run(ctx context.Context, sc *script, keys []string, args ...any) (any, error) {
	reply, _, err := s.runCounted(ctx, sc, keys, args...)
	return reply, err
}

// runCounted is run, and says whether it had to resend.
func (s *Store) runCounted(ctx context.Context, sc *script, keys []string, args ...any) (reply any, resent bool, err error) {
	if err := sc.check(len(keys)); err != nil {
		return nil, false, err
	}
	pause := firstPause
	for try := 1; ; try++ {
		reply, err := s.once(ctx, sc, keys, args)
		if err == nil || !resendable(err) || try > resends {
			return reply, try > 1, s.explain(sc.name, err)
		}
		s.askWhoServes()
		s.log.Debug("script outcome unknown, resending", "script", sc.name, "try", try, "error", err)
		if !wait(ctx, pause) {
			return nil, true, s.explain(sc.name, err)
		}
		pause *= 2
	}
}

func (sc *script) check(keys int) error {
	more := keys - sc.keys
	if more == 0 || (more > 0 && sc.perItem > 0 && more%sc.perItem == 0) {
		return nil
	}
	return fmt.Errorf("store: script %s: called with %d keys, takes %d and %d per item", sc.name, keys, sc.keys, sc.perItem)
}

func (s *Store) once(ctx context.Context, sc *script, keys []string, args []any) (any, error) {
	if sc.waits && s.cfg.WaitReplicas > 0 {
		return s.copied(ctx, sc, keys, args)
	}
	lua := s.dialect(sc)
	cmd := evalSha(ctx, lua.Hash(), keys, args)
	if err := s.writer.Process(ctx, cmd); err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		return lua.Eval(ctx, s.writer, keys, args...).Result()
	}
	return cmd.Result()
}

// evalSha is the command that go-redis would make of a call, without a copy of each key on the heap.
func evalSha(ctx context.Context, hash string, keys []string, args []any) *redis.Cmd {
	all := append(make([]any, 0, 3+len(keys)+len(args)), "evalsha", hash, len(keys))
	for i := range keys {
		if i == 0 {
			all = append(all, keys[i]) // a cluster client reads it
			continue
		}
		all = append(all, &keys[i])
	}
	cmd := redis.NewCmd(ctx, append(all, args...)...)
	if len(keys) > 0 {
		cmd.SetFirstKeyPos(3)
	}
	return cmd
}

// dialect is the script as the server understands it.
func (s *Store) dialect(sc *script) *redis.Script {
	if s.flags {
		return sc.flagged
	}
	return sc.plain
}

// resendable says whether the outcome is unknown, or known to be "not now".
func resendable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, redis.Nil) || errors.Is(err, redis.ErrClosed) {
		return false
	}
	if errors.Is(err, ErrNotReplicated) {
		return false
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		return true
	}
	for _, prefix := range []string{"LOADING", "BUSY ", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "MOVED", "ASK"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// explain gives a transport error a name and a remedy; server replies keep their text.
func (s *Store) explain(op string, err error) error {
	if err == nil {
		return nil
	}
	var reply redis.Error
	if errors.As(err, &reply) || errors.Is(err, context.Canceled) || errors.Is(err, ErrNotReplicated) {
		return fmt.Errorf("store %s: %s: %w", s.cfg.Name, op, err)
	}
	s.askWhoServes()
	return fmt.Errorf("store %s: %s: %w at %s; is it running, and is the address right? %w", s.cfg.Name, op, ErrUnreachable, s.address, err)
}

// askWhoServes has the clients of a Redis Cluster ask who has which slots: a master that is gone
// sends nobody to its successor, and the clients would ask by themselves after a minute only.
func (s *Store) askWhoServes() {
	for _, c := range []redis.UniversalClient{s.writer, s.reader, s.blocking} {
		if cluster, ok := c.(*redis.ClusterClient); ok {
			cluster.ReloadState(context.Background())
		}
	}
}

// tags reads a reply that is a list of texts, the form of most scripts.
func tags(reply any) []string {
	list, ok := reply.([]any)
	if !ok {
		if s, ok := reply.(string); ok {
			return []string{s}
		}
		return nil
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = text(v)
	}
	return out
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return fmt.Sprint(v)
	}
	return ""
}

// pair reads {tag, number}.
func pair(v any) (string, int) {
	list, ok := v.([]any)
	if !ok || len(list) < 2 {
		return "", 0
	}
	n := numbers{}
	return text(list[0]), int(n.read(text(list[1])))
}

// verdictOf reads a tag, and the number that may follow it.
func verdictOf(v any) (tag string, number int) {
	tag, rest, found := strings.Cut(text(v), " ")
	if !found {
		return tag, 0
	}
	n := numbers{}
	return tag, int(n.read(rest))
}
