package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"scalelite/web"
)

// How long before its end a certificate is told of: one from files must be
// renewed by somebody, one by ACME has been renewed with 30 days left.
const (
	filesNotice = 14 * 24 * time.Hour
	acmeNotice  = 20 * 24 * time.Hour
)

const noTLS = "Browsers and front-ends refuse to connect."

// certificate looks at what the service shows to those who connect over TLS.
func (p *patient) certificate(ctx context.Context) []Finding {
	switch p.cfg.Web.TLS {
	case web.TLSFiles:
		return p.certificateFiles(ctx)
	case web.TLSAuto:
		return []Finding{p.acmeCertificate()}
	}
	return []Finding{good("", `web.tls is "off": a proxy in front has the certificate, which the check 'public' looks at`)}
}

func (p *patient) certificateFiles(ctx context.Context) []Finding {
	certFile, keyFile := p.cfg.Web.TLSCert, p.cfg.Web.TLSKey
	for key, file := range map[string]string{"web.tls_cert": certFile, "web.tls_key": keyFile} {
		if f := p.certificateFile(key, file); f != nil {
			return []Finding{*f}
		}
	}
	chain, err := os.ReadFile(certFile)
	if err != nil {
		return []Finding{p.fileError("web.tls_cert", certFile, err)}
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return []Finding{p.fileError("web.tls_key", keyFile, err)}
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return []Finding{fail(certFile, "it and %s are no pair: %s", keyFile, strings.TrimPrefix(err.Error(), "tls: ")).
			because("The service does not start with it; a running one keeps the former certificate.").
			do("give the certificate with its chain and the key that it was made with, both as PEM; these two lines must print the same",
				shell("openssl", "x509", "-in", certFile, "-noout", "-pubkey"), p.root("openssl", "pkey", "-in", keyFile, "-pubout"))}
	}
	found := []Finding{p.judgeLeaf(certFile, pair.Leaf.DNSNames, pair.Leaf, filesNotice)}
	if f := p.chain(certFile, pair); f != nil && found[0].Result == OK {
		found = append(found, *f)
	}
	if f := p.served(ctx, pair.Leaf); f != nil {
		found = append(found, *f)
	}
	return found
}

// certificateFile is about a file that is missing, or not for the service to
// read.
func (p *patient) certificateFile(key, file string) *Finding {
	if _, err := os.Stat(file); err != nil {
		f := p.fileError(key, file, err)
		return &f
	}
	if err := p.mayUse(file, unix.R_OK); errors.Is(err, unix.EACCES) {
		f := fail(file, "the service's user %s cannot read %s", p.who.name, key).
			because("The service does not start, or does not take up a renewed certificate.")
		if dir := p.blocked(file); dir != "" {
			f = f.do("let the service's group pass through "+dir, p.root("chgrp", p.who.group, dir), p.root("chmod", "g+x", dir))
		} else {
			f = f.do("let the service's group read it; do that in the renewal's hook, too", p.root("chgrp", p.who.group, file), p.root("chmod", "g+r", file))
		}
		return &f
	}
	return nil
}

func (p *patient) fileError(key, file string, err error) Finding {
	if errors.Is(err, fs.ErrPermission) {
		return p.needsRoot(file, "you may not read "+key)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fail(file, "%s cannot be read: %v", key, err).because("The service does not start.").
		do("name the file where the certificate is", p.edit(true)...)
}

// judgeLeaf is about names and times.
func (p *patient) judgeLeaf(subject string, names []string, leaf *x509.Certificate, notice time.Duration) Finding {
	now := p.sys.Now()
	without, lacks := p.uncovered(leaf)
	left := leaf.NotAfter.Sub(now)
	until := leaf.NotAfter.UTC().Format(time.DateTime) + " UTC"
	renew := "put a renewed certificate and its key in place; the service takes them up within seconds"
	look := shell("openssl", "x509", "-in", subject, "-noout", "-subject", "-ext", "subjectAltName", "-dates")
	switch {
	case left <= 0:
		return fail(subject, "the certificate has expired on %s", until).because(noTLS).do(renew, look)
	case leaf.NotBefore.After(now):
		return fail(subject, "the certificate is not valid before %s UTC", leaf.NotBefore.UTC().Format(time.DateTime)).because(noTLS).
			do("check the clock of this machine, or put the former certificate back", p.root("timedatectl"), look)
	case lacks:
		return fail(subject, "the certificate is for %s, not for %s %s", nameList(names), without.key, without.host).because(noTLS).
			do("get one for that name, too, or correct "+without.key, look)
	case left < notice:
		return warn(subject, "the certificate expires on %s, in %s", until, age(left)).
			because("After that browsers and front-ends refuse to connect.").do(renew, look)
	}
	return good(subject, "the certificate is for %s and valid until %s", nameList(names), until)
}

// uncovered returns the first of our names that a certificate is not for; false if
// it is for all of them.
func (p *patient) uncovered(leaf *x509.Certificate) (publicName, bool) {
	for _, n := range p.names() {
		if leaf.VerifyHostname(n.host) != nil {
			return n, true
		}
	}
	return publicName{}, false
}

func nameList(names []string) string {
	const shown = 5
	if len(names) == 0 {
		return "no name"
	}
	if len(names) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return strings.Join(names, ", ")
}

// chain looks whether those who connect can find the way to an authority that
// they know.
func (p *patient) chain(file string, pair tls.Certificate) *Finding {
	between := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	_, err := pair.Leaf.Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: p.sys.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown {
		return nil
	}
	f := warn(file, "this machine does not know the authority that signed the certificate")
	if len(pair.Certificate) == 1 && !slices.Equal(pair.Leaf.RawIssuer, pair.Leaf.RawSubject) {
		f = f.because("The file has the certificate alone: without the one between it and the authority some programs refuse to connect, PHP and with it Moodle among them.").
			do("give the file with the whole chain, which certbot calls fullchain.pem", shell("openssl", "crl2pkcs7", "-nocrl", "-certfile", file)+" | openssl pkcs7 -print_certs -noout")
	} else {
		f = f.because("Whoever connects must have been told to trust it.").
			do("let a known authority sign one, or give its root to each front-end, BBB server and browser")
	}
	return &f
}

// served compares what the running service shows with what the file has.
func (p *patient) served(ctx context.Context, want *x509.Certificate) *Finding {
	host, port, err := net.SplitHostPort(p.info.Listen)
	if err != nil || !p.live() {
		return nil
	}
	dialer := &tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 3 * time.Second},
		Config:    &tls.Config{InsecureSkipVerify: true, ServerName: p.cfg.Web.Host},
	}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(reachable(host), port))
	if err != nil {
		return nil // told by 'ports'
	}
	defer conn.Close()
	shown := conn.(*tls.Conn).ConnectionState().PeerCertificates
	if len(shown) > 0 && shown[0].Equal(want) {
		return nil
	}
	f := warn(p.cfg.Web.TLSCert, "the running service shows another certificate than that of the file").
		because("It takes up a new one within 10 seconds, if it can read it and the key fits.").
		do("have it look again; its log says why it does not take it", append([]string{p.control("reload")}, p.log("-n", "50", "--grep", "certificate")...)...)
	return &f
}

// acmeCertificate is about the one that the service gets by itself.
func (p *patient) acmeCertificate() Finding {
	state := p.exam.Certificate
	if p.poolError != nil || state == nil {
		f := p.noData()
		if p.poolError == nil {
			f = skip("", `the running service has another web.tls than "auto"; restart it`).do("restart the service", p.control("restart"))
		}
		return f
	}
	host := ascii(strings.TrimSuffix(p.cfg.Web.Host, "."))
	retry := append([]string{p.control("reload")}, p.log("-n", "50", "--grep", "certificate|authority")...)
	const help = "mend what the authority objects to, and have the service try again at once; the address of the name in the DNS must lead to ports 80 and 443 of this machine"
	if len(state.Names) == 0 {
		found := "there is no certificate yet"
		if state.Error != "" {
			found += ": " + firstLine(state.Error)
		} else if !p.live() {
			found += ": the service, which gets it, does not run"
		}
		return fail(host, "%s", found).because(noTLS).do(help, retry...)
	}
	leaf := &x509.Certificate{DNSNames: state.Names, NotAfter: state.NotAfter}
	f := p.judgeLeaf(host, state.Names, leaf, acmeNotice)
	if state.Error != "" {
		if f.Result == OK {
			f = warn(host, "%s", f.Found).because("If it goes on failing, browsers and front-ends that come by that name refuse to connect.")
		}
		f.Found += "; the last attempt to get or renew it failed: " + firstLine(state.Error)
	}
	if n, lacks := p.uncovered(leaf); lacks && n.key == aliasesKey {
		retry[0] = p.control("restart") // the aliases are those of the start
	}
	if f.Result != OK {
		f = f.do(help, retry...)
	}
	return f
}
