package store

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestTheClientLibraryTalksToTheLoggerOfAnOpenStore(t *testing.T) {
	var library talk
	library.once.Do(func() {}) // it is not put before the library here
	var first, second bytes.Buffer
	opened := func(b *bytes.Buffer) *Store {
		return &Store{log: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: b})}
	}
	one, two := opened(&first), opened(&second)
	say := func(text string) { library.Printf(t.Context(), "%s to %d", text, 7) }
	say("nobody")
	library.to(one)
	library.to(two)
	say("latest")
	library.noMore(two)
	library.noMore(two)
	say("remaining")
	library.noMore(one)
	say("nobody again")
	if got := second.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `[DEBUG] redis client: says="latest to 7"`) {
		t.Errorf("the latest heard %q", got)
	}
	if got := first.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "remaining to 7") {
		t.Errorf("the one that remained heard %q", got)
	}
}

func TestOpenTakesTheLibraryOffStandardError(t *testing.T) {
	var heard bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: &heard})
	_, err := Open(t.Context(), Config{URL: "redis://127.0.0.1:1", Logger: log})
	if !errors.Is(err, ErrUnreachable) {
		t.Fatal(err)
	}
	if !strings.Contains(heard.String(), "redis client: says=") {
		t.Errorf("the logger heard %q", heard.String())
	}
	told.mu.Lock()
	defer told.mu.Unlock()
	if len(told.open) != 0 {
		t.Error("a store that was not opened is still told")
	}
}
