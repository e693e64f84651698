package web

import (
	"context"
	"crypto/sha1"
	"flag"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
)

// benchRecordings is the largest number of recordings that the benchmark makes.
// The million takes some minutes to make.
var benchRecordings = flag.Int("recordings", 100_000, "recordings in the store of BenchmarkGetRecordings")

// fillRecordings makes recordings of rooms with ten each.
func fillRecordings(b testing.TB, s *store.Store, from, to int) {
	b.Helper()
	const chunk = 2000
	for ; from < to; from += chunk {
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			for n := from; n < min(from+chunk, to); n++ {
				if err := tx.PutRecording(benchRecording(n)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func benchRecording(n int) store.Recording {
	room := fmt.Sprintf("room-%d", n/10)
	start := int64(1_600_000_000_000 + n*60_000)
	id := fmt.Sprintf("%x-%d", sha1.Sum([]byte(room)), start)
	return store.Recording{
		ID: id, MeetingID: room, InternalMeetingID: id, Name: "A class", State: store.Published,
		Start: start, End: start + 3_600_000, Participants: 20,
		Imported: map[string]string{"bbb-origin": "moodle", "bbb-context-id": fmt.Sprint(n / 10), "bbb-recording-name": "A class"},
		Formats: []store.Format{
			{Type: "presentation", URL: "/playback/presentation/2.3/" + id, LengthMS: 3_600_000, Size: 50_000_000},
			{Type: "video", URL: "/playback/video/" + id + "/", LengthMS: 3_600_000, Size: 150_000_000},
		},
	}
}

// BenchmarkGetRecordings asks a store of 1,000, 100,000 and, with
// -recordings=1000000, a million recordings the questions of front-ends.
//
//	go test ./web -run '^$' -bench GetRecordings -timeout 60m -recordings=1000000
func BenchmarkGetRecordings(b *testing.B) {
	s := newRecordingBench(b)
	made := 0
	for _, size := range []int{1000, 100_000, 1_000_000} {
		if size > *benchRecordings {
			break
		}
		fillRecordings(b, s.store, made, size)
		made = size
		room := size / 20
		questions := []struct {
			name  string
			pairs []string
		}{
			{"meetingID", []string{"meetingID", fmt.Sprintf("room-%d", room)}},
			{"recordID-prefix", []string{"recordID", fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "room-%d", room)))}},
			{"meta", []string{"meta_bbb-context-id", fmt.Sprint(room)}},
			{"common-meta-page", []string{"meta_bbb-origin", "moodle", "limit", "25"}},
			{"common-and-rare-meta", []string{"meta_bbb-context-id", fmt.Sprintf("%d,%d", room, room+1), "meta_bbb-origin", "moodle"}},
			{"common-meta-deleted", []string{"meta_bbb-origin", "moodle", "state", "deleted"}},
			{"first-page", []string{"offset", "0", "limit", "25"}},
			{"middle-page", []string{"offset", fmt.Sprint(size / 2), "limit", "25"}},
		}
		for _, q := range questions {
			link := s.link("getRecordings", q.pairs...)
			b.Run(fmt.Sprintf("%d/%s", size, q.name), func(b *testing.B) {
				for b.Loop() {
					if err := hit(s.client, link, http.StatusOK); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		for _, n := range []int{500, 2000, 10_000} {
			if n <= size/10 {
				b.Run(fmt.Sprintf("%d/%d-meetingIDs", size, n), func(b *testing.B) { s.byMeetings(b, n) })
			}
		}
		b.Run(fmt.Sprintf("%d/everything", size), func(b *testing.B) { s.everything(b) })
	}
}

// byMeetings asks for the recordings of n meetings, ten of each, by POST.
func (s *system) byMeetings(b *testing.B, n int) {
	var rooms []string
	for i := range n {
		rooms = append(rooms, fmt.Sprint("room-", i))
	}
	body := bbb.Sign(bbb.SHA256, "getRecordings", params("meetingID", strings.Join(rooms, ",")).Encode(), testSecret)
	for b.Loop() {
		response, err := s.client.Post(s.base+"/getRecordings", "application/x-www-form-urlencoded", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			b.Fatal(response.StatusCode, err)
		}
	}
}

// everything reads the whole list and reports how much memory that took beside
// what was there before, at its highest.
func (s *system) everything(b *testing.B) {
	link := s.link("getRecordings")
	var before, peak runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var bytes int64
	for b.Loop() {
		response, err := s.client.Get(link)
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			bytes, err = io.Copy(io.Discard, response.Body)
		}()
		for watching := true; watching; {
			select {
			case <-done:
				watching = false
			case <-time.After(20 * time.Millisecond):
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				if now.HeapInuse > peak.HeapInuse {
					peak = now
				}
			}
		}
		_ = response.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(bytes)/(1<<20), "MiB-list")
	b.ReportMetric(float64(max(int64(peak.HeapInuse)-int64(before.HeapInuse), 0))/(1<<20), "MiB-heap")
}

func newRecordingBench(b *testing.B) *system {
	b.Helper()
	s := newSystem(b, settings{noSync: true})
	config := recordings.DefaultConfig().Below(b.TempDir())
	library, err := recordings.Open(context.Background(), recordings.Options{Store: s.store, Config: config, Log: s.web.log})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = library.Close() })
	s.web.library = library
	s.client.Timeout = 30 * time.Minute
	return s
}
