package trigger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/trigger"
)

var errStore = errors.New("store is down")

// kept looks names up as a store would.
func kept(calendars map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		doc, ok := calendars[name]
		if !ok {
			return nil, fmt.Errorf("%w: no calendar %s", errStore, name)
		}
		return []byte(doc), nil
	}
}

func TestParseWith(t *testing.T) {
	calendars := kept(map[string]string{
		"holidays": `{"exclude":["2024-12-25",{"from":"2024-12-30","to":"2025-01-01"}]}`,
		"tokyo":    `{"exclude":["2024-12-24"],"timezone":"Asia/Tokyo"}`,
		"weekends": `{"exclude":[{"type":"cron","expr":"0 20 * * sat,sun"}]}`,
		"empty":    `{"exclude":[]}`,
	})
	const daily = `{"type":"cron","expr":"0 20 * * *","timezone":"Europe/Berlin"}`
	for _, test := range []struct {
		name, doc string
		want      []string // days of December 2024, of the run in Berlin
	}{
		{"one", except(daily, `{"calendar":"holidays"}`), []string{"24", "26", "27", "28", "29", "02"}},
		{"several, and a day", except(daily, `{"calendar":"holidays"},{"calendar":"weekends"},"2024-12-27"`), []string{"24", "26", "02", "03", "06", "07"}},
		{"a zone of its own", except(`{"type":"cron","expr":"0 12,20 * * *","timezone":"Europe/Berlin"}`, `{"calendar":"tokyo"}`), []string{"24", "25", "25", "26", "26", "27"}},
		{"nothing in it", except(daily, `{"calendar":"empty"}`), []string{"24", "25", "26", "27", "28", "29"}},
		{"of a member", `{"type":"or","triggers":[` + except(daily, `{"calendar":"holidays"}`) + `]}`, []string{"24", "26", "27", "28", "29", "02"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr, err := trigger.ParseWith([]byte(test.doc), calendars)
			if err != nil {
				t.Fatal(err)
			}
			berlin, err := time.LoadLocation("Europe/Berlin")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, at := range trigger.Times(tr, time.Date(2024, 12, 23, 23, 0, 0, 0, time.UTC), 6) {
				got = append(got, at.In(berlin).Format("02"))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseWithRefuses(t *testing.T) {
	for _, test := range []struct{ name, calendar, says string }{
		{"no JSON", `x`, "exclude[0].calendar(c): "},
		{"not UTF-8", "\xff", "not UTF-8"},
		{"no exclude", `{}`, "calendar(c).exclude: "},
		{"no list", `{"exclude":"2024-12-25"}`, "must be a list"},
		{"unknown field", `{"exclude":[],"name":"c"}`, "calendar(c).name: "},
		{"unknown zone", `{"exclude":[],"timezone":"Mars/Olympus"}`, "unknown time zone"},
		{"faulty day", `{"exclude":["2024-13-01"]}`, "calendar(c).exclude[0]: "},
		{"nested", `{"exclude":[{"calendar":"d"}]}`, "cannot refer to calendars"},
		{"nested deeper", `{"exclude":[{"type":"date","run_date":"2024-01-01","exclude":[{"calendar":"d"}]}]}`, "cannot refer to calendars"},
		{"an interval without phase", `{"exclude":[{"type":"interval","every":"1h"}]}`, "needs a start_date"},
		{"a rule without phase", `{"exclude":[{"type":"or","triggers":[{"type":"rrule","rule":"FREQ=DAILY"}]}]}`, "needs a start_date"},
		{"a calendar_interval without phase", `{"exclude":[{"type":"date","run_date":"2024-01-01","exclude":[{"type":"calendar_interval","days":2}]}]}`, "needs a start_date"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := trigger.ParseWith([]byte(except(`{"type":"cron","expr":"@daily"}`, `{"calendar":"c"}`)), kept(map[string]string{"c": test.calendar}))
			if !errors.Is(err, trigger.ErrInvalid) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("ParseWith: %v, want ErrInvalid and %q", err, test.says)
			}
			if err := trigger.CheckCalendar([]byte(test.calendar)); !errors.Is(err, trigger.ErrInvalid) {
				t.Errorf("CheckCalendar: %v, want ErrInvalid", err)
			}
		})
	}
	if err := trigger.CheckCalendar([]byte(`{"exclude":["2024-12-25",{"type":"cron","expr":"* * * * sat,sun"}],"timezone":"Europe/Berlin"}`)); err != nil {
		t.Errorf("CheckCalendar of a calendar: %v", err)
	}
}

func TestAStoreThatFailsIsNotTheDocumentsFault(t *testing.T) {
	_, err := trigger.ParseWith([]byte(except(`{"type":"cron","expr":"@daily"}`, `{"calendar":"c"}`)), kept(nil))
	if !errors.Is(err, errStore) || errors.Is(err, trigger.ErrInvalid) || !strings.Contains(err.Error(), `calendar "c"`) {
		t.Errorf("ParseWith: %v", err)
	}
}

func TestCalendars(t *testing.T) {
	doc := `{"type":"and","exclude":[{"calendar":"b"}],"triggers":[` +
		except(`{"type":"cron","expr":"@daily"}`, `{"calendar":"c"},"2024-12-25",{"type":"cron","expr":"@daily","exclude":[{"calendar":"a"},{"calendar":"b"}]}`) + `]}`
	got, err := trigger.Calendars([]byte(doc))
	if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" || err != nil {
		t.Errorf("Calendars: %v (-want +got):\n%s", err, diff)
	}
	if got, err := trigger.Calendars([]byte(`{"type":"cron","expr":"@daily"}`)); err != nil || got == nil || len(got) != 0 {
		t.Errorf("Calendars of none = %v, %v", got, err)
	}
	if _, err := trigger.Calendars([]byte(`{"type":"cron","expr":"@never"}`)); !errors.Is(err, trigger.ErrInvalid) {
		t.Errorf("Calendars of a faulty document: %v", err)
	}
	resolved, err := trigger.Resolve([]byte(doc), fuzzNow)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := trigger.Calendars(resolved); err != nil || len(got) != 3 {
		t.Errorf("Calendars after Resolve = %v, %v", got, err)
	}
}
