package trigger_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/trigger"
)

func TestResolve(t *testing.T) {
	now := time.Date(2024, 5, 31, 22, 30, 0, 500_000, time.UTC) // 1 June in Berlin
	for _, test := range []struct{ name, doc, zone, want string }{
		{"interval", `{"type":"interval","seconds":"30"}`, "UTC",
			`{"seconds":"30","start_date":"2024-05-31T22:30:30.001Z","timezone":"UTC","type":"interval"}`},
		{"interval with a start", `{ "type":"interval", "every":60, "start_date":"2024-01-01" }`, "Europe/Berlin",
			`{"every":60,"start_date":"2024-01-01","timezone":"Europe/Berlin","type":"interval"}`},
		{"every of cron", `{"type":"cron","expr":"@every 90s","jitter":5}`, "UTC",
			`{"every":"1m30s","jitter":5,"start_date":"2024-05-31T22:31:30.001Z","timezone":"UTC","type":"interval"}`},
		{"zone of expr", `{"type":"cron","expr":"TZ=Asia/Kolkata 0 9 * * *"}`, "UTC",
			`{"expr":"0 9 * * *","timezone":"Asia/Kolkata","type":"cron"}`},
		{"calendar_interval", `{"type":"calendar_interval","months":1}`, "Europe/Berlin",
			`{"months":1,"start_date":"2024-06-01","timezone":"Europe/Berlin","type":"calendar_interval"}`},
		{"rule", `{"type":"rrule","rule":"FREQ=DAILY"}`, "Europe/Berlin",
			`{"rule":"FREQ=DAILY","start_date":"2024-05-31T22:30:01Z","timezone":"Europe/Berlin","type":"rrule"}`},
		{"exclude", `{"type":"cron","expr":"@daily","exclude":["2024-12-25",{"from":"2024-01-01","to":"2024-01-02"},{"type":"interval","every":"1h"},{"calendar":"c"}]}`, "Asia/Kolkata",
			`{"exclude":["2024-12-25",{"from":"2024-01-01","to":"2024-01-02"},{"every":"1h","start_date":"2024-05-31T23:30:00.001Z","timezone":"Asia/Kolkata","type":"interval"},{"calendar":"c"}],"expr":"@daily","timezone":"Asia/Kolkata","type":"cron"}`},
		{"empty exclude", `{"type":"date","run_date":"2024-01-01","exclude":[]}`, "UTC",
			`{"exclude":[],"run_date":"2024-01-01","timezone":"UTC","type":"date"}`},
		{"exclude of every", `{"type":"cron","expr":"@every 90s","exclude":["2024-12-25"]}`, "UTC",
			`{"every":"1m30s","exclude":["2024-12-25"],"start_date":"2024-05-31T22:31:30.001Z","timezone":"UTC","type":"interval"}`},
		{"members", `{"type":"or","timezone":"Asia/Kolkata","triggers":[{"type":"cron","expr":"@daily"},{"type":"date","run_date":"2024-01-01","timezone":"UTC"}]}`, "UTC",
			`{"timezone":"Asia/Kolkata","triggers":[{"expr":"@daily","timezone":"Asia/Kolkata","type":"cron"},{"run_date":"2024-01-01","timezone":"UTC","type":"date"}],"type":"or"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := trigger.ResolveIn([]byte(test.doc), now, test.zone)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			again, err := trigger.Resolve(got, now.AddDate(1, 0, 0))
			if err != nil || string(again) != string(got) {
				t.Errorf("resolved again: %s, %v", again, err)
			}
		})
	}
}

func TestFirstOfAResolvedIntervalIsOneIntervalLater(t *testing.T) {
	from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	resolved, err := trigger.Resolve(trigger.Every(15*time.Second), from)
	if err != nil {
		t.Fatal(err)
	}
	tr := mustParse(t, string(resolved))
	want := []time.Time{from.Add(15 * time.Second), from.Add(30 * time.Second)}
	if diff := cmp.Diff(want, trigger.Times(tr, from, 2)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestConstructors(t *testing.T) {
	at := time.Date(2024, 1, 1, 12, 0, 0, 123_456_789, time.FixedZone("east", 3600))
	for _, test := range []struct {
		name string
		got  json.RawMessage
		want string
	}{
		{"every", trigger.Every(90 * time.Second), `{"type":"interval","every":"1m30s"}`},
		{"cron", trigger.Cron(`0 9 * * mon-fri`), `{"type":"cron","expr":"0 9 * * mon-fri"}`},
		{"at", trigger.At(at), `{"type":"date","run_date":"2024-01-01T11:00:00.123456789Z"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if string(test.got) != test.want {
				t.Errorf("got %s, want %s", test.got, test.want)
			}
			mustParse(t, string(test.got))
		})
	}
	if next := mustParse(t, string(trigger.At(at))).Next(at.Add(-1)); !next.Equal(at) {
		t.Errorf("At(%s) fires at %s", at, next)
	}
}

func TestJitter(t *testing.T) {
	for _, test := range []struct {
		name, doc string
		want      time.Duration
	}{
		{"none", `{"type":"cron","expr":"@daily"}`, 0},
		{"seconds", `{"type":"cron","expr":"@daily","jitter":1.5}`, 1500 * time.Millisecond},
		{"text", `{"type":"date","run_date":"2024-01-01","jitter":"2m"}`, 2 * time.Minute},
		{"widest member", `{"type":"or","triggers":[{"type":"cron","expr":"@daily","jitter":3},{"type":"cron","expr":"@hourly","jitter":9}]}`, 9 * time.Second},
		{"own before members", `{"type":"and","jitter":1,"triggers":[{"type":"cron","expr":"@daily","jitter":3}]}`, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := trigger.Jitter(mustParse(t, test.doc)); got != test.want {
				t.Errorf("Jitter = %s, want %s", got, test.want)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	nominal := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	narrow := mustParse(t, `{"type":"cron","expr":"* * * * * *","jitter":"1h"}`)
	wide := mustParse(t, `{"type":"cron","expr":"0 0 * * *","jitter":10}`)
	seen := map[time.Duration]bool{}
	for i := range 2000 {
		uid := time.Unix(int64(i), 0).String()
		if got := trigger.Spread(narrow, uid, nominal); got < 0 || got >= time.Second {
			t.Fatalf("Spread = %s reaches the next nominal time", got)
		}
		got := trigger.Spread(wide, uid, nominal)
		if got < 0 || got >= 10*time.Second || got%time.Millisecond != 0 {
			t.Fatalf("Spread = %s", got)
		}
		if got != trigger.Spread(wide, uid, nominal) {
			t.Fatal("Spread differs from call to call")
		}
		seen[got/time.Second] = true
	}
	if len(seen) != 10 {
		t.Errorf("2000 runs fell into %d of 10 seconds", len(seen))
	}
	// Every node and every version must agree.
	if got, want := trigger.Spread(wide, "uid", nominal), 210*time.Millisecond; got != want {
		t.Errorf("Spread = %s, want %s as ever", got, want)
	}
	if got := trigger.Spread(mustParse(t, `{"type":"cron","expr":"@daily"}`), "uid", nominal); got != 0 {
		t.Errorf("Spread without jitter = %s", got)
	}
}
