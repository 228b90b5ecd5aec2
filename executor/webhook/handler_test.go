package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/executor/webhook"
)

// loopback opens what the tests' own servers listen on.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// received is one request as a receiver saw it.
type received struct {
	method string
	header http.Header
	body   string
}

// receiver answers with what answer writes and hands over each request it saw.
func receiver(t *testing.T, answer http.HandlerFunc) (url string, requests <-chan received) {
	t.Helper()
	seen := make(chan received, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		seen <- received{r.Method, r.Header, string(body)}
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, seen
}

func newHandler(t *testing.T, config webhook.Config) *webhook.Handler {
	t.Helper()
	if config.Now == nil {
		config.Now = func() time.Time { return time.Unix(1_700_000_000, 0) }
	}
	h, err := webhook.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func request(t *testing.T, args map[string]any) webhook.Request {
	t.Helper()
	raw, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	return webhook.Request{
		Store: "default", JobID: "nightly", RunID: "8a1d1b9e-0000-5000-8000-000000000001",
		ScheduledTime: time.Date(2026, 3, 1, 3, 0, 0, 5_900_000, time.FixedZone("", 3600)),
		Attempt:       2, Args: raw,
	}
}

func TestPostsTheRun(t *testing.T) {
	url, requests := receiver(t, nil)
	h := newHandler(t, webhook.Config{Allow: loopback})
	err := h.Do(t.Context(), request(t, map[string]any{
		"url": url + "/in?a=1&b=2", "headers": map[string]string{"Authorization": "Bearer s3cret"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := <-requests
	want := `{"store":"default","job_id":"nightly","run_id":"8a1d1b9e-0000-5000-8000-000000000001",` +
		`"scheduled_time":"2026-03-01T02:00:00.005Z","attempt":2,"args":{"url":"` + url + `/in?a=1&b=2"}}`
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if got.method != http.MethodPost {
		t.Errorf("method = %s, want POST", got.method)
	}
	headers := map[string]string{
		"Authorization": "Bearer s3cret", "Content-Type": "application/json",
		"Webhook-Id": "8a1d1b9e-0000-5000-8000-000000000001", "Webhook-Timestamp": "1700000000",
		"Webhook-Signature": "", "Carillon-Attempt": "2", "Carillon-Scheduled-Time": "2026-03-01T02:00:00.005Z",
	}
	for name, want := range headers {
		if value := got.header.Get(name); value != want {
			t.Errorf("header %s = %q, want %q", name, value, want)
		}
	}
}

func TestBodies(t *testing.T) {
	tests := []struct {
		name, method, body string
		want, contentType  string
	}{
		{"object, byte for byte", "POST", `{"b" : 1,  "a":[1e2,"\u0041<"]}`, `{"b" : 1,  "a":[1e2,"\u0041<"]}`, "application/json"},
		{"string as its text", "PUT", `"line\n\"two\" é"`, "line\n\"two\" é", "text/plain; charset=utf-8"},
		{"empty string", "POST", `""`, "", "text/plain; charset=utf-8"},
		{"null", "PATCH", `null`, "null", "application/json"},
		{"number", "DELETE", `0.10`, "0.10", "application/json"},
		{"none for GET", "GET", ``, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, requests := receiver(t, nil)
			h := newHandler(t, webhook.Config{Allow: loopback})
			req := request(t, nil)
			req.JobID = "größe%{x}"
			req.Args = json.RawMessage(`{"url":"` + url + `","method":"` + tt.method + `"`)
			if tt.body != "" {
				req.Args = append(req.Args, `,"body":`+tt.body...)
			}
			req.Args = append(req.Args, '}')
			if err := h.Do(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			got := <-requests
			if got.method != tt.method || got.body != tt.want || got.header.Get("Content-Type") != tt.contentType {
				t.Errorf("got %s %q as %q, want %s %q as %q", got.method, got.body, got.header.Get("Content-Type"),
					tt.method, tt.want, tt.contentType)
			}
			if id := got.header.Get("Carillon-Job-Id"); id != "gr%C3%B6%C3%9Fe%25{x}" {
				t.Errorf("Carillon-Job-Id = %q", id)
			}
		})
	}
}

func TestAnswersThatFail(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		code   int
		want   string
	}{
		{"server error", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "out of paper", http.StatusServiceUnavailable)
		}, 503, "out of paper"},
		{"no body", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404, ""},
		{"long body is cut", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, strings.Repeat("é", 100_000))
		}, 500, strings.Repeat("é", 128)},
		{"not text", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = w.Write([]byte{'a', 0xff, 'b'})
		}, 500, "ab"},
		{"not modified", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, 304, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, _ := receiver(t, tt.answer)
			err := newHandler(t, webhook.Config{Allow: loopback}).Do(t.Context(), request(t, map[string]any{"url": url + "/secret"}))
			var status *webhook.StatusError
			if !errors.As(err, &status) {
				t.Fatalf("Do = %v, want a StatusError", err)
			}
			if status.Code != tt.code || status.Excerpt != tt.want {
				t.Errorf("Do = %d %q, want %d %q", status.Code, status.Excerpt, tt.code, tt.want)
			}
			if strings.Contains(err.Error(), "/secret") {
				t.Errorf("error %q shows the path", err)
			}
		})
	}
}

func TestEndsWithTheTimeoutOrTheContext(t *testing.T) {
	entered := make(chan struct{}, 2)
	url, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done() // the sender hangs up
	})

	h := newHandler(t, webhook.Config{Allow: loopback, Timeout: 20 * time.Millisecond})
	err := h.Do(t.Context(), request(t, map[string]any{"url": url}))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Errorf("Do = %v, want the timeout", err)
	}
	<-entered

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	err = newHandler(t, webhook.Config{Allow: loopback}).Do(ctx, request(t, map[string]any{"url": url}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v, want context.Canceled", err)
	}
}

func TestAnswerBeyondTheLimitIsNotRead(t *testing.T) {
	cut := make(chan struct{})
	url, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(cut)
		block := make([]byte, 64<<10)
		for {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	h := newHandler(t, webhook.Config{Allow: loopback, ResponseLimit: 1 << 10})
	if err := h.Do(t.Context(), request(t, map[string]any{"url": url})); err != nil {
		t.Errorf("Do = %v, want success by the status", err)
	}
	<-cut
}

func TestConfigurationThatIsRefused(t *testing.T) {
	tests := []struct {
		name   string
		config webhook.Config
		want   []string
	}{
		{"no prefix", webhook.Config{Secret: "c2VjcmV0LXZhbHVl"}, []string{"whsec_"}},
		{"not base64", webhook.Config{Secret: "whsec_?secret-value"}, []string{"not base64"}},
		{"too short", webhook.Config{Secret: "whsec_c2VjcmV0LXZhbHVl"}, []string{"12 bytes"}},
		{"all at once", webhook.Config{Timeout: -1, ResponseLimit: -1, IdlePerHost: -1, Allow: make([]netip.Prefix, 1)},
			[]string{"timeout", "response limit", "idle connections", "range 1 is not a valid prefix"}},
		{"mapped and too wide", webhook.Config{Allow: prefixes([]string{"::ffff:0:0/90"})}, []string{"at least 96 bits"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := webhook.New(tt.config)
			if err == nil {
				t.Fatal("New succeeded")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("New = %q, want %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "c2Vjc") || strings.Contains(err.Error(), "secret-value") {
				t.Errorf("error %q shows the secret", err)
			}
		})
	}
}
