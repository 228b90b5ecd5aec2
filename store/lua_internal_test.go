package store

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// parts are the scripts that others begin with.
var parts = map[string]int{"lib": 100, "messages": 60, "taken": 50, "refused": 50, "ends": 70, "fence": 80, "refer": 40, "claim": 50, "past": 60, "holders": 40}

var allScripts = []*script{
	initScript, addScript, updateScript, finishJobScript, removeScript, clearLineScript, supersedeScript, enqueueScript, enqueueNowScript, pauseScript, noteScript, cancelScript, nudgeScript,
	withdrawScript, retryScript, backfillScript, lifeScript, linesScript, pauseExecutorScript, handBackScript, startScript, startAllScript, postponeScript, setAsideScript, nextScript, renewScript, finishScript, finishPlainScript, dueScript, takeOfficeScript, dispatchScript, parkScript,
	recoverScript, expireScript, clampScript, promoteScript, reclaimScript, auditScript, forgetScript, keepScript, tidyScript, recallScript, tallyScript, setCalendarScript, removeCalendarScript, followScript,
	rolledBackScript, acceptScript, rezoneScript,
	layAsideScript, mendCalendarsScript, backlogsScript, outageScript,
	stepOutScript, unservedScript, settleScript, servingScript, cancelDelayedScript,
}

func TestScriptsAreShortAndUsed(t *testing.T) {
	files, err := luaFiles.ReadDir("lua")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, sc := range allScripts {
		used[sc.name] = true
	}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".lua")
		limit, part := parts[name]
		if !part {
			limit = 80
		}
		if n := strings.Count(luaFile(name), "\n"); n > limit {
			t.Errorf("%s has %d lines, at most %d are allowed", f.Name(), n, limit)
		}
		if !part && !used[name] {
			t.Errorf("%s is no script", f.Name())
		}
		if !strings.HasPrefix(luaFile(name), "-- "+name+": ") {
			t.Errorf("%s does not begin with its contract", f.Name())
		}
	}
}

var (
	calls    = regexp.MustCompile(`redis\.p?call\('([A-Z]+)'(?:, '([A-Z]+)')?, ?([^,)]+)`)
	keyIndex = regexp.MustCompile(`KEYS\[(\d+)\]`)
	// keyVars are the locals and parameters that hold an element of KEYS, file by file.
	keyVars = map[string]map[string]bool{
		"lib":      {"key": true},
		"due":      {"key": true},
		"dispatch": {"stream": true, "keys[k]": true, "unpack(keys": true},
		"refused":  {"keyLine": true, "keyRuns": true},
		"taken":    {"unpack(slots": true, "unpack(counts": true, "unpack(ones": true},
		"ends":     {"unpack(slots": true},
		"finish":   {"unpack(set": true, "unpack(free": true},
		"audit":    {"key": true},
		"tidy":     {"key": true},
		"lines":    {"key": true},
		"holders":  {"events": true, "running": true},
		"refer":    {"calendars": true, "index": true},

		"enqueue_now": {"unpack(KEYS": true},
		"start_all":   {"unpack(KEYS": true, "unpack(counts": true, "unpack(ones": true},

		"finish_plain": {"unpack(KEYS": true, "unpack(set": true, "unpack(free": true},
		"past":         {"unpack(KEYS": true, "key": true, "day": true},
		"recall":       {"key": true},
	}
	noKey = map[string]bool{"TIME": true, "PUBLISH": true}
)

// A key that is not among KEYS would work on one server and break in Redis Cluster.
func TestScriptsUseDeclaredKeysOnly(t *testing.T) {
	for name := range scriptSources(t) {
		n := 0
		for _, call := range calls.FindAllStringSubmatch(luaFile(name), -1) {
			n++
			if noKey[call[1]] {
				continue
			}
			if key := strings.TrimSpace(call[3]); !strings.HasPrefix(key, "KEYS[") && !keyVars[name][key] {
				t.Errorf("%s: %s is called with %q, which is not known to be one of KEYS", name, call[1], key)
			}
		}
		if total := strings.Count(luaFile(name), "redis.call(") + strings.Count(luaFile(name), "redis.pcall("); total != n+strings.Count(luaFile(name), "redis.call('TIME')") {
			t.Errorf("%s: %d of %d calls were understood", name, n, total)
		}
		if strings.Contains(luaFile(name), "KEYS[1] ..") || strings.Contains(luaFile(name), ".. KEYS") {
			t.Errorf("%s builds a key", name)
		}
	}
}

func scriptSources(t *testing.T) map[string]string {
	t.Helper()
	files, err := luaFiles.ReadDir("lua")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".lua")
		all[name] = luaFile(name)
	}
	return all
}

// The highest key that a script names is the last of its fixed ones, and no fixed one is unused by
// the code and its contract alike.
func TestScriptsNameTheirFixedKeys(t *testing.T) {
	for _, sc := range allScripts {
		highest := 0
		for _, m := range keyIndex.FindAllStringSubmatch(sc.source, -1) {
			i, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			highest = max(highest, i)
		}
		if highest > sc.keys {
			t.Errorf("%s names KEYS[%d] and takes %d fixed keys", sc.name, highest, sc.keys)
		}
	}
}

func TestScriptsUseNothingThatDiffersBetweenServers(t *testing.T) {
	banned := []string{"cmsgpack", "struct.", "bit.", "SPUBLISH", "cjson", "redis.setresp", "math.random", "os.", "redis.log"}
	for name, source := range scriptSources(t) {
		for _, word := range banned {
			if strings.Contains(source, word) {
				t.Errorf("%s uses %s", name, word)
			}
		}
	}
}
