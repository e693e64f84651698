package web

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"scalelite/balancer"
)

// Metrics is what the program counts, in a registry of its own. It is safe for
// concurrent use.
type Metrics struct {
	registry         *prometheus.Registry
	servers          *serverMetrics
	calls            *prometheus.HistogramVec
	retries          prometheus.Counter
	checksumFailures prometheus.Counter
	rateLimited      prometheus.Counter
}

// NewMetrics returns the metrics of a program of this version, all at zero.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		servers:  newServerMetrics(),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "scalelite_call_duration_seconds",
			Help:    "Time to answer a call, by call and outcome (ok; refused: answered FAILED; error).",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"call", "outcome"}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "scalelite_placement_retries_total",
			Help: "Meetings that the server chosen first could not take, so that another one did.",
		}),
		checksumFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "scalelite_checksum_failures_total",
			Help: "Requests without a valid checksum.",
		}),
		rateLimited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "scalelite_rate_limited_total",
			Help: "Requests refused unseen, because their address had too many failed checksums.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "scalelite_build_info",
		Help:        "Always 1; the labels tell the version.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(build, m.calls, m.retries, m.checksumFailures, m.rateLimited,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Watch adds the servers of the pool, which are read when somebody asks for the
// metrics. It is called once.
func (m *Metrics) Watch(pool *balancer.Balancer) {
	m.servers.watch(pool)
	m.registry.MustRegister(m.servers)
}

// Hooks returns what the pool has to tell.
func (m *Metrics) Hooks() balancer.Hooks {
	return balancer.Hooks{
		Placed: func(server string, attempt int) {
			m.servers.count(server, func(c *serverCounts) { c.placements++ })
			if attempt > 1 {
				m.retries.Inc()
			}
		},
		Polled: func(server string, _ time.Duration, err error) {
			if err != nil {
				m.servers.count(server, func(c *serverCounts) { c.pollFailures++ })
			}
		},
	}
}

// Call counts a call of the BBB API, its outcome and how long it took. Names
// and outcomes that are not known count as "other" and "error": they may come
// from outside and must not make new series.
func (m *Metrics) Call(call, outcome string, took time.Duration) {
	m.calls.WithLabelValues(knownCall(call), knownOutcome(outcome)).Observe(took.Seconds())
}

// ChecksumFailure counts a request without a valid checksum.
func (m *Metrics) ChecksumFailure() { m.checksumFailures.Inc() }

// RateLimited counts a request that was refused unseen.
func (m *Metrics) RateLimited() { m.rateLimited.Inc() }

// Handler answers with the metrics in the text form of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		// What cannot be had must not keep the rest from being seen.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	})
}

func knownCall(call string) string {
	switch call {
	case "":
		return "index"
	case "index", "create", "join", "isMeetingRunning", "getMeetingInfo", "getMeetings", "end",
		"insertDocument", "sendChatMessage",
		"getRecordings", "publishRecordings", "deleteRecordings", "updateRecordings",
		"getRecordingTextTracks", "putRecordingTextTrack", "analytics_callback",
		"getServers", "getServerInfo", "addServer", "updateServer", "deleteServer", "panicServer",
		"getTenants", "getTenantInfo", "addTenant", "updateTenant", "deleteTenant":
		return call
	}
	return "other"
}

func knownOutcome(outcome string) string {
	switch outcome {
	case "ok", "refused":
		return outcome
	}
	return "error"
}
