package trigger_test

import (
	"fmt"
	"time"

	"github.com/carillon-project/carillon/trigger"
)

func ExampleParse() {
	t, err := trigger.Parse([]byte(`{"type":"cron","expr":"0 9 * * mon-fri","timezone":"Europe/Berlin"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	friday := time.Date(2024, 3, 29, 12, 0, 0, 0, time.UTC)
	fmt.Println(t.Next(friday))
	// Output: 2024-04-01 07:00:00 +0000 UTC
}

func ExampleResolve() {
	doc, err := trigger.Resolve(trigger.Every(15*time.Second), time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	fmt.Println(string(doc), err)
	// Output: {"every":"15s","start_date":"2024-01-01T00:00:15Z","timezone":"UTC","type":"interval"} <nil>
}

func ExampleParse_refused() {
	_, err := trigger.Parse([]byte(`{"type":"cron","fields":{"hour":"25"}}`))
	fmt.Println(err)
	// Output: trigger: invalid: fields.hour: "25": must be within 0 and 23
}
