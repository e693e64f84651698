package balancer

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Config is the section [balancer] of the configuration. For the struct tags
// see store.Config; envunit is the unit of a bare number in the environment
// ("s", "m"), envsep what separates the items of a list or map there.
type Config struct {
	PollInterval    time.Duration `toml:"poll_interval" env:"POLL_INTERVAL,INTERVAL" envunit:"s" doc:"time between two polls of a server"`
	PollConcurrency int           `toml:"poll_concurrency" env:"POLLER_THREADS" doc:"servers polled at once"`
	PollTimeout     time.Duration `toml:"poll_timeout" env:"POLLER_WAIT_TIMEOUT" envunit:"s" doc:"limit for one server's poll"`
	ConnectTimeout  time.Duration `toml:"connect_timeout" env:"CONNECT_TIMEOUT" envunit:"s" doc:"limit for connecting to a server"`
	ResponseTimeout time.Duration `toml:"response_timeout" env:"RESPONSE_TIMEOUT" envunit:"s" doc:"limit for a server's answer"`

	AggregateTimeout time.Duration `toml:"aggregate_timeout" doc:"how long getMeetings waits for slow servers before their last poll stands in"`

	HealthyThreshold   int `toml:"healthy_threshold" env:"SERVER_HEALTHY_THRESHOLD" doc:"good polls in a row to come online"`
	UnhealthyThreshold int `toml:"unhealthy_threshold" env:"SERVER_UNHEALTHY_THRESHOLD" doc:"bad polls in a row to go offline"`

	LoadMinUserCount int           `toml:"load_min_user_count" env:"LOAD_MIN_USER_COUNT" doc:"a young meeting counts at least so many users"`
	LoadJoinBuffer   time.Duration `toml:"load_join_buffer" env:"LOAD_JOIN_BUFFER_TIME" envunit:"m" doc:"how long a meeting is young"`
	LoadPerVideo     float64       `toml:"load_per_video" doc:"what a video stream adds to a meeting's load, in users"`

	MaxMeetingDuration int  `toml:"max_meeting_duration" env:"MAX_MEETING_DURATION" doc:"longest meeting in minutes; 0: no limit"`
	ServerIDIsHostname bool `toml:"server_id_is_hostname" env:"SERVER_ID_IS_HOSTNAME" doc:"a new server's id is the host of its URL instead of a UUID"`

	TagFallback string `toml:"tag_fallback" doc:"where meetings go that no server's tag suits: \"untagged\" servers, or \"any\""`

	CreateExcludeParams []string `toml:"create_exclude_params" env:"CREATE_EXCLUDE_PARAMS" envsep:"," doc:"create parameters that are never forwarded"`
	JoinExcludeParams   []string `toml:"join_exclude_params" env:"JOIN_EXCLUDE_PARAMS" envsep:"," doc:"join parameters that are never forwarded"`

	VoiceBridgeLen         int  `toml:"voice_bridge_len" env:"VOICE_BRIDGE_LEN" doc:"digits of the voice bridge numbers that are given out"`
	UseExternalVoiceBridge bool `toml:"use_external_voice_bridge" env:"USE_EXTERNAL_VOICE_BRIDGE" doc:"try the voice bridge of the create call first"`

	MeetingTTL time.Duration `toml:"meeting_ttl" env:"DEFAULT_MEETING_TTL" envunit:"s" doc:"a meeting on a server that never answers again is forgotten after"`

	CreateDefaults  map[string]string `toml:"create_defaults" env:"DEFAULT_CREATE_PARAMS" envsep:"," doc:"parameters of create that a request may change"`
	CreateOverrides map[string]string `toml:"create_overrides" env:"OVERRIDE_CREATE_PARAMS" envsep:"," doc:"parameters of create that a request cannot change"`
	JoinDefaults    map[string]string `toml:"join_defaults" env:"DEFAULT_JOIN_PARAMS" envsep:"," doc:"parameters of join that a request may change"`
	JoinOverrides   map[string]string `toml:"join_overrides" env:"OVERRIDE_JOIN_PARAMS" envsep:"," doc:"parameters of join that a request cannot change"`
}

// Values of Config.TagFallback.
const (
	FallbackUntagged = "untagged"
	FallbackAny      = "any"
)

// DefaultConfig returns what holds for every key that is not set.
func DefaultConfig() Config {
	return Config{
		PollInterval:       time.Minute,
		PollConcurrency:    16,
		PollTimeout:        10 * time.Second,
		ConnectTimeout:     5 * time.Second,
		ResponseTimeout:    10 * time.Second,
		AggregateTimeout:   2 * time.Second,
		HealthyThreshold:   1,
		UnhealthyThreshold: 2,
		LoadMinUserCount:   15,
		LoadJoinBuffer:     15 * time.Minute,
		TagFallback:        FallbackUntagged,
		VoiceBridgeLen:     9,
		MeetingTTL:         24 * time.Hour,
	}
}

// Validate returns all problems of the section, joined; each begins with the
// key it is about.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("balancer.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	for _, d := range []struct {
		key string
		val time.Duration
		min time.Duration
	}{
		{"poll_interval", c.PollInterval, time.Second},
		{"poll_timeout", c.PollTimeout, 100 * time.Millisecond},
		{"connect_timeout", c.ConnectTimeout, 100 * time.Millisecond},
		{"response_timeout", c.ResponseTimeout, 100 * time.Millisecond},
		{"aggregate_timeout", c.AggregateTimeout, 100 * time.Millisecond},
		{"load_join_buffer", c.LoadJoinBuffer, 0},
		{"meeting_ttl", c.MeetingTTL, time.Minute},
	} {
		if d.val < d.min {
			bad(d.key, "%s is too short; at least %s", d.val, d.min)
		}
	}
	for _, n := range []struct {
		key           string
		val, min, max int
	}{
		{"poll_concurrency", c.PollConcurrency, 1, 1000},
		{"healthy_threshold", c.HealthyThreshold, 1, 1000},
		{"unhealthy_threshold", c.UnhealthyThreshold, 1, 1000},
		{"load_min_user_count", c.LoadMinUserCount, 0, 100000},
		{"max_meeting_duration", c.MaxMeetingDuration, 0, 525600},
		{"voice_bridge_len", c.VoiceBridgeLen, 3, 12},
	} {
		if n.val < n.min || n.val > n.max {
			bad(n.key, "%d is out of range; from %d to %d", n.val, n.min, n.max)
		}
	}
	if c.LoadPerVideo < 0 {
		bad("load_per_video", "%g is negative; 0 or more", c.LoadPerVideo)
	}
	if c.TagFallback != FallbackUntagged && c.TagFallback != FallbackAny {
		bad("tag_fallback", "%q is not known; %q or %q", c.TagFallback, FallbackUntagged, FallbackAny)
	}
	for _, l := range []struct {
		key   string
		names []string
	}{
		{"create_exclude_params", c.CreateExcludeParams},
		{"join_exclude_params", c.JoinExcludeParams},
	} {
		if slices.Contains(l.names, "meetingID") {
			bad(l.key, "meetingID cannot be left out; every server needs it")
		}
	}
	return errors.Join(errs...)
}
