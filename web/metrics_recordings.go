package web

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"scalelite/recordings"
	"scalelite/web/admin"
)

// recordingsStatus is what the metrics of recordings are read from; an
// admin.Service is one.
type recordingsStatus interface {
	RecordingsStatus(ctx context.Context) (admin.RecordingsStatus, error)
}

// recordingMetrics is the collector of recordings, spool and callbacks. It
// reads them anew for every scrape.
type recordingMetrics struct {
	source                                                      recordingsStatus
	count, trash, bytes, free, total, spool, held, calls, broke *prometheus.Desc
}

// WatchRecordings adds what is told of recordings, which is read when somebody
// asks for the metrics. While recordings are switched off nothing is told. It is
// called once.
func (m *Metrics) WatchRecordings(source recordingsStatus) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("scalelite_"+name, help, labels, nil)
	}
	m.registry.MustRegister(&recordingMetrics{
		source: source,
		count:  desc("recordings", "Recordings by state; deleted ones are remembered without their files.", "state"),
		trash:  desc("recordings_in_trash", "Deleted recordings that can be brought back."),
		bytes:  desc("recording_bytes", "Disk use of the recordings by where they are, some seconds old.", "state"),
		free:   desc("recording_free_bytes", "Free space where the recordings are."),
		total:  desc("recording_disk_bytes", "Size of the file system that the recordings are on."),
		spool:  desc("spool_files", "Files in the spool, and failed tarballs, by state; what is ignored is no tarball.", "state"),
		held:   desc("spool_held_files", "Tarballs that wait because less space is free than they need beside recordings.min_free, or because the directories of the recordings are not in place."),
		calls:  desc("callbacks", "Callbacks that no front-end has taken: pending, or failed for good.", "state"),
		broke:  desc("recordings_readable", "1 if the database and the disk can be read, the disk is the right one, and the spool can be written to, 0 if not."),
	})
}

// Describe sends what Collect may send.
func (m *recordingMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.count, m.trash, m.bytes, m.free, m.total, m.spool, m.held, m.calls, m.broke} {
		ch <- d
	}
}

// Collect sends how things are now.
func (m *recordingMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	s, err := m.source.RecordingsStatus(ctx)
	if err == nil && !s.Enabled {
		return
	}
	readable := err == nil && s.Disk.Error == "" && s.Spool.Error == ""
	ch <- prometheus.MustNewConstMetric(m.broke, prometheus.GaugeValue, truth(readable))
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, value int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	gauge(m.count, s.Published, "published")
	gauge(m.count, s.Unpublished, "unpublished")
	gauge(m.count, s.Deleted, "deleted")
	gauge(m.trash, s.InTrash)
	if s.Disk.Error == "" {
		gauge(m.bytes, s.Disk.Published, "published")
		gauge(m.bytes, s.Disk.Unpublished, "unpublished")
		gauge(m.bytes, s.Disk.Trash, "trash")
		gauge(m.free, s.Disk.Free)
		gauge(m.total, s.Disk.Total)
	}
	gauge(m.spool, int64(s.Spool.Waiting), "waiting")
	gauge(m.spool, int64(s.Spool.Settling), "settling")
	gauge(m.spool, int64(s.Spool.Importing), "importing")
	gauge(m.spool, int64(s.Spool.Failed), "failed")
	gauge(m.spool, int64(s.Spool.Ignored), "ignored")
	gauge(m.held, int64(s.Spool.Held+s.Spool.Unplaced))
	gauge(m.calls, int64(s.Callbacks.Pending), "pending")
	gauge(m.calls, int64(s.Callbacks.Failed), "failed")
}

// The outcomes of an import.
const (
	importDone       = "imported"
	importPartly     = "partly"     // some of the tarball is in
	importIncomplete = "incomplete" // the tarball is still being written, or was cut
	importNoSpace    = "no_space"
	importNoDisk     = "not_in_place" // the directories of the recordings are not
	importStopped    = "stopped"      // by the end of the program
	importFailed     = "failed"
)

// CountImports returns an importer that does what next does and counts how it
// goes. It is called once.
func (m *Metrics) CountImports(next recordings.Importer) recordings.Importer {
	c := &countedImporter{
		next: next,
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scalelite_imports_total",
			Help: "Tries to import a tarball, by outcome.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "scalelite_import_duration_seconds",
			Help:    "Time to import a tarball that is in.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800},
		}),
	}
	for _, outcome := range []string{importDone, importPartly, importIncomplete, importNoSpace, importNoDisk, importStopped, importFailed} {
		c.total.WithLabelValues(outcome)
	}
	m.registry.MustRegister(c.total, c.duration)
	return c
}

type countedImporter struct {
	next     recordings.Importer
	total    *prometheus.CounterVec
	duration prometheus.Histogram
}

// ImportTarball takes a tarball in and counts it.
func (c *countedImporter) ImportTarball(ctx context.Context, t recordings.Tarball, progress func(done, total int64)) (recordings.Imported, error) {
	begun := time.Now()
	imported, err := c.next.ImportTarball(ctx, t, progress)
	c.total.WithLabelValues(importOutcome(ctx, err)).Inc()
	if err == nil {
		c.duration.Observe(time.Since(begun).Seconds())
	}
	return imported, err
}

func importOutcome(ctx context.Context, err error) string {
	var partial *recordings.PartialError
	switch {
	case err == nil:
		return importDone
	case ctx.Err() != nil:
		return importStopped
	case errors.As(err, &partial):
		return importPartly
	case errors.Is(err, recordings.ErrIncomplete):
		return importIncomplete
	case errors.Is(err, recordings.ErrNoSpace):
		return importNoSpace
	case errors.Is(err, recordings.ErrNotInPlace):
		return importNoDisk
	}
	return importFailed
}
