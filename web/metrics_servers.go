package web

import (
	"context"
	"maps"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
)

// scrapeTimeout bounds how long the pool may take to list its servers.
const scrapeTimeout = 5 * time.Second

// serverMetrics is the collector of everything that is told by server. It makes
// its series anew for every scrape, so that those of a removed server vanish
// with it. Servers are told by their id, which is no secret; of their URL there
// is the host only.
type serverMetrics struct {
	now                                                        func() time.Time
	info, state, load, online, meetings, users, largest, video *prometheus.Desc
	pollAge, pollDuration, pollFailures, placements, readable  *prometheus.Desc

	mu     sync.Mutex
	pool   *balancer.Balancer
	counts map[string]*serverCounts
}

// serverCounts is what is counted of one server, apart from its records.
type serverCounts struct {
	placements, pollFailures float64
}

func newServerMetrics() *serverMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("scalelite_"+name, help, append([]string{"server"}, labels...), nil)
	}
	return &serverMetrics{
		now:          time.Now,
		counts:       map[string]*serverCounts{},
		info:         desc("server_info", "Always 1; the labels tell about the server.", "host", "tag", "bbb_version"),
		state:        desc("server_state", "1 for the state that the server is in, 0 for the others.", "state"),
		load:         desc("server_load", "Estimated load, multiplier included; absent while the server is offline or disabled."),
		online:       desc("server_online", "1 if the server is online, 0 if it is offline."),
		meetings:     desc("server_meetings", "Meetings at the last good poll."),
		users:        desc("server_users", "Users at the last good poll."),
		largest:      desc("server_largest_meeting_users", "Users of the largest meeting at the last good poll."),
		video:        desc("server_videos", "Video streams at the last good poll."),
		pollAge:      desc("server_poll_age_seconds", "Time since the last good poll; absent before the first."),
		pollDuration: desc("server_poll_duration_seconds", "How long the last poll took."),
		pollFailures: desc("server_poll_failures_total", "Polls that failed since the start of the program."),
		placements:   desc("placements_total", "Meetings that were placed on the server since the start of the program."),
		readable:     prometheus.NewDesc("scalelite_pool_readable", "1 if the servers could be read from the database, 0 if not.", nil, nil),
	}
}

func (m *serverMetrics) watch(pool *balancer.Balancer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pool = pool
}

// count changes the counts of a server. With each server that is new, those
// that the pool no longer has are forgotten: there is never more than the pool
// has, whether anybody reads the metrics or not.
func (m *serverMetrics) count(server string, change func(*serverCounts)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.counts[server]
	if c == nil {
		m.prune()
		c = &serverCounts{}
		m.counts[server] = c
	}
	change(c)
}

func (m *serverMetrics) prune() {
	if m.pool == nil {
		return
	}
	present := map[string]bool{}
	for _, s := range m.pool.Pool().Servers() {
		present[s.ID] = true
	}
	maps.DeleteFunc(m.counts, func(id string, _ *serverCounts) bool { return !present[id] })
}

// countsOf returns what was counted of a server.
func (m *serverMetrics) countsOf(server string) serverCounts {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.counts[server]; c != nil {
		return *c
	}
	return serverCounts{}
}

// Describe sends what Collect may send.
func (m *serverMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.info, m.state, m.load, m.online, m.meetings, m.users, m.largest, m.video,
		m.pollAge, m.pollDuration, m.pollFailures, m.placements, m.readable,
	} {
		ch <- d
	}
}

// Collect sends the series of the servers as they are now.
func (m *serverMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	m.mu.Lock()
	pool := m.pool
	m.mu.Unlock()
	servers, err := pool.Servers(ctx)
	ch <- prometheus.MustNewConstMetric(m.readable, prometheus.GaugeValue, truth(err == nil))
	if err != nil {
		return
	}
	for _, s := range servers {
		m.collect(ch, s, m.countsOf(s.ID))
	}
}

func (m *serverMetrics) collect(ch chan<- prometheus.Metric, s balancer.ServerInfo, c serverCounts) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		labels = append([]string{s.ID}, labels...)
		for i := range labels {
			labels[i] = strings.ToValidUTF8(labels[i], "\uFFFD")
		}
		ch <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		send(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(m.info, 1, host(s.URL), s.Tag, s.BBBVersion)
	for _, state := range []store.State{store.Enabled, store.Cordoned, store.Disabled} {
		gauge(m.state, truth(s.State == state), string(state))
	}
	if s.Load != nil {
		gauge(m.load, *s.Load)
	}
	gauge(m.online, truth(s.Online))
	gauge(m.meetings, float64(s.Meetings))
	gauge(m.users, float64(s.Users))
	gauge(m.largest, float64(s.LargestMeeting))
	gauge(m.video, float64(s.Videos))
	if !s.Polled.IsZero() {
		gauge(m.pollAge, m.now().Sub(s.Polled).Seconds())
	}
	gauge(m.pollDuration, s.PollDuration.Seconds())
	send(m.pollFailures, prometheus.CounterValue, c.pollFailures)
	send(m.placements, prometheus.CounterValue, c.placements)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// host is that of a server's URL, with the port if it has its own.
func host(raw string) string {
	api, err := bbb.ParseServerURL(raw)
	if err != nil {
		return ""
	}
	u, err := url.Parse(api)
	if err != nil {
		return ""
	}
	return u.Host
}
