package web

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMetricsOfBackups(t *testing.T) {
	t.Parallel()
	var last time.Time
	failed := true
	m := NewMetrics("test")
	m.WatchBackups(func() (time.Time, bool) { return last, failed })
	want := func(timestamp, failure string) {
		t.Helper()
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		for _, line := range []string{"\nscalelite_backup_timestamp_seconds " + timestamp + "\n", "\nscalelite_backup_failed " + failure + "\n"} {
			if !strings.Contains(w.Body.String(), line) {
				t.Errorf("no line %q", line)
			}
		}
	}
	want("0", "1")
	last, failed = time.Unix(1_700_000_000, 0), false
	want("1.7e+09", "0")
}
