package web

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// WatchBackups adds what is told of backups, which is asked for when somebody
// asks for the metrics: when the last good one was made, the zero time if there
// is none, and whether the last try failed. It is called once.
func (m *Metrics) WatchBackups(source func() (last time.Time, failed bool)) {
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "scalelite_" + name, Help: help}, value))
	}
	gauge("backup_timestamp_seconds", "When the last good backup was made, in seconds since 1970; 0 if there is none.", func() float64 {
		last, _ := source()
		if last.IsZero() {
			return 0
		}
		return float64(last.Unix())
	})
	gauge("backup_failed", "1 if the last try to make a backup failed, 0 if not.", func() float64 {
		_, failed := source()
		return truth(failed)
	})
}
