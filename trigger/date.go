package trigger

import "time"

// date fires once.
type date struct {
	settings
	at time.Time
}

func (d *date) Next(t time.Time) time.Time {
	if d.at.After(t) {
		return window{}.clip(d.at)
	}
	return time.Time{}
}

func readDateTrigger(_ scope, n *node, common settings) error {
	if !n.obj.has("run_date") {
		return refuse(n.obj.at("run_date"), n.obj.raw, "missing")
	}
	run, err := n.obj.date("run_date", common.zone)
	if err != nil {
		return err
	}
	n.trigger = &date{settings: common, at: run.at}
	return nil
}
