package trigger

import (
	"encoding/json"
	"time"
)

// Every returns the document of an interval of d. Whether d is long enough is for Parse to say.
func Every(d time.Duration) json.RawMessage {
	return document(struct {
		Type  string `json:"type"`
		Every string `json:"every"`
	}{"interval", d.String()})
}

// Cron returns the document of a crontab expression. Whether it makes sense is for Parse to say.
func Cron(expr string) json.RawMessage {
	return document(struct {
		Type string `json:"type"`
		Expr string `json:"expr"`
	}{"cron", expr})
}

// At returns the document of a date: one run at t, exactly.
func At(t time.Time) json.RawMessage {
	return document(struct {
		Type    string `json:"type"`
		RunDate string `json:"run_date"`
	}{"date", t.UTC().Format(time.RFC3339Nano)})
}

// document marshals structs of strings, which cannot fail.
func document(fields any) json.RawMessage {
	raw, err := json.Marshal(fields)
	if err != nil {
		panic("trigger: document: " + err.Error())
	}
	return raw
}
