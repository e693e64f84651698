package web

import (
	"net"
	"net/mail"
	"net/url"
	"strings"
)

// Values of web.tls.
const (
	TLSOff   = "off"
	TLSAuto  = "auto"
	TLSFiles = "files"
)

// checkTLS reports what is wrong with the keys about TLS. It reads no file:
// every command validates the configuration, and not all of them may read a
// private key.
func (c Config) checkTLS(bad func(key, format string, args ...any)) {
	switch c.TLS {
	case TLSOff:
		if c.HSTS {
			bad("hsts", "has no effect while web.tls is \"off\"; set web.tls, or let the proxy send the header")
		}
		return
	case TLSFiles:
		c.checkFiles(bad)
	case TLSAuto:
		c.checkAuto(bad)
	default:
		bad("tls", "%q is not known; use \"off\", \"auto\" or \"files\"", c.TLS)
		return
	}
	if strings.HasPrefix(c.Listen, unixPrefix) {
		bad("listen", "is a socket, which web.tls cannot be used on; write an address like \":443\", or set web.tls to \"off\"")
	}
	if c.HTTPListen == "" {
		return
	}
	if _, _, err := net.SplitHostPort(c.HTTPListen); err != nil {
		bad("http_listen", "%q is no address; write it like \":80\", or \"\" for none", c.HTTPListen)
	} else if c.HTTPListen == c.Listen {
		bad("http_listen", "is the same as web.listen; let web.listen be \":443\" and this one \":80\"")
	}
}

func (c Config) checkFiles(bad func(key, format string, args ...any)) {
	for key, file := range map[string]string{"tls_cert": c.TLSCert, "tls_key": c.TLSKey} {
		if file == "" {
			bad(key, "is empty; web.tls = \"files\" needs both web.tls_cert and web.tls_key")
		}
	}
}

// checkPublic looks whether an authority may give a certificate for a name.
func checkPublic(key, name string, bad func(key, format string, args ...any)) {
	host := strings.TrimSuffix(name, ".")
	if net.ParseIP(host) != nil || !strings.Contains(host, ".") {
		bad(key, "%q gets no certificate by ACME; give a public name like lb.example.org, or use web.tls = \"files\"", name)
	} else if _, err := asciiHost(host); err != nil {
		bad(key, "%q is no name in the DNS; give one like lb.example.org", name)
	}
}

func (c Config) checkAuto(bad func(key, format string, args ...any)) {
	if strings.TrimSuffix(c.Host, ".") == "" {
		bad("host", "is empty; web.tls = \"auto\" needs the public name that the certificate is for")
	} else {
		checkPublic("host", c.Host, bad)
	}
	for _, alias := range c.HostAliases {
		checkPublic("host_aliases", alias, bad)
	}
	if c.ACMEEmail != "" {
		if a, err := mail.ParseAddress(c.ACMEEmail); err != nil || a.Address != c.ACMEEmail {
			bad("acme_email", "is no mail address; write it like admin@example.org, or leave it empty")
		}
	}
	if u, err := url.Parse(c.ACMEDirectory); err != nil || u.Scheme != "https" || u.Host == "" {
		bad("acme_directory", "%q is no https address; leave the key out for Let's Encrypt", c.ACMEDirectory)
	}
}
