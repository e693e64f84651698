package web

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/crypto/acme/autocert"

	"scalelite/balancer/bbb"
)

// Config is the section [web] of the configuration. For the struct tags see
// store.Config and balancer.Config; secret marks what is never shown.
type Config struct {
	Listen string `toml:"listen" doc:"address to listen on; \"unix:/path\" for a socket"`
	Host   string `toml:"host" env:"URL_HOST" doc:"public host name; other Host headers get 403; empty: any host"`

	HostAliases []string `toml:"host_aliases" doc:"further names that requests may come by, such as a former one; links lead to host. With tls = \"auto\" each has a certificate"`

	TLS           string `toml:"tls" doc:"\"off\": a proxy in front does it; \"files\": tls_cert and tls_key; \"auto\": certificates come by ACME, as from Let's Encrypt"`
	TLSCert       string `toml:"tls_cert" doc:"PEM file with the certificate and its chain, for \"files\"; taken up within seconds when it changes"`
	TLSKey        string `toml:"tls_key" doc:"PEM file with the private key, for \"files\""`
	ACMEEmail     string `toml:"acme_email" doc:"address that the authority may write to about the certificates; may be empty"`
	ACMEDirectory string `toml:"acme_directory" doc:"ACME directory for \"auto\"; to try things out: https://acme-staging-v02.api.letsencrypt.org/directory"`
	ACMECA        string `toml:"acme_ca" doc:"PEM file with the root certificate of a private ACME directory; empty: the system's roots alone"`
	HTTPListen    string `toml:"http_listen" doc:"with tls: address for plain HTTP, which answers ACME and /health_check and leads everything else to https; empty: none"`
	HSTS          bool   `toml:"hsts" doc:"tell browsers to use https only, for a year (Strict-Transport-Security); needs tls"`

	Secrets            []bbb.Secret `toml:"secrets" secret:"true" doc:"secrets that the front-ends sign with; empty: one is generated, see 'scalelite secret'"`
	ManagementSecrets  []bbb.Secret `toml:"management_secrets" secret:"true" doc:"secrets of the management API alone; empty: the front-ends' secrets open it too"`
	ChecksumAlgorithms []string     `toml:"checksum_algorithms" env:"LOADBALANCER_CHECKSUM_ALGORITHM" envsep:":" doc:"accepted ones; when set, the strongest is used towards the servers, else sha256"`
	UnsignedBodies     bool         `toml:"unsigned_bodies" doc:"a form POST without query parameters may be signed over the empty query"`

	ChecksumFailuresPerMinute int `toml:"checksum_failures_per_minute" doc:"failed checksums per address and minute before it is refused unseen; 0: no limit"`

	TrustedProxies        []string `toml:"trusted_proxies" doc:"networks whose X-Forwarded-* headers count"`
	CallbackAllowPrivate  bool     `toml:"callback_allow_private" doc:"callbacks may go to private and loopback addresses; link-local ones and those of clouds' metadata are never called"`
	GetMeetingsDisabled   bool     `toml:"get_meetings_disabled" env:"GET_MEETINGS_API_DISABLED" doc:"getMeetings answers noMeetings"`
	GetRecordingsFiltered bool     `toml:"get_recordings_filtered" env:"GET_RECORDINGS_API_FILTERED" doc:"getRecordings needs a meetingID or a recordID"`
	BuildNumber           string   `toml:"build_number" env:"BUILD_NUMBER" doc:"shown in the index response; empty: the program's version"`

	Locale         string `toml:"locale" env:"DEFAULT_LOCALE" doc:"language of the pages shown to users whose browser asks for none that there is"`
	FrameAncestors string `toml:"frame_ancestors" doc:"sites that may show the player, and the pages of the formats video and screenshare, within theirs, as in Content-Security-Policy: \"*\", \"'self'\", \"'self' https://lms.example.org\", \"'none'\""`

	LocaleDir string `toml:"locale_dir" doc:"directory with texts of those pages, LANGUAGE.json, that replace or add to ours; empty: none"`

	AdminSocket  string     `toml:"admin_socket" doc:"the command line's way into the running process"`
	Metrics      bool       `toml:"metrics" doc:"serve /metrics"`
	MetricsToken bbb.Secret `toml:"metrics_token" secret:"true" doc:"Bearer token that opens /metrics to others than loopback"`
}

// PrivateNetworks are loopback and the private ranges of RFC 1918 and RFC 4193.
func PrivateNetworks() []string {
	return []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}
}

// DefaultConfig returns what holds for every key that is not set.
func DefaultConfig() Config {
	return Config{
		Listen:                    ":3000",
		TLS:                       TLSOff,
		ACMEDirectory:             autocert.DefaultACMEDirectory,
		HTTPListen:                ":80",
		ChecksumAlgorithms:        []string{"sha1", "sha256", "sha384", "sha512"},
		UnsignedBodies:            true,
		CallbackAllowPrivate:      true,
		ChecksumFailuresPerMinute: 60,
		TrustedProxies:            PrivateNetworks(),
		Locale:                    "en",
		FrameAncestors:            "*",
		AdminSocket:               "/run/scalelite/admin.sock",
		Metrics:                   true,
	}
}

// Algorithms returns ChecksumAlgorithms parsed; those that Validate would
// refuse are left out.
func (c Config) Algorithms() []bbb.Algorithm {
	var as []bbb.Algorithm
	for _, name := range c.ChecksumAlgorithms {
		if a, err := bbb.ParseAlgorithm(name); err == nil {
			as = append(as, a)
		}
	}
	return as
}

func (c Config) checkAliases(bad func(key, format string, args ...any)) {
	if len(c.HostAliases) > 0 && c.Host == "" {
		bad("host_aliases", "stand beside web.host, which is empty: any name is served without them")
	}
	for _, alias := range c.HostAliases {
		if alias == "" || strings.ContainsAny(alias, "/:@ ") {
			bad("host_aliases", "%q is no host name; give the name alone, without https:// and without a port", alias)
		} else if sameHost(alias, c.Host) {
			bad("host_aliases", "%q is web.host itself; remove it", alias)
		}
	}
}

// sameHost compares host names.
func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// Serves tells whether requests for a host are answered.
func (c Config) Serves(host string) bool {
	return c.Host == "" || sameHost(host, c.Host) || slices.ContainsFunc(c.HostAliases, func(alias string) bool { return sameHost(host, alias) })
}

// Validate returns all problems of the section, joined; each begins with the
// key it is about.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("web.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if err := checkListen(c.Listen); err != nil {
		bad("listen", "%v", err)
	}
	if strings.ContainsAny(c.Host, "/:@ ") {
		bad("host", "%q is no host name; give the name alone, without https:// and without a port", c.Host)
	}
	c.checkAliases(bad)
	c.checkTLS(bad)
	for key, secrets := range map[string][]bbb.Secret{"secrets": c.Secrets, "management_secrets": c.ManagementSecrets} {
		for _, secret := range secrets {
			if strings.TrimSpace(secret.Reveal()) == "" {
				bad(key, "an empty secret would let everybody in; remove it")
			}
		}
	}
	if len(c.ChecksumAlgorithms) == 0 {
		bad("checksum_algorithms", "is empty; list at least one of sha1, sha256, sha384, sha512")
	}
	for _, name := range c.ChecksumAlgorithms {
		if _, err := bbb.ParseAlgorithm(name); err != nil {
			bad("checksum_algorithms", "%q is not known; use sha1, sha256, sha384 or sha512", name)
		}
	}
	if c.ChecksumFailuresPerMinute < 0 {
		bad("checksum_failures_per_minute", "%d is negative; 0 switches the limit off", c.ChecksumFailuresPerMinute)
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			bad("trusted_proxies", "%q is no network; write it like 10.0.0.0/8", p)
		}
	}
	if !languageTag.MatchString(c.Locale) {
		bad("locale", "%q is no language; write it like \"en\" or \"de-AT\"", c.Locale)
	}
	if err := checkAncestors(c.FrameAncestors); err != nil {
		bad("frame_ancestors", "%v", err)
	}
	if c.AdminSocket == "" {
		bad("admin_socket", "is empty; give the path of the socket")
	}
	return errors.Join(errs...)
}
