package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"scalelite/web"
)

// address is one that the configuration says to listen on.
type address struct {
	key, value string
	tls        bool
}

func (p *patient) addresses() []address {
	c := p.cfg.Web
	if c.TLS == web.TLSOff {
		return []address{{"web.listen", c.Listen, false}}
	}
	all := []address{{"web.listen", c.Listen, true}}
	if c.HTTPListen != "" {
		all = append(all, address{"web.http_listen", c.HTTPListen, false})
	}
	return all
}

// ports looks who answers where the service should.
func (p *patient) ports(ctx context.Context) []Finding {
	var found []Finding
	for _, a := range p.addresses() {
		if path, ok := strings.CutPrefix(a.value, "unix:"); ok {
			found = append(found, p.health(ctx, a, "unix", path))
			continue
		}
		host, port, err := net.SplitHostPort(a.value)
		if err != nil {
			continue // told by the check of the configuration
		}
		if p.live() {
			found = append(found, p.open(ctx, a, host, port))
		} else {
			found = append(found, p.free(a, host, port))
		}
	}
	return found
}

// open is about the port of a service that runs.
func (p *patient) open(ctx context.Context, a address, host, port string) Finding {
	if a.key == "web.listen" {
		actualHost, actual, err := net.SplitHostPort(p.info.Listen)
		if err == nil && port == "0" {
			port, host = actual, actualHost
		}
		if err == nil && actual != port {
			return warn(a.value, "%s is %q, but the running service listens on %s", a.key, a.value, p.info.Listen).
				because("The address is read at the start only.").do("restart the service", p.control("restart"))
		}
	}
	return p.health(ctx, a, "tcp", net.JoinHostPort(reachable(host), port))
}

// reachable is where a listener on host answers.
func reachable(host string) string {
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		return "127.0.0.1"
	}
	return host
}

// health asks the service itself, on the spot, how it is.
func (p *patient) health(ctx context.Context, a address, network, addr string) Finding {
	status, body, err := p.askHere(ctx, a, network, addr)
	if err != nil && a.tls && tlsTrouble(err) {
		return fail(a.value, "somebody answers on %s, but has no certificate to show: %s", a.key, plainError(err)).because(noTLS).
			do("the check 'certificate' tells why", p.rootScalelite("doctor", "--only", "certificate"))
	}
	if err != nil {
		f := fail(a.value, "nobody answers on %s: %v", a.key, plainError(err)).because("Front-ends and browsers cannot reach the service.")
		if !p.live() {
			return f.do("start the service", p.control("start"))
		}
		return f.do("restart the service; its log says what is in the way", p.restartAndLook()...)
	}
	switch {
	case status == http.StatusOK && body == "success":
		return good(a.value, "the service listens on %s, and is healthy", a.key)
	case status == http.StatusServiceUnavailable && strings.HasPrefix(body, "failure: "):
		return fail(a.value, "the service is not healthy: %s", firstLine(strings.TrimPrefix(body, "failure: "))).
			because("Its health check answers 503: what watches it counts it as down.").
			do("the checks 'database', 'disk' and 'directories' tell more", p.rootScalelite("doctor", "--only", "database,disk,directories"))
	}
	return fail(a.value, "something else answers on %s, with status %d", a.key, status).
		because("Front-ends reach that instead of the service.").
		do("find out who has the port", p.root("ss", "-ltnp"))
}

// askHere asks for the health check at an address of this machine.
func (p *patient) askHere(ctx context.Context, a address, network, addr string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	dialer := &net.Dialer{Timeout: 3 * time.Second}
	client := &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, addr)
			},
			DisableKeepAlives: true,
			// Whether the certificate is a good one, 'certificate' and 'public' tell.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: p.cfg.Web.Host},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	scheme := "http"
	if a.tls {
		scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://scalelite.invalid/health_check", nil)
	if err != nil {
		return 0, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	return response.StatusCode, strings.TrimSpace(string(text)), err
}

// free is about the port of a service that does not run.
func (p *patient) free(a address, host, port string) Finding {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return skip(a.value, "%s names its port by a word", a.key)
	}
	addr, _ := netip.ParseAddr(host)
	taken, ok := atPort(listeners(p.sys.Proc), addr, uint16(number))
	if !ok || number == 0 {
		return good(a.value, "port %s of %s is free for the service, which does not run", port, a.key)
	}
	by := holderOf(p.sys.Proc, taken.inode)
	if by.pid == 1 && p.keptForService() {
		return good(a.value, "systemd keeps port %s of %s for the service, which does not run", port, a.key)
	}
	f := fail(a.value, "port %s of %s is taken by %s", port, a.key, by).because("The service cannot start: its port must be free.")
	other := fmt.Sprintf(`or let the service listen elsewhere: %s in %s`, a.key, p.configFile())
	switch {
	case by.unit != "" && by.unit != unitName:
		return f.do("stop that program for good, "+other, p.root("systemctl", "disable", "--now", by.unit), p.control("restart"))
	case by.pid == 1 && isDir(p.sys.Systemd):
		return f.do("see which socket unit has it, and switch that off, "+other, p.root("systemctl", "list-sockets", "--all"), p.root("ss", "-ltnp"))
	case by.pid > 1:
		return f.do("stop that program, "+other, p.root("kill", strconv.Itoa(by.pid)), p.control("restart"))
	}
	if by.pid == 0 && p.sys.UID != 0 {
		return f.do("see which program it is, as root", p.rootScalelite("doctor", "--only", "ports"))
	}
	return f.do("see which program it is, "+other, p.root("ss", "-ltnp"))
}

// keptForService tells whether what the first process of the machine has is for the
// service: systemd keeps its sockets while it is started anew, and those of a
// socket unit for as long as that runs. Another socket unit is in the way.
func (p *patient) keptForService() bool {
	stored, told := p.unitState["NFileDescriptorStore"]
	return isDir(p.sys.Systemd) && (!told || stored != "0" || strings.Contains(p.unitState["TriggeredBy"], ".socket"))
}
