package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	bolt "go.etcd.io/bbolt"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
)

// clients is how many send at once.
const clients = 64

// versus runs two loads in turns, block by block, so that whatever else the
// machine does hits both, and reports the rates and their ratio.
func versus(b *testing.B, yardstick string, ours, theirs func(n int) error) {
	b.Helper()
	const blocks = 10
	var spent [2]time.Duration
	n := max(b.N/blocks, clients)
	for block := range 2 * blocks {
		side := block % 2
		do := ours
		if side == 1 {
			do = theirs
		}
		began := time.Now()
		if err := do(n); err != nil {
			b.Fatal(err)
		}
		spent[side] += time.Since(began)
	}
	rate := func(d time.Duration) float64 { return float64(n*blocks) / d.Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate(spent[0]), "ours/s")
	b.ReportMetric(rate(spent[1]), yardstick+"/s")
	b.ReportMetric(rate(spent[0])/rate(spent[1]), "ratio")
}

// hammer sends n requests from all clients over kept connections.
func hammer(client *http.Client, status int, target func(i int) string) func(n int) error {
	return func(n int) error {
		var next atomic.Int64
		var all sync.WaitGroup
		errs := make(chan error, clients)
		for range clients {
			all.Go(func() {
				for i := next.Add(1); i <= int64(n); i = next.Add(1) {
					if err := hit(client, target(int(i)), status); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		all.Wait()
		close(errs)
		return <-errs
	}
}

// hit sends one request. It goes round http.Client, which would parse each
// redirect only not to follow it.
func hit(client *http.Client, target string, status int) error {
	request, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	response, err := client.Transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != status {
		return fmt.Errorf("status %d, want %d", response.StatusCode, status)
	}
	return nil
}

// bareEcho serves one constant answer, with the limits of our own listener.
func bareEcho(b *testing.B, handler echo.HandlerFunc) string {
	b.Helper()
	e := echo.New()
	e.GET("/bigbluebutton/api/call", handler)
	return serveBare(b, e) + "/bigbluebutton/api/call"
}

func serveBare(b *testing.B, handler http.Handler) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	b.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return "http://" + ln.Addr().String()
}

func BenchmarkJoin(b *testing.B) {
	s := newSystem(b, settings{servers: 4, noSync: true})
	const meetings = 100
	for i := range meetings {
		s.get("create", "meetingID", fmt.Sprint("meeting-", i), "name", "A class")
	}
	links := make([]string, meetings)
	for i := range links {
		links[i] = s.link("join", "meetingID", fmt.Sprint("meeting-", i), "fullName", "Ada Lovelace", "role", "VIEWER",
			"userID", "42", "createTime", "1795442297645", "avatarURL", "https://moodle.example.org/pluginfile.php/5/user/icon/f1")
	}
	location, err := s.client.Get(links[0])
	if err != nil {
		b.Fatal(err)
	}
	_ = location.Body.Close()
	bare := bareEcho(b, func(c echo.Context) error {
		return c.Redirect(http.StatusFound, location.Header.Get("Location"))
	})
	same := make([]string, meetings)
	for i := range same {
		same[i] = bare + strings.TrimPrefix(links[i], s.base+"/join")
	}
	b.ResetTimer()
	versus(b, "echo",
		hammer(s.client, http.StatusFound, func(i int) string { return links[i%meetings] }),
		hammer(s.client, http.StatusFound, func(i int) string { return same[i%meetings] }))
}

func BenchmarkIsMeetingRunningUnknown(b *testing.B) {
	s := newSystem(b, settings{servers: 1, noSync: true})
	link := s.link("isMeetingRunning", "meetingID", "nobody-knows-it")
	bare := bareEcho(b, func(c echo.Context) error {
		return c.Blob(http.StatusOK, xmlType, []byte("<response><returncode>SUCCESS</returncode><running>false</running></response>"))
	})
	b.ResetTimer()
	same := bare + strings.TrimPrefix(link, s.base+"/isMeetingRunning")
	versus(b, "echo",
		hammer(s.client, http.StatusOK, func(int) string { return link }),
		hammer(s.client, http.StatusOK, func(int) string { return same }))
}

func BenchmarkGetMeetingInfo(b *testing.B) {
	s := newSystem(b, settings{servers: 1, noSync: true})
	s.get("create", "meetingID", "a-class", "name", "A class")
	for i := range 25 {
		if _, err := s.servers[0].Join("a-class", fmt.Sprint("Person ", i), i == 0); err != nil {
			b.Fatal(err)
		}
	}
	target, err := url.Parse(s.servers[0].URL())
	if err != nil {
		b.Fatal(err)
	}
	origin := &url.URL{Scheme: target.Scheme, Host: target.Host}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(origin) },
		Transport: bbb.NewTransport(bbb.ClientConfig{}),
	}
	direct := serveBare(b, proxy) + "/bigbluebutton/api/getMeetingInfo?" +
		bbb.Sign(bbb.SHA256, "getMeetingInfo", "meetingID=a-class", bbb.Secret(s.servers[0].Secret()))
	link := s.link("getMeetingInfo", "meetingID", "a-class")
	b.ResetTimer()
	versus(b, "proxy",
		hammer(s.client, http.StatusOK, func(int) string { return link }),
		hammer(s.client, http.StatusOK, func(int) string { return direct }))
}

// instantServer answers every create at once with a constant success.
func instantServer(b *testing.B) string {
	b.Helper()
	const created = "<response><returncode>SUCCESS</returncode><meetingID>m</meetingID><internalMeetingID>x-1</internalMeetingID><parentMeetingID>bbb-none</parentMeetingID>" +
		"<attendeePW>ap</attendeePW><moderatorPW>mp</moderatorPW><createTime>1795442305718</createTime><voiceBridge>580819439</voiceBridge><messageKey></messageKey><message></message></response>"
	const none = "<response><returncode>SUCCESS</returncode><meetings/></response>"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		text := created
		if filepath.Base(r.URL.Path) == "getMeetings" {
			text = none
		}
		_, _ = io.WriteString(w, text)
	}))
	b.Cleanup(server.Close)
	return server.URL + "/bigbluebutton/api"
}

// BenchmarkCreate holds 64 clients that create meetings against bbolt's own
// Update of the same bytes in as many goroutines: one record, two index
// entries, on the same disk.
func BenchmarkCreate(b *testing.B) {
	s := newSystem(b, settings{})
	if _, err := s.pool.AddServer(context.Background(), balancer.NewServer{ID: "instant", URL: instantServer(b), Secret: "s", Enable: true}); err != nil {
		b.Fatal(err)
	}
	s.poll()
	db, err := bolt.Open(filepath.Join(b.TempDir(), "raw.db"), 0o600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType, InitialMmapSize: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	var round atomic.Int64
	ours := func(n int) error {
		r := round.Add(1)
		return hammer(s.client, http.StatusOK, func(i int) string {
			return s.link("create", "meetingID", fmt.Sprintf("meeting-%d-%d", r, i), "name", "A class", "moderatorPW", "mp", "attendeePW", "ap")
		})(n)
	}
	b.ResetTimer()
	versus(b, "bbolt", ours, func(n int) error { return rawUpdates(db, round.Add(1), n) })
}

func rawUpdates(db *bolt.DB, round int64, n int) error {
	record := make([]byte, 190)
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, clients)
	for range clients {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				err := db.Update(func(tx *bolt.Tx) error {
					bucket, err := tx.CreateBucketIfNotExists([]byte("b"))
					if err != nil {
						return err
					}
					key := fmt.Sprintf("meeting-%d-%d", round, i)
					return errors.Join(
						bucket.Put([]byte("meeting\x00\x01\x00\x01"+key), record),
						bucket.Put([]byte("meeting.server\x00\x01instant\x00\x01\x00\x01"+key), nil),
						bucket.Put(fmt.Appendf(nil, "meeting.bridge\x00\x01%09d", i*7919%1e9), []byte(key)))
				})
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

// BenchmarkGetMeetings asks 50 servers that take 100 ms each, then with 5 of
// them hanging. one is the time of one server's answer.
func BenchmarkGetMeetings(b *testing.B) {
	const delay = 100 * time.Millisecond
	for _, hanging := range []int{0, 5} {
		b.Run(fmt.Sprintf("hanging=%d", hanging), func(b *testing.B) {
			s := newSystem(b, settings{servers: 50, noSync: true})
			for i, server := range s.servers {
				kind := bbbtest.Slow
				if i < hanging {
					kind = bbbtest.Hang
				}
				server.Misbehave(bbbtest.Misbehaviour{Call: "getMeetings", Kind: kind, Delay: delay})
			}
			last := s.servers[len(s.servers)-1]
			direct := last.URL() + "/getMeetings?" + bbb.Sign(bbb.SHA256, "getMeetings", "", bbb.Secret(last.Secret()))
			var all, one time.Duration
			for b.Loop() {
				began := time.Now()
				if err := hit(s.client, s.link("getMeetings"), http.StatusOK); err != nil {
					b.Fatal(err)
				}
				all += time.Since(began)
				began = time.Now()
				if err := hit(s.client, direct, http.StatusOK); err != nil {
					b.Fatal(err)
				}
				one += time.Since(began)
			}
			b.ReportMetric(all.Seconds()*1000/float64(b.N), "ms-all")
			b.ReportMetric(one.Seconds()*1000/float64(b.N), "ms-one")
			b.ReportMetric(all.Seconds()/one.Seconds(), "ratio")
		})
	}
}
