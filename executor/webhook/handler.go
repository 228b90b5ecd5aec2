package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Defaults of Config.
const (
	DefaultTimeout       = 30 * time.Second
	DefaultResponseLimit = 64 << 10
	DefaultIdlePerHost   = 32
)

// excerptLimit bounds what an error quotes of an answer, in bytes.
const excerptLimit = 256

// Config says how deliveries are made. The zero value works: it reaches public addresses and does
// not sign.
type Config struct {
	// Allow opens addresses that are closed by default, on all their ports.
	Allow []netip.Prefix
	// Secret signs deliveries, in the form whsec_<base64> with at least 24 bytes. Empty: unsigned.
	Secret string
	// Timeout bounds one delivery from the lookup of the name to the end of the answer. Zero means
	// DefaultTimeout; less is refused.
	Timeout time.Duration
	// ResponseLimit is how much of an answer is read, in bytes; the rest is dropped with its
	// connection. Zero means DefaultResponseLimit.
	ResponseLimit int64
	// IdlePerHost is how many idle connections are kept for one host. Zero means
	// DefaultIdlePerHost.
	IdlePerHost int
	// Resolver looks names up. Nil means net.DefaultResolver.
	Resolver *net.Resolver
	// RootCAs are trusted to sign certificates of receivers. Nil means those of the system.
	RootCAs *x509.CertPool
	// Now gives webhook-timestamp. Nil means time.Now.
	Now func() time.Time
}

// Request is one attempt of a run.
type Request struct {
	Store, JobID, RunID string
	ScheduledTime       time.Time
	Attempt             int
	// Args are {"url","method","headers","body"}; all but url are optional, the method is POST.
	Args json.RawMessage
}

// Handler delivers attempts. It is safe for concurrent use.
type Handler struct {
	client        *http.Client
	key           []byte
	timeout       time.Duration
	responseLimit int64
	now           func() time.Time
}

// StatusError is in the chain of the error of a delivery that was answered, but not with success.
type StatusError struct {
	// Code is the status of the answer.
	Code int
	// Excerpt is the beginning of its body, valid UTF-8 and at most 256 bytes.
	Excerpt string
}

// Error names the status and quotes the excerpt, if there is one.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("status %d", e.Code)
	if e.Code >= 300 && e.Code <= 399 {
		text += " (redirects are not followed)"
	}
	if e.Excerpt == "" {
		return text
	}
	return fmt.Sprintf("%s: %q", text, e.Excerpt)
}

// New returns a handler, or an error that reports every fault of config at once.
func New(config Config) (*Handler, error) {
	policy, policyErr := newAddressPolicy(config.Allow)
	key, keyErr := parseSecret(config.Secret)
	if err := errors.Join(config.checkBounds(), policyErr, keyErr); err != nil {
		return nil, fmt.Errorf("webhook: configure: %w", err)
	}
	h := &Handler{key: key, timeout: config.Timeout, responseLimit: config.ResponseLimit, now: config.Now}
	if h.timeout == 0 {
		h.timeout = DefaultTimeout
	}
	if h.responseLimit == 0 {
		h.responseLimit = DefaultResponseLimit
	}
	if h.now == nil {
		h.now = time.Now
	}
	h.client = newClient(config, policy)
	return h, nil
}

func (c Config) checkBounds() error {
	var faults []error
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("timeout %s is negative", c.Timeout))
	}
	if c.ResponseLimit < 0 {
		faults = append(faults, fmt.Errorf("response limit %d is negative", c.ResponseLimit))
	}
	if c.IdlePerHost < 0 {
		faults = append(faults, fmt.Errorf("idle connections per host %d is negative", c.IdlePerHost))
	}
	return errors.Join(faults...)
}

func newClient(config Config, policy addressPolicy) *http.Client {
	idle := config.IdlePerHost
	if idle == 0 {
		idle = DefaultIdlePerHost
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Resolver: config.Resolver, Control: policy.control}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would dial for us, past the address check
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{RootCAs: config.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			MaxIdleConnsPerHost:    idle,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // what is read stays what was sent: no unpacking bombs
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Do delivers req and returns nil once the receiver has answered with a status from 200 to 299.
// The error wraps ErrInvalidArgs, ErrAddressRefused, a *StatusError, the error of ctx when ctx
// ended, or context.DeadlineExceeded when Config.Timeout passed; else it is one of the network.
func (h *Handler) Do(ctx context.Context, req Request) error {
	args, target, err := parseArguments(req.Args)
	if err != nil {
		return fmt.Errorf("webhook: read arguments: %w", err)
	}
	if err := h.deliver(ctx, req, args, target); err != nil {
		return fmt.Errorf("webhook: deliver: %s: %w", target.Host, err)
	}
	return nil
}

// Close gives up idle connections. Deliveries under way are not disturbed.
func (h *Handler) Close() { h.client.CloseIdleConnections() }

func (h *Handler) deliver(ctx context.Context, req Request, args arguments, target *url.URL) error {
	body, kind, err := content(req, args)
	if err != nil {
		return err
	}
	timed, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	method := args.Method
	if method == "" {
		method = http.MethodPost
	}
	out, err := http.NewRequestWithContext(timed, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidArgs, withoutURL(err))
	}
	h.setHeaders(out.Header, req, args, body, kind)
	answer, err := h.client.Do(out)
	switch {
	case err != nil && ctx.Err() == nil && timed.Err() != nil:
		return fmt.Errorf("no answer within %s: %w", h.timeout, withoutURL(err))
	case err != nil:
		return withoutURL(err)
	}
	return h.judge(answer)
}

// judge reads what is needed of an answer and closes it. Once a success was announced, a fault in
// reading the rest does not take it back.
func (h *Handler) judge(answer *http.Response) error {
	defer answer.Body.Close()
	limited := io.LimitReader(answer.Body, h.responseLimit)
	if answer.StatusCode >= 200 && answer.StatusCode <= 299 {
		_, _ = io.Copy(io.Discard, limited)
		return nil
	}
	begin := make([]byte, excerptLimit)
	n, _ := io.ReadFull(limited, begin)
	_, _ = io.Copy(io.Discard, limited)
	return &StatusError{Code: answer.StatusCode, Excerpt: excerpt(begin[:n])}
}

// excerpt drops what is not text, among it a character cut in two by the limit.
func excerpt(begin []byte) string {
	return strings.TrimSpace(strings.ToValidUTF8(string(begin), ""))
}

// withoutURL strips the request's URL, which may hold secrets, from an error of net/url or net/http.
func withoutURL(err error) error {
	var named *url.Error
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}
