package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// scheduledLayout is RFC 3339 in UTC with milliseconds.
const scheduledLayout = "2006-01-02T15:04:05.000Z"

// payload is the body of a delivery whose job gives none.
type payload struct {
	Store         string    `json:"store"`
	JobID         string    `json:"job_id"`
	RunID         string    `json:"run_id"`
	ScheduledTime string    `json:"scheduled_time"`
	Attempt       int       `json:"attempt"`
	Args          arguments `json:"args"`
}

// content returns the body to send and its type; a nil body is none at all.
func content(req Request, args arguments) ([]byte, string, error) {
	if args.Method == http.MethodGet || args.Method == http.MethodHead {
		return nil, "", nil
	}
	if args.Body != nil {
		return verbatim(args.Body)
	}
	args.Headers = nil
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(payload{
		Store: req.Store, JobID: req.JobID, RunID: req.RunID,
		ScheduledTime: scheduled(req.ScheduledTime), Attempt: req.Attempt, Args: args,
	})
	if err != nil {
		return nil, "", fmt.Errorf("encode the payload: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), "application/json", nil
}

// verbatim is the body as the job gave it: the text of a JSON string, else the JSON itself.
func verbatim(body json.RawMessage) ([]byte, string, error) {
	if body[0] != '"' {
		return body, "application/json", nil
	}
	var text string
	if err := json.Unmarshal(body, &text); err != nil {
		return nil, "", fmt.Errorf("%w: body: %w", ErrInvalidArgs, err)
	}
	return []byte(text), "text/plain; charset=utf-8", nil
}

// setHeaders fills in the job's own headers first and ours last.
func (h *Handler) setHeaders(header http.Header, req Request, args arguments, body []byte, kind string) {
	header.Set("User-Agent", "Carillon-Webhook/1")
	if kind != "" {
		header.Set("Content-Type", kind)
	}
	for name, value := range args.Headers {
		header.Set(name, value)
	}
	header.Set("Carillon-Store", headerText(req.Store))
	header.Set("Carillon-Job-Id", headerText(req.JobID))
	header.Set("Carillon-Run-Id", headerText(req.RunID))
	header.Set("Carillon-Scheduled-Time", scheduled(req.ScheduledTime))
	header.Set("Carillon-Attempt", strconv.Itoa(req.Attempt))

	id := headerText(req.RunID)
	timestamp := strconv.FormatInt(h.now().Unix(), 10)
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", timestamp)
	if h.key != nil {
		header.Set("Webhook-Signature", sign(h.key, id, timestamp, body))
	}
}

func scheduled(t time.Time) string { return t.UTC().Format(scheduledLayout) }

// headerText percent-encodes all but the visible characters of ASCII, and the percent sign: job ids
// may hold any printable text, headers may not.
func headerText(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c > ' ' && c < 0x7f && c != '%' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
