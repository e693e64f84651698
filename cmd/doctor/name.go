package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/idna"

	"scalelite/web"
)

// nameResult is where a name leads.
type nameResult struct {
	addrs []netip.Addr
	here  []netip.Addr // those of addrs that are this machine's
	ours  []netip.Addr // those of this machine that the internet could reach
}

// publicName is a name that the service answers to, as the DNS has it, and the key
// of the configuration that says so.
type publicName struct{ key, host string }

const aliasesKey = "web.host_aliases"

// names are web.host, if there is one, and then web.host_aliases.
func (p *patient) names() []publicName {
	var all []publicName
	add := func(key, host string) {
		if host = strings.TrimSuffix(host, "."); host != "" {
			all = append(all, publicName{key, ascii(host)})
		}
	}
	add("web.host", p.cfg.Web.Host)
	for _, alias := range p.cfg.Web.HostAliases {
		add(aliasesKey, alias)
	}
	return all
}

// name looks whether web.host and its aliases lead to this machine.
func (p *patient) name(ctx context.Context) []Finding {
	names := p.names()
	if len(names) == 0 {
		return []Finding{warn("", "web.host is empty").
			because("Links to recordings are made of the name that each caller used, and no name is refused; a certificate by ACME needs it.").
			do(`set it to the public name of this machine: host = "lb.example.org" below [web]`, p.edit(false)...)}
	}
	return eachName(names, func(n publicName) Finding {
		r, err := p.resolve(ctx, n.host)
		if err != nil {
			return p.nameError(n, err)
		}
		return p.judgeName(n, r)
	})
}

// eachName looks at all names at once: one that nobody answers for takes its time.
func eachName(names []publicName, look func(publicName) Finding) []Finding {
	found := make([]Finding, len(names))
	var all sync.WaitGroup
	for i, n := range names {
		all.Go(func() { found[i] = look(n) })
	}
	all.Wait()
	return found
}

func (p *patient) resolve(ctx context.Context, host string) (r nameResult, err error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		r.addrs = []netip.Addr{addr}
	} else if r.addrs, err = p.sys.Lookup(ctx, ascii(host)); err != nil {
		return r, err
	}
	local, err := p.sys.Local()
	if err != nil {
		return r, fmt.Errorf("ask for the addresses of this machine: %w", err)
	}
	for _, a := range r.addrs {
		if slices.Contains(local, a) || a.IsLoopback() {
			r.here = append(r.here, a)
		}
	}
	for _, a := range local {
		if a.IsGlobalUnicast() && !a.IsPrivate() {
			r.ours = append(r.ours, a)
		}
	}
	return r, nil
}

// ascii is a name as the DNS has it.
func ascii(host string) string {
	if name, err := idna.Lookup.ToASCII(host); err == nil {
		return name
	}
	return host
}

func (p *patient) nameError(n publicName, err error) Finding {
	host := n.host
	if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.IsNotFound {
		return warn(host, "the DNS does not answer: %s", dns.Err).
			because("Without it this machine finds neither the BBB servers nor the front-ends.").
			do("look at the resolvers of this machine", "cat /etc/resolv.conf", shell("getent", "ahosts", host))
	} else if !ok {
		return skip(host, "%v", err)
	}
	return fail(host, "the name does not exist in the DNS").
		because("Nobody finds the service by it, and there is no certificate for it.").
		do("make an A record (and AAAA, if this machine has an IPv6 address) for it, where the domain is managed, with the address of this machine; or correct "+n.key, p.addressCommand())
}

// addressCommand shows the addresses of this machine.
func (p *patient) addressCommand() string { return "ip -brief address" }

func (p *patient) judgeName(n publicName, r nameResult) Finding {
	host, list := n.host, addrText(r.addrs)
	loopback := func(a netip.Addr) bool { return a.IsLoopback() }
	const why = "Front-ends, browsers and the certificate authority go where the name leads."
	switch {
	case len(r.here) == len(r.addrs) && slices.ContainsFunc(r.addrs, loopback) && host != "localhost" && net.ParseIP(host) == nil:
		return warn(host, "on this machine it leads to %s, from its own list of hosts", list).
			because("That says nothing about where it leads for others.").
			do("ask the DNS from another machine", shell("getent", "ahosts", host))
	case len(r.here) == len(r.addrs):
		return good(host, "it leads to %s, which is this machine", list)
	case len(r.here) > 0:
		return warn(host, "it leads to %s, of which only %s is this machine", list, addrText(r.here)).
			because("Who takes the other address, such as IPv6 where there is both, does not get here.").
			do("remove what leads elsewhere from the DNS, unless it is a router or proxy that passes on to this machine", p.addressCommand())
	case len(r.ours) == 0:
		return warn(host, "it leads to %s; this machine has private addresses only", list).
			because("Behind a router that is as it should be, if the router passes the ports on to this machine; this cannot be seen from here.").
			do("look from outside, on a machine that is not behind the same router", shell("curl", "-fsS", p.publicBase(host)+"/health_check"))
	case p.cfg.Web.TLS != web.TLSOff:
		return fail(host, "it leads to %s, but this machine is %s", list, addrText(r.ours)).because(why).
			do("correct the A and AAAA records of the name, or "+n.key, shell("getent", "ahosts", host), p.addressCommand())
	}
	return warn(host, "it leads to %s, but this machine is %s", list, addrText(r.ours)).
		because(why+" With web.tls = \"off\" it may be a proxy on another machine.").
		do("correct the A and AAAA records of the name, unless that is your proxy", shell("getent", "ahosts", host), p.addressCommand())
}

func addrText(all []netip.Addr) string {
	const shown = 6
	var texts []string
	for _, a := range all[:min(len(all), shown)] {
		texts = append(texts, a.String())
	}
	if len(all) > shown {
		texts = append(texts, "...")
	}
	return strings.Join(texts, ", ")
}
