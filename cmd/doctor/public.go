package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/web"
)

// publicBase is the address that front-ends have, by one of our names.
func (p *patient) publicBase(host string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if p.cfg.Web.TLS == web.TLSOff {
		return "https://" + host
	}
	if _, port, err := net.SplitHostPort(p.cfg.Web.Listen); err == nil && port != "443" {
		return "https://" + host + ":" + port
	}
	return "https://" + host
}

// public goes the way of a front-end: over each name, through whatever is in
// front, with a signed call.
func (p *patient) public(ctx context.Context) []Finding {
	if p.cfg.Web.Host == "" {
		return []Finding{skip("", "web.host is empty")}
	}
	return eachName(p.names(), func(n publicName) Finding { return p.publicBy(ctx, n.host) })
}

// publicBy asks at the addresses that a name may have.
func (p *patient) publicBy(ctx context.Context, name string) Finding {
	bases := []string{p.publicBase(name)}
	if p.cfg.Web.TLS == web.TLSOff {
		host := strings.TrimPrefix(bases[0], "https://")
		bases = append(bases, "http://"+host)
		listen := p.cfg.Web.Listen
		if p.live() {
			listen = p.info.Listen
		}
		if _, port, err := net.SplitHostPort(listen); err == nil && port != "80" {
			bases = append(bases, "http://"+host+":"+port)
		}
	}
	var first *Finding
	for _, base := range bases {
		f, answered := p.publicAt(ctx, name, base)
		if answered {
			return f
		}
		if first == nil {
			first = &f
		}
	}
	return *first
}

// publicAt asks one address; answered is false if nobody is there.
func (p *patient) publicAt(ctx context.Context, name, base string) (f Finding, answered bool) {
	status, body, err := p.publicGet(ctx, base+"/health_check")
	if err != nil {
		return p.unreachable(ctx, name, base, err), tlsTrouble(err)
	}
	const why = "This is the way that front-ends and browsers take."
	look := shell("curl", "-sS", "-i", base+"/health_check")
	switch {
	case status/100 == 3:
		return fail(base, "/health_check is redirected, status %d", status).because("Front-ends do not follow redirects.").
			do("give front-ends the address that it leads to, and correct what is in front", look), true
	case status == http.StatusServiceUnavailable && strings.HasPrefix(body, "failure: "):
		return fail(base, "the service is not healthy: %s", firstLine(strings.TrimPrefix(body, "failure: "))).because(why).
			do("the checks 'database', 'disk' and 'directories' tell more"), true
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return fail(base, "the proxy in front answers status %d: it does not reach the service", status).because(why).
			do("start the service, and let the proxy pass to web.listen, "+p.cfg.Web.Listen, p.control("start"), look), true
	case status != http.StatusOK || body != "success":
		return fail(base, "something else answers there: /health_check has status %d", status).because(why).
			do("let the name, or the proxy in front, lead to this service", look), true
	}
	return p.signedCall(ctx, base), true
}

func (p *patient) publicGet(ctx context.Context, target string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := p.sys.Public.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	return response.StatusCode, strings.TrimSpace(string(text)), err
}

// signedCall asks what changes nothing and only we can answer: whether a meeting
// runs that nobody has.
func (p *patient) signedCall(ctx context.Context, base string) Finding {
	if len(p.secrets) == 0 {
		return good(base, "it answers; without the service's secret nobody can tell whether it is this one")
	}
	client := bbb.NewClient(p.sys.Public, bbb.ClientConfig{UserAgent: "scalelite/" + p.o.Version + " doctor"})
	var params bbb.Params
	params.Set("meetingID", "scalelite-doctor: is anybody there?")
	e := bbb.Endpoint{URL: base + "/bigbluebutton/api", Secret: p.secrets[0], Algorithm: bbb.Strongest(p.cfg.Web.Algorithms())}
	reply, err := client.Call(ctx, e, "isMeetingRunning", params, nil)
	const why = "Front-ends get the same answer, and people cannot get into their rooms."
	look := shell("curl", "-sS", "-i", base+"/bigbluebutton/api")
	switch {
	case err != nil:
		return fail(base, "it is healthy, but does not answer the BBB API: %s", firstLine(err.Error())).because(why).
			do("let the proxy in front pass everything below / to the service, unchanged", look)
	case reply.OK && strings.HasPrefix(base, "http://"):
		return warn(base, "it answers signed calls, but without TLS").
			because("Secrets are not sent, but links that let people in are, readable for all on the way; browsers warn.").
			do(`set web.tls = "auto", or put a proxy with a certificate in front`, p.edit(true)...)
	case reply.OK:
		return good(base, "it answers a signed call as this service")
	case reply.MessageKey == bbb.ErrChecksum.Key:
		return fail(base, "it answers, but refuses our own secret").because(why).
			do("either another service answers there, or the proxy in front changes the query: it must pass it on as it came", look)
	}
	return fail(base, "it answers a signed call with %s", firstLine(reply.MessageKey)).because(why).do("look into the log of the service", p.log("-n", "50")...)
}

// unreachable is about a name at which nobody answers, seen from here.
func (p *patient) unreachable(ctx context.Context, name, base string, err error) Finding {
	look := shell("curl", "-sS", "-i", base+"/health_check")
	if tlsTrouble(err) {
		return fail(base, "%s", plainError(err)).because(noTLS).
			do("the check 'certificate' tells more, or the proxy in front has to be given a good one", look)
	}
	r, failed := p.resolve(ctx, name)
	if failed == nil && len(r.here) == 0 {
		return warn(base, "it does not answer this machine: %s", plainError(err)).
			because("Many routers do not lead back inside who asks for their outer address, so from here this cannot be told from a service that nobody reaches.").
			do("ask from outside, on a machine that is not behind the same router", look)
	}
	return fail(base, "nobody answers there: %s", plainError(err)).because("Front-ends and browsers find nobody either.").
		do("start the service or the proxy in front, and let the firewall pass ports 80 and 443", p.control("start"), p.root("ss", "-ltnp"), look)
}

// tlsTrouble tells whether somebody is there, but with a bad certificate.
func tlsTrouble(err error) bool {
	_, verify := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	return verify || record || alert
}

// plainError says what failed, without the address, which stands beside it.
func plainError(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok && e.Certificate != nil {
		return fmt.Sprintf("the certificate is for %s", nameList(e.Certificate.DNSNames))
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the certificate is of an authority that this machine does not know"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return "the certificate has expired or is not valid yet"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "it does not speak TLS on this port"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name does not resolve: " + e.Err
	}
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no route to it"
	}
	return firstLine(err.Error())
}
