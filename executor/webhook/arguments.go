package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ErrInvalidArgs is in the chain of the error for arguments that no attempt can deliver.
var ErrInvalidArgs = errors.New("invalid arguments")

// Bounds of what a job may ask to be sent.
const (
	maxHeaders     = 64
	maxHeaderBytes = 32 << 10
)

// tokenMarks are the characters besides letters and digits of a token (RFC 9110, 5.6.2).
const tokenMarks = "!#$%&'*+-.^_`|~"

// ownedHeaders are set by this package or by the protocol, and never by a job; ownedFamilies are
// prefixes of such names. All are lower case.
var (
	ownedHeaders = map[string]bool{
		"connection": true, "content-length": true, "expect": true, "host": true, "keep-alive": true,
		"te": true, "trailer": true, "transfer-encoding": true, "upgrade": true,
	}
	ownedFamilies = []string{"carillon-", "webhook-", "proxy-"}
)

// arguments are what a job of the task http gives.
type arguments struct {
	URL     string            `json:"url"`
	Method  string            `json:"method,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// parseArguments decodes and checks raw. Unknown names, trailing text and anything that could not
// be sent as it was given are errors that wrap ErrInvalidArgs; nothing is repaired.
func parseArguments(raw json.RawMessage) (arguments, *url.URL, error) {
	var args arguments
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&args); err != nil {
		return args, nil, fmt.Errorf("%w: %w", ErrInvalidArgs, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return args, nil, fmt.Errorf("%w: text after the arguments", ErrInvalidArgs)
	}
	target, err := parseTarget(args.URL)
	if err != nil {
		return args, nil, fmt.Errorf("%w: url: %w", ErrInvalidArgs, err)
	}
	if err := checkMethod(args); err != nil {
		return args, nil, fmt.Errorf("%w: method: %w", ErrInvalidArgs, err)
	}
	if err := checkHeaders(args.Headers); err != nil {
		return args, nil, fmt.Errorf("%w: headers: %w", ErrInvalidArgs, err)
	}
	return args, target, nil
}

// parseTarget returns an absolute http or https URL. Its errors do not repeat the URL, whose path
// and query may be secret.
func parseTarget(text string) (*url.URL, error) {
	if text == "" {
		return nil, errors.New("missing")
	}
	target, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("not a url") // the cause would quote a part of it
	case target.Scheme != "http" && target.Scheme != "https":
		return nil, errors.New("scheme is neither http nor https")
	case target.Hostname() == "":
		return nil, errors.New("no host")
	case target.User != nil:
		return nil, errors.New("credentials in the url; send them in the header Authorization")
	}
	return target, nil
}

// checkMethod accepts the methods that carry a request to an endpoint.
func checkMethod(args arguments) error {
	switch args.Method {
	case "", http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return nil
	case http.MethodGet, http.MethodHead:
		if args.Body != nil {
			return fmt.Errorf("%s carries no body", args.Method)
		}
		return nil
	}
	return fmt.Errorf("%q is not one of POST, PUT, PATCH, DELETE, GET, HEAD", args.Method)
}

// checkHeaders refuses names that a job may not set, names and values that cannot be sent, two
// spellings of one name, and more than the bounds. Its errors never repeat a value.
func checkHeaders(headers map[string]string) error {
	if len(headers) > maxHeaders {
		return fmt.Errorf("%d of them, more than %d", len(headers), maxHeaders)
	}
	size := 0
	seen := make(map[string]bool, len(headers))
	for name, value := range headers {
		lower := strings.ToLower(name)
		switch {
		case !isToken(name):
			return fmt.Errorf("%q is not a header name", name)
		case owned(lower):
			return fmt.Errorf("%s cannot be set by a job", name)
		case seen[lower]:
			return fmt.Errorf("%s is given twice", name)
		case !isFieldValue(value):
			return fmt.Errorf("%s: control character in the value", name)
		}
		seen[lower] = true
		size += len(name) + len(value)
	}
	if size > maxHeaderBytes {
		return fmt.Errorf("%d bytes, more than %d", size, maxHeaderBytes)
	}
	return nil
}

func owned(lower string) bool {
	if ownedHeaders[lower] {
		return true
	}
	for _, family := range ownedFamilies {
		if strings.HasPrefix(lower, family) {
			return true
		}
	}
	return false
}

func isToken(name string) bool {
	for _, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && strings.IndexByte(tokenMarks, c) < 0 {
			return false
		}
	}
	return name != ""
}

func isFieldValue(value string) bool {
	for _, c := range []byte(value) {
		if (c < 0x20 && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}
