package webhook_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/carillon-project/carillon/executor/webhook"
)

func TestClosedTargetsAreNeverContacted(t *testing.T) {
	url, requests := receiver(t, nil)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, host string }{
		{"loopback", "127.0.0.1"},
		{"loopback by name", "localhost"},
		{"loopback, mapped", "[::ffff:127.0.0.1]"},
		{"loopback 6", "[::1]"},
		{"unspecified", "0.0.0.0"},
		{"unspecified 6", "[::]"},
		{"metadata", "169.254.169.254"},
		{"metadata, mapped", "[::ffff:169.254.169.254]"},
		{"private", "10.0.0.1"},
	}
	h := newHandler(t, webhook.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := h.Do(t.Context(), request(t, map[string]any{"url": "http://" + tt.host + ":" + port}))
			if !errors.Is(err, webhook.ErrAddressRefused) {
				t.Errorf("Do = %v, want ErrAddressRefused", err)
			}
		})
	}
	if len(requests) != 0 {
		t.Errorf("%d requests came through", len(requests))
	}
}

// TestRebindingNameIsJudgedWhereItIsDialled answers each lookup of one name with the next address,
// as an attacker's name server does to pass a check made on an earlier answer.
func TestRebindingNameIsJudgedWhereItIsDialled(t *testing.T) {
	url, requests := receiver(t, nil)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	names := newNameServer(t, "127.0.0.2", "127.0.0.1")
	open := []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	h := newHandler(t, webhook.Config{Allow: open, Resolver: names})
	target := map[string]any{"url": "http://rebind.test:" + port}
	// The first address is open, though nobody listens there.
	if err := h.Do(t.Context(), request(t, target)); err == nil || errors.Is(err, webhook.ErrAddressRefused) {
		t.Errorf("first address: Do = %v, want a failure to connect", err)
	}
	if err := h.Do(t.Context(), request(t, target)); !errors.Is(err, webhook.ErrAddressRefused) {
		t.Errorf("second address: Do = %v, want ErrAddressRefused", err)
	}
	if len(requests) != 0 {
		t.Errorf("%d requests came through", len(requests))
	}
}

// newNameServer resolves every name to one of addrs, the next at each lookup, the last for ever.
func newNameServer(t *testing.T, addrs ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		answerLookups(conn, addrs)
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func answerLookups(conn net.PacketConn, addrs []string) {
	buf := make([]byte, 1500)
	lookups := 0
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var message dnsmessage.Message
		if err := message.Unpack(buf[:n]); err != nil {
			continue
		}
		question := message.Questions[0]
		answer := dnsmessage.Message{Header: dnsmessage.Header{ID: message.ID, Response: true}, Questions: message.Questions}
		if question.Type == dnsmessage.TypeA {
			addr := netip.MustParseAddr(addrs[min(lookups, len(addrs)-1)])
			lookups++
			answer.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
				Body:   &dnsmessage.AResource{A: addr.As4()},
			}}
		}
		packed, err := answer.Pack()
		if err != nil {
			return
		}
		_, _ = conn.WriteTo(packed, from)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var reached atomic.Bool
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer inner.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inner.URL, code) })
		err := newHandler(t, webhook.Config{Allow: loopback}).Do(t.Context(), request(t, map[string]any{"url": url}))
		var status *webhook.StatusError
		if !errors.As(err, &status) || status.Code != code || !strings.Contains(err.Error(), "not followed") {
			t.Errorf("%d: Do = %v, want a StatusError that says so", code, err)
		}
	}
	if reached.Load() {
		t.Error("a redirect was followed")
	}
}

// TestProxyOfTheEnvironmentIsIgnored runs itself in a process of its own, since net/http reads the
// environment once.
func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	if os.Getenv("HTTP_PROXY") == "" {
		proxy, requests := receiver(t, nil)
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyOfTheEnvironmentIsIgnored$")
		child.Env = append(os.Environ(), "HTTP_PROXY="+proxy)
		if output, err := child.CombinedOutput(); err != nil {
			t.Errorf("with a proxy in the environment: %v\n%s", err, output)
		}
		if len(requests) != 0 {
			t.Errorf("%d requests went to the proxy", len(requests))
		}
		return
	}
	err := newHandler(t, webhook.Config{Allow: loopback}).Do(t.Context(), request(t, map[string]any{"url": "http://10.1.2.3/"}))
	if !errors.Is(err, webhook.ErrAddressRefused) {
		t.Errorf("Do = %v, want ErrAddressRefused", err)
	}
}

func TestArgumentsThatAreRefused(t *testing.T) {
	tests := []struct{ name, args, want string }{
		{"nothing", ``, "EOF"},
		{"no url", `{}`, "url: missing"},
		{"unknown name", `{"url":"http://h/","bdoy":1}`, "bdoy"},
		{"text behind", `{"url":"http://h/"} {}`, "text after"},
		{"wrong type", `{"url":["http://h/"]}`, "cannot unmarshal"},
		{"file", `{"url":"file:///etc/passwd"}`, "scheme"},
		{"no scheme", `{"url":"//h/"}`, "scheme"},
		{"no host", `{"url":"http:///x"}`, "no host"},
		{"not a url, hiding its text", `{"url":"http://u:hunter2/x@h/"}`, "not a url"},
		{"credentials", `{"url":"http://u:hunter2@h/"}`, "credentials"},
		{"method", `{"url":"http://h/","method":"CONNECT"}`, "CONNECT"},
		{"method in lower case", `{"url":"http://h/","method":"post"}`, "post"},
		{"body with GET", `{"url":"http://h/","method":"GET","body":1}`, "carries no body"},
		{"our id", `{"url":"http://h/","headers":{"webhook-id":"x"}}`, "cannot be set"},
		{"our signature", `{"url":"http://h/","headers":{"WebHook-Signature":"x"}}`, "cannot be set"},
		{"our run data", `{"url":"http://h/","headers":{"Carillon-Job-Id":"x"}}`, "cannot be set"},
		{"host", `{"url":"http://h/","headers":{"Host":"x"}}`, "cannot be set"},
		{"framing", `{"url":"http://h/","headers":{"Transfer-Encoding":"chunked"}}`, "cannot be set"},
		{"proxy credentials", `{"url":"http://h/","headers":{"Proxy-Authorization":"x"}}`, "cannot be set"},
		{"name with a colon", `{"url":"http://h/","headers":{"X:y":"x"}}`, "not a header name"},
		{"empty name", `{"url":"http://h/","headers":{"":"x"}}`, "not a header name"},
		{"value with a line break", `{"url":"http://h/","headers":{"X":"hunter2\r\nWebhook-Id: 1"}}`, "control character"},
		{"one name twice", `{"url":"http://h/","headers":{"x-a":"1","X-A":"2"}}`, "twice"},
		{"too much", `{"url":"http://h/","headers":{"X":"` + strings.Repeat("a", 40_000) + `"}}`, "more than"},
	}
	h := newHandler(t, webhook.Config{Allow: loopback})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := request(t, nil)
			req.Args = []byte(tt.args)
			err := h.Do(t.Context(), req)
			if !errors.Is(err, webhook.ErrInvalidArgs) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Do = %v, want ErrInvalidArgs with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q shows a secret", err)
			}
		})
	}
}

// TestSignature holds the worked example of the Standard Webhooks reference libraries.
func TestSignature(t *testing.T) {
	url, requests := receiver(t, nil)
	h := newHandler(t, webhook.Config{Allow: loopback, Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Now: standardTime})
	req := request(t, map[string]any{"url": url, "body": `{"test": 2432232314}`})
	req.RunID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	if err := h.Do(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	got := (<-requests).header.Get("Webhook-Signature")
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("webhook-signature = %q, want %q", got, want)
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	req := request(t, map[string]any{"url": server.URL})
	var unknown x509.UnknownAuthorityError
	if err := newHandler(t, webhook.Config{Allow: loopback}).Do(t.Context(), req); !errors.As(err, &unknown) {
		t.Errorf("unknown authority: Do = %v, want it refused", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	if err := newHandler(t, webhook.Config{Allow: loopback, RootCAs: pool}).Do(t.Context(), req); err != nil {
		t.Errorf("known authority: Do = %v", err)
	}
}
