package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
)

// each asks all servers, several at once, and keeps their order.
func (p *patient) each(ctx context.Context, ask func(ctx context.Context, s balancer.ServerInfo, e bbb.Endpoint) []Finding) []Finding {
	if len(p.known) == 0 {
		return []Finding{skip("", "there are no servers")}
	}
	found := make([][]Finding, len(p.known))
	slots := make(chan struct{}, atOnce)
	var rest sync.WaitGroup
	for i, s := range p.known {
		rest.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			api, err := bbb.ParseServerURL(s.URL)
			switch {
			case err != nil:
				found[i] = []Finding{fail(s.ID, "%v", err).because("The server cannot be called.").do("add it with the address that 'bbb-conf --secret' prints there", p.replace(s, "URL")...)}
			case ctx.Err() != nil:
				found[i] = []Finding{skip(s.ID, "there was no time left to ask it")}
			default:
				found[i] = byName(ask(ctx, s, bbb.Endpoint{URL: api, Secret: s.Secret, Algorithm: p.o.Algorithm}), sshHost(api))
			}
		})
	}
	rest.Wait()
	return slices.Concat(found...)
}

// byName has what was found name the server, as IDs say nothing to people.
func byName(found []Finding, host string) []Finding {
	for i, f := range found {
		if !strings.Contains(f.Found, host) && f.Subject != host {
			found[i].Found = host + ": " + f.Found
		}
	}
	return found
}

// replace is how a server gets another URL: it is another server then.
func (p *patient) replace(s balancer.ServerInfo, to string) []string {
	add := []string{"servers", "add", to, "-", "--id", s.ID}
	if s.State == store.Enabled {
		add = append(add, "--enable")
	}
	return []string{p.asOperator("servers", "cordon", s.ID, "--wait"), p.asOperator("servers", "remove", s.ID), p.asOperator(add...)}
}

// servers asks each server what the pool would ask it.
func (p *patient) servers(ctx context.Context) []Finding {
	if len(p.known) == 0 {
		return []Finding{warn("", "there are no servers").because("Nobody can start a meeting.").
			do("add one; URL and SECRET are what 'sudo bbb-conf --secret' prints on it", p.asOperator("servers", "add", "URL", "SECRET", "--enable"))}
	}
	found := p.each(ctx, p.server)
	if !slices.ContainsFunc(p.known, func(s balancer.ServerInfo) bool { return s.State == store.Enabled }) {
		found = slices.Insert(found, 0, fail("", "no server is enabled").because("Nobody can start a meeting.").
			do("enable one", p.asOperator("servers", "enable", p.known[0].ID)))
	}
	return found
}

// server is about one; what is wrong with one that takes no meetings anyway is
// no failure.
func (p *patient) server(ctx context.Context, s balancer.ServerInfo, e bbb.Endpoint) []Finding {
	worst := Fail
	if s.State == store.Disabled {
		worst = Warn
	}
	result, err := p.client.Probe(ctx, e)
	if err != nil {
		return []Finding{p.serverFault(s, e, result, err).rated(worst)}
	}
	version := "BigBlueButton " + result.Version
	if result.Version == "" {
		version = "BigBlueButton, which hides its version"
	}
	accepted := append([]bbb.Algorithm{e.Algorithm}, p.otherAlgorithms(ctx, e)...)
	slices.Sort(accepted)
	f := good(s.ID, "%s: %s, %s; it takes %s, we sign with %s", e.URL, version, count(result.Meetings, "meeting"), algorithms(accepted), e.Algorithm)
	if p.live() && !s.Online && s.State != store.Disabled {
		f = warn(s.ID, "%s: it answers now, but counts as offline: %s", e.URL, offlineReason(s)).
			because("It gets no meetings, and people cannot join those that it has.").
			do("have it polled now; if it fails again, look how long its answers take", p.asOperator("poll"))
	}
	return []Finding{f}
}

func offlineReason(s balancer.ServerInfo) string {
	if s.Error == "" {
		return "no poll has succeeded yet"
	}
	return firstLine(s.Error)
}

// otherAlgorithms tries the algorithms that we do not sign with, in a call that
// costs the server nothing.
func (p *patient) otherAlgorithms(ctx context.Context, e bbb.Endpoint) (accepted []bbb.Algorithm) {
	var params bbb.Params
	params.Set("meetingID", "scalelite-doctor")
	own := e.Algorithm
	for _, a := range []bbb.Algorithm{bbb.SHA1, bbb.SHA256, bbb.SHA384, bbb.SHA512} {
		if a == own {
			continue
		}
		e.Algorithm = a
		if reply, err := p.client.Call(ctx, e, "isMeetingRunning", params, nil); err == nil && reply.MessageKey != bbb.ErrChecksum.Key {
			accepted = append(accepted, a)
		}
	}
	return accepted
}

func algorithms(all []bbb.Algorithm) string {
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = string(a)
	}
	return strings.Join(names, ", ")
}

// serverFault says what is wrong with a server, and what would mend it.
func (p *patient) serverFault(s balancer.ServerInfo, e bbb.Endpoint, result bbb.ProbeResult, err error) Finding {
	fault, message := bbb.Fault(""), err.Error()
	if probe, ok := errors.AsType[*bbb.ProbeError](err); ok {
		fault = probe.Fault
	}
	wrong, right, ok := strings.Cut(message, ": ")
	if !ok {
		right = "look at the server"
	}
	f := fail(s.ID, "%s", wrong).because("It gets no meetings, and people cannot join those that it has.")
	host := sshHost(e.URL)
	status := shell("ssh", host, "sudo bbb-conf --status")
	switch fault {
	case bbb.FaultSecret:
		return f.do("ask the server for its secret, and give it", shell("ssh", host, "sudo bbb-conf --secret"), p.asOperator("servers", "update", s.ID, "--secret", "-"))
	case bbb.FaultAlgorithm:
		f.Found = fmt.Sprintf("%s takes the secret with %s, but not with %s, which we sign with", host, algorithms(result.Accepted), e.Algorithm)
		return f.do(fmt.Sprintf("sign with what it takes: checksum_algorithms below [web], whose strongest is used (%q would do); "+
			"or add %s to supportedChecksumAlgorithms in /etc/bigbluebutton/bbb-web.properties on the server", result.Accepted[0], e.Algorithm), p.edit(true)...)
	case bbb.FaultRedirect:
		f.Found = firstLine(message)
		if target := redirectTarget(message); target != "" {
			return f.do("give the server's address as the one that it redirects to; its secret is asked for", p.replace(s, target)...)
		}
		return f.do(right, p.replace(s, "URL")...)
	case bbb.FaultPath, bbb.FaultNotBBB, bbb.FaultHostname, bbb.FaultNotTLS, bbb.FaultTooLarge:
		return f.do(right, append([]string{shell("ssh", host, "sudo bbb-conf --secret")}, p.replace(s, "URL")...)...)
	case bbb.FaultExpired, bbb.FaultAuthority, bbb.FaultTLS:
		return f.do(right, shell("openssl", "s_client", "-connect", hostPort(e.URL), "-servername", host)+" </dev/null | openssl x509 -noout -subject -issuer -dates")
	case bbb.FaultName:
		return f.do(right, shell("getent", "ahosts", host))
	case bbb.FaultUnreachable, bbb.FaultTimeout:
		return f.do(right, shell("curl", "-sS", "-m", "10", e.URL), status)
	}
	return f.do(right, status)
}

// redirectTarget is the address that a message of the client says a server
// redirects to, of which it tells scheme and host alone.
func redirectTarget(message string) string {
	_, rest, ok := strings.Cut(message, "a redirect to ")
	if !ok {
		return ""
	}
	target, _, _ := strings.Cut(rest, ": ")
	api, err := bbb.ParseServerURL(target)
	if err != nil {
		return ""
	}
	return api
}

// sshHost is the host of a URL, without its port.
func sshHost(api string) string {
	if u, err := url.Parse(api); err == nil {
		return u.Hostname()
	}
	return api
}

func hostPort(api string) string {
	u, err := url.Parse(api)
	switch {
	case err != nil:
		return api
	case u.Port() != "":
		return u.Host
	}
	return u.Host + ":443"
}

// join looks whether people can get where they are redirected.
func (p *patient) join(ctx context.Context) []Finding { return p.each(ctx, p.joinURL) }

func (p *patient) joinURL(ctx context.Context, s balancer.ServerInfo, e bbb.Endpoint) []Finding {
	worst := Fail
	if s.State == store.Disabled {
		worst = Warn
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	u, err := url.Parse(e.URL)
	if err != nil {
		return []Finding{skip(s.ID, "its URL makes no sense")}
	}
	host, base := u.Hostname(), u.Scheme+"://"+u.Host
	const why = "Everybody who joins a meeting is redirected to this address by his browser."
	addrs, err := p.addressesOf(ctx, host)
	if err != nil {
		return []Finding{fail(s.ID, "people are sent to %s, whose name does not resolve", base).because(why).
			do("correct the DNS of the name, or the server's address", shell("getent", "ahosts", host)).rated(worst)}
	}
	status, err := p.statusOf(ctx, base+"/")
	switch {
	case err != nil:
		return []Finding{fail(s.ID, "people are sent to %s, which does not answer: %s", base, plainError(err)).because(why).
			do("look at nginx and the firewall of that server", shell("curl", "-sS", "-i", "-m", "10", base+"/")).rated(worst)}
	case status >= http.StatusInternalServerError:
		return []Finding{fail(s.ID, "people are sent to %s, which answers with status %d", base, status).because(why).
			do("look what is wrong on that server", shell("ssh", host, "sudo bbb-conf --status")).rated(worst)}
	}
	return p.joinWarnings(s, u.Scheme, base, addrs)
}

// joinWarnings is about an address that answers us, but perhaps not everybody.
func (p *patient) joinWarnings(s balancer.ServerInfo, scheme, base string, addrs []netip.Addr) (found []Finding) {
	if scheme == "http" {
		found = append(found, warn(s.ID, "people are sent to %s, without TLS", base).
			because("Browsers give microphone and camera to pages with TLS only, and what is said can be listened to.").
			do("give that server a certificate, and then its address with https://; its secret is asked for", p.replace(s, "https://"+strings.TrimPrefix(base, "http://"))...))
	}
	private := func(a netip.Addr) bool { return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() }
	if !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !private(a) }) {
		found = append(found, warn(s.ID, "people are sent to %s, which here is %s", base, addrText(addrs)).
			because("Who is not in the same network cannot get to a private address; if the name leads elsewhere for them, all is well.").
			do("ask the DNS from outside", shell("getent", "ahosts", sshHost(base))))
	}
	if len(found) == 0 {
		found = append(found, good(s.ID, "people are sent to %s, which answers", base))
	}
	return found
}

func (p *patient) addressesOf(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	return p.sys.Lookup(ctx, host)
}

// statusOf asks for a page as a browser would, and follows no redirect.
func (p *patient) statusOf(ctx context.Context, page string) (int, error) {
	response, err := p.fetch(ctx, page)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, nil
}

// fetch makes a GET and returns the head of the answer.
func (p *patient) fetch(ctx context.Context, page string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "scalelite/"+p.o.Version+" doctor")
	response, err := p.sys.Servers.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	return response, response.Body.Close()
}
