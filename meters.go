package carillon

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/scheduler"
)

// meters are what /metrics shows of one node, in a registry of their own.
type meters struct {
	registry   *prometheus.Registry
	leader     *prometheus.GaugeVec
	term       *prometheus.GaugeVec
	groups     int
	members    prometheus.Gauge
	watched    prometheus.Gauge
	queue      *prometheus.GaugeVec
	paused     *prometheus.GaugeVec
	unserved   *prometheus.GaugeVec
	dispatch   prometheus.Histogram
	start      *prometheus.HistogramVec
	duration   *prometheus.HistogramVec
	runs       *prometheus.CounterVec
	dispatched prometheus.Counter
	skipped    *prometheus.CounterVec
	recovered  *prometheus.CounterVec
	refused    prometheus.Counter
	dropped    prometheus.Counter
	parked     prometheus.Counter
	followed   prometheus.Counter
	repairs    prometheus.Counter
	lost       *prometheus.GaugeVec
	regressed  prometheus.Gauge
	ahead      prometheus.Gauge
	rolledBack prometheus.Counter
	exports    *prometheus.CounterVec
}

var latenessBuckets = []float64{.001, .002, .003, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 15, 60}

func newMeters(node string, groups int) *meters {
	labels := prometheus.Labels{"node": node}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "carillon", Name: name, Help: help, ConstLabels: labels})
	}
	perGroup := func(name, help string) *prometheus.GaugeVec {
		var by []string
		if groups > 1 {
			by = []string{"group"}
		}
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "carillon", Name: name, Help: help, ConstLabels: labels}, by)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "carillon", Name: name, Help: help, ConstLabels: labels})
	}
	counters := func(name, help string, by ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "carillon", Name: name, Help: help, ConstLabels: labels}, by)
	}
	histograms := func(name, help string, by ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "carillon", Name: name, Help: help, ConstLabels: labels, Buckets: latenessBuckets,
		}, by)
	}
	m := &meters{
		registry: prometheus.NewRegistry(),
		groups:   groups,
		leader:   perGroup("leader", "1 while this node is leader, of a group where there are several."),
		term:     perGroup("term", "The term this node leads under, 0 while it does not."),
		members:  gauge("cluster_members", "Members of the cluster, as this node sees it."),
		watched:  gauge("watched_processes", "Processes of other nodes whose end this node would know at once: all others while it leads, else the leader and who is next in line before it."),
		queue: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "carillon", Name: "queue_depth", Help: "Entries in an executor's streams, waiting or fetched.", ConstLabels: labels,
		}, []string{"store", "executor"}),
		paused: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "carillon", Name: "executor_paused", Help: "1 while an executor is paused, 0 else.", ConstLabels: labels,
		}, []string{"store", "executor"}),
		unserved: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "carillon", Name: "unserved_runs", Help: "Messages of runs that wait since no live node of their executor serves their task.", ConstLabels: labels,
		}, []string{"store"}),
		dispatch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "carillon", Name: "due_lateness_seconds", Help: "From a run's due time to its dispatch.",
			ConstLabels: labels, Buckets: latenessBuckets,
		}),
		start:      histograms("start_lateness_seconds", "From a run's due time to its first start.", "executor"),
		duration:   histograms("run_duration_seconds", "How long handlers took.", "task"),
		runs:       counters("runs_total", "Attempts ended on this node, by outcome; retried ones count as retrying.", "executor", "outcome"),
		dispatched: counter("dispatched_total", "Runs this node dispatched as leader."),
		skipped:    counters("skipped_total", "Due times the leader recorded as not run.", "outcome"),
		recovered:  counters("recovered_total", "Runs taken back: from lost leases, from processes proven gone, or fetched and never started.", "how"),
		refused:    counter("late_finishes_total", "Outcomes refused since the run was not this node's any more."),
		dropped:    counter("dropped_outcomes_total", "Attempts that ended, or could be told of, only after their lease had: they count for nothing."),
		parked:     counter("parked_jobs_total", "Jobs taken out of the schedule because they cannot be used."),
		followed:   counter("followed_jobs_total", "Jobs given another next time, or parked, since a calendar they refer to changed."),
		repairs:    counter("slot_repairs_total", "Slot counters the audit had to mend; must stay 0."),
		lost: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "carillon", Name: "store_lost", Help: "1 while the Redis of a store is not the one the cluster knows: nothing fires in it until it is restored or adopted.", ConstLabels: labels,
		}, []string{"store"}),
		regressed:  gauge("term_regressed", "1 while the stores refuse leaders that this node's etcd elects, since it was rebuilt: nothing fires until it is accepted."),
		ahead:      gauge("jobs_ahead", "Jobs that fired while Redis's clock was ahead and are silent until it comes to their last times, as this node, as leader, knows; carillon job rewind mends them."),
		rolledBack: counter("store_rollbacks_total", "Times this node, as leader, saw that Redis had lost its latest writes."),
		exports:    counters("exports_total", "Exports of a store that this node made as leader: written or failed.", "store", "outcome"),
	}
	m.registry.MustRegister(
		m.leader, m.term, m.members, m.watched, m.queue, m.paused, m.unserved, m.dispatch, m.start, m.duration, m.runs, m.dispatched, m.skipped,
		m.recovered, m.refused, m.dropped, m.parked, m.followed, m.repairs, m.lost, m.regressed, m.ahead, m.rolledBack, m.exports,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	for group := range groups {
		m.lead(group, 0)
	}
	return m
}

func (m *meters) lead(group int, term int64) {
	var of []string
	if m.groups > 1 {
		of = []string{strconv.Itoa(group)}
	}
	m.term.WithLabelValues(of...).Set(float64(term))
	m.leader.WithLabelValues(of...).Set(float64(min(term, 1)))
}

func (m *meters) nodes(n int) { m.members.Set(float64(n)) }

func (m *meters) ran(o executor.Observation) {
	switch o.What {
	case executor.ObservedStart:
		m.start.WithLabelValues(o.Executor).Observe(o.Lateness.Seconds())
	case executor.ObservedEnd:
		outcome := string(o.Outcome)
		if o.Retrying {
			outcome = "retrying"
		}
		m.runs.WithLabelValues(o.Executor, outcome).Inc()
		m.duration.WithLabelValues(o.Task).Observe(o.Duration.Seconds())
	case executor.ObservedRefused:
		m.refused.Inc()
	case executor.ObservedDropped:
		m.dropped.Inc()
	}
}

func (m *meters) scheduled(o scheduler.Observation) {
	m.dispatched.Add(float64(o.Dispatched))
	for _, late := range o.Lateness {
		m.dispatch.Observe(late.Seconds())
	}
	for outcome, n := range o.Skipped {
		m.skipped.WithLabelValues(string(outcome)).Add(float64(n))
	}
	m.recovered.WithLabelValues("lease").Add(float64(o.Recovered))
	m.recovered.WithLabelValues("process").Add(float64(o.Rescued))
	m.recovered.WithLabelValues("unstarted").Add(float64(o.Reclaimed))
	m.parked.Add(float64(o.Parked))
	m.followed.Add(float64(o.Followed))
	m.ahead.Add(float64(o.Ahead))
	m.rolledBack.Add(float64(o.RolledBack))
	m.repairs.Add(float64(len(o.Repairs)))
}
