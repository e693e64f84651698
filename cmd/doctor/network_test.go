package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"scalelite/balancer/bbbtest"
	"scalelite/web/admin"
)

func TestPublicName(t *testing.T) {
	t.Parallel()
	addrs := func(texts ...string) (all []netip.Addr) {
		for _, text := range texts {
			all = append(all, netip.MustParseAddr(text))
		}
		return all
	}
	for name, c := range map[string]struct {
		leads, local []netip.Addr
		tls          string
		result       Result
		texts        []string
	}{
		"here":                     {addrs("203.0.113.10"), addrs("203.0.113.10"), "auto", OK, nil},
		"both families":            {addrs("203.0.113.10", "2001:db8::1"), addrs("203.0.113.10", "2001:db8::1"), "auto", OK, nil},
		"one family elsewhere":     {addrs("203.0.113.10", "2001:db8::9"), addrs("203.0.113.10", "2001:db8::1"), "auto", Warn, []string{"only 203.0.113.10 is this machine", "IPv6"}},
		"behind a router":          {addrs("203.0.113.10"), addrs("192.168.1.5"), "auto", Warn, []string{"private addresses only", "router", "curl"}},
		"elsewhere":                {addrs("203.0.113.99"), addrs("203.0.113.10"), "auto", Fail, []string{"leads to 203.0.113.99, but this machine is 203.0.113.10"}},
		"at a proxy":               {addrs("203.0.113.99"), addrs("203.0.113.10"), "off", Warn, []string{"proxy on another machine"}},
		"by its own list of hosts": {addrs("127.0.1.1"), addrs("203.0.113.10"), "auto", Warn, []string{"its own list of hosts", "getent ahosts lb.example.org"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.keys["web.tls"] = fmt.Sprintf("%q", c.tls)
			w.options.System.Lookup = func(context.Context, string) ([]netip.Addr, error) { return c.leads, nil }
			w.options.System.Local = func() ([]netip.Addr, error) { return c.local, nil }
			report := w.look("name")
			if len(report.Findings) != 1 {
				t.Fatalf("findings %+v", report.Findings)
			}
			report.Findings[0].want(t, c.result, c.texts...)
		})
	}
	t.Run("no such name", func(t *testing.T) {
		w := newWorld(t)
		w.keys["web.host"] = `"nowhere.example.org"`
		only(t, w.look("name")).want(t, Fail, "does not exist in the DNS", "A record")
	})
	t.Run("no name", func(t *testing.T) {
		w := newWorld(t)
		w.keys["web.host"] = `""`
		only(t, w.look("name")).want(t, Warn, "web.host is empty", "editor "+w.path("config.toml"))
	})
	t.Run("no DNS", func(t *testing.T) {
		w := newWorld(t)
		w.options.System.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "server misbehaving", IsTemporary: true}
		}
		only(t, w.look("name")).want(t, Warn, "the DNS does not answer", "resolv.conf")
	})
}

func TestPublicAddress(t *testing.T) {
	t.Parallel()
	status := func(code int, text string) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code); fmt.Fprint(rw, text) })
	}
	for name, c := range map[string]struct {
		set    func(w *world)
		result Result
		texts  []string
	}{
		"another service": {func(w *world) {
			other := bbbtest.New(bbbtest.Options{Secret: "its own"})
			t.Cleanup(other.Close)
			w.hosts["https://lb.example.org"] = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/health_check" {
					fmt.Fprint(rw, "success")
					return
				}
				other.ServeHTTP(rw, r)
			})
		}, Fail, []string{"refuses our own secret", "changes the query"}},
		"a web page":     {func(w *world) { w.hosts["https://lb.example.org"] = status(404, "no") }, Fail, []string{"something else answers", "404"}},
		"a lonely proxy": {func(w *world) { w.hosts["https://lb.example.org"] = status(502, "") }, Fail, []string{"proxy in front answers status 502"}},
		"a redirect":     {func(w *world) { w.hosts["https://lb.example.org"] = status(301, "") }, Fail, []string{"redirected"}},
		"not healthy":    {func(w *world) { *w.healthy = "failure: the spool is not writable" }, Fail, []string{"the spool is not writable"}},
		"without TLS": {func(w *world) {
			w.hosts["http://lb.example.org"] = w.hosts["https://lb.example.org"]
			delete(w.hosts, "https://lb.example.org")
		}, Warn, []string{"without TLS", "web.tls"}},
		"nobody": {func(w *world) { delete(w.hosts, "https://lb.example.org") }, Fail, []string{"the connection is refused", "firewall"}},
		"behind a router": {func(w *world) {
			delete(w.hosts, "https://lb.example.org")
			w.options.System.Local = func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("10.0.0.5")}, nil }
		}, Warn, []string{"does not answer this machine", "ask from outside"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.set(w)
			only(t, w.look("public")).want(t, c.result, c.texts...)
		})
	}
	t.Run("a bad certificate", func(t *testing.T) {
		w := newWorld(t)
		cert, key := w.pair(nil)
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		go func() { _ = server.Serve(ln) }()
		t.Cleanup(func() { _ = server.Close() })
		w.options.System.Public = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", ln.Addr().String())
		}}
		only(t, w.look("public")).want(t, Fail, "authority that this machine does not know", "certificate")
	})
}

// pair writes a certificate for lb.example.org and its key, as adjust changes it.
func (w *world) pair(adjust func(*x509.Certificate)) (cert, key string) {
	w.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "lb.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), DNSNames: []string{"lb.example.org"},
	}
	if adjust != nil {
		adjust(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		w.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		w.t.Fatal(err)
	}
	cert = w.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	key = w.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	w.keys["web.tls"], w.keys["web.tls_cert"], w.keys["web.tls_key"] = `"files"`, fmt.Sprintf("%q", cert), fmt.Sprintf("%q", key)
	return cert, key
}

func TestCertificateFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		adjust func(*x509.Certificate)
		set    func(w *world, cert, key string)
		result Result
		texts  []string
	}{
		"of an unknown authority": {nil, nil, Warn, []string{"does not know the authority"}},
		"expired":                 {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, nil, Fail, []string{"has expired", "openssl x509 -in"}},
		"not valid yet":           {func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, nil, Fail, []string{"is not valid before", "timedatectl"}},
		"soon over":               {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(73 * time.Hour) }, nil, Warn, []string{"expires on", "in 3 d"}},
		"of another name":         {func(c *x509.Certificate) { c.DNSNames = []string{"other.example.org"} }, nil, Fail, []string{"for other.example.org, not for web.host lb.example.org"}},
		"another's key": {nil, func(w *world, cert, _ string) {
			before, err := os.ReadFile(cert)
			if err != nil {
				w.t.Fatal(err)
			}
			w.pair(nil)
			w.write("cert.pem", string(before))
		}, Fail, []string{"are no pair", "openssl pkey"}},
		"no file": {nil, func(w *world, cert, _ string) {
			if err := os.Remove(cert); err != nil {
				w.t.Fatal(err)
			}
		}, Fail, []string{"web.tls_cert cannot be read: no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.stopped() // what a running one shows has a test of its own
			cert, key := w.pair(c.adjust)
			if c.set != nil {
				c.set(w, cert, key)
			}
			only(t, w.look("certificate")).want(t, c.result, c.texts...)
		})
	}
}

// TestKeyThatTheServiceCannotRead: typing what is said lets it.
func TestKeyThatTheServiceCannotRead(t *testing.T) {
	t.Parallel()
	asRoot(t)
	w := newWorld(t)
	w.asNobody()
	w.stopped()
	w.pair(nil)
	for range 4 { // certificate, key, and perhaps the directories above
		report := w.look("certificate")
		f := report.Findings[0]
		if f.Result == OK {
			return
		}
		f.want(t, Fail, "the service's user nobody cannot read")
		typed(t, f.Commands...)
	}
	t.Error("the commands do not let the service read its certificate")
}

func TestServedCertificateIsAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cert, key := w.pair(nil)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: w.front(), ReadHeaderTimeout: time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	w.keys["web.listen"], w.pool.info.Listen = fmt.Sprintf("%q", ln.Addr()), ln.Addr().String()
	w.keys["web.http_listen"] = `""`
	fine(t, w.look("ports"))
	only(t, w.look("certificate")).want(t, Warn, "does not know the authority")
	w.pair(nil)
	report := w.look("certificate")
	report.Findings[len(report.Findings)-1].want(t, Warn, "shows another certificate", "systemctl reload scalelite")
}

func TestACMECertificate(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		state  *admin.CertificateState
		result Result
		texts  []string
	}{
		"there":     {&admin.CertificateState{Names: []string{"lb.example.org"}, NotAfter: in(60 * day)}, OK, nil},
		"refused":   {&admin.CertificateState{Error: "http-01: connection: 203.0.113.10: Timeout"}, Fail, []string{"no certificate yet: http-01: connection", "ports 80 and 443", "systemctl reload"}},
		"late":      {&admin.CertificateState{Names: []string{"lb.example.org"}, NotAfter: in(9*day + time.Hour), Error: "rateLimited"}, Warn, []string{"in 9 d", "renew it failed: rateLimited"}},
		"expired":   {&admin.CertificateState{Names: []string{"lb.example.org"}, NotAfter: in(-day)}, Fail, []string{"has expired"}},
		"renamed":   {&admin.CertificateState{Names: []string{"old.example.org"}, NotAfter: in(60 * day)}, Fail, []string{"not for web.host"}},
		"one fails": {&admin.CertificateState{Names: []string{"lb.example.org"}, NotAfter: in(60 * day), Error: "lb.example.org: rateLimited"}, Warn, []string{"valid until", "renew it failed: lb.example.org: rateLimited", "systemctl reload"}},
		"settled":   {nil, Skipped, []string{"systemctl restart"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.keys["web.tls"] = `"auto"`
			w.pool.exam.Certificate = c.state
			report := w.look("certificate")
			if len(report.Findings) != 1 {
				t.Fatalf("findings %+v", report.Findings)
			}
			report.Findings[0].want(t, c.result, c.texts...)
		})
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	t.Run("not healthy", func(t *testing.T) {
		w := newWorld(t)
		*w.healthy = "failure: the database is read-only"
		only(t, w.look("ports")).want(t, Fail, "the database is read-only", "doctor --only")
	})
	t.Run("another program", func(t *testing.T) {
		w := newWorld(t)
		*w.healthy = "busy"
		only(t, w.look("ports")).want(t, Fail, "something else answers", "ss -ltnp")
	})
	t.Run("the address was changed", func(t *testing.T) {
		w := newWorld(t)
		w.pool.info.Listen = "127.0.0.1:1"
		only(t, w.look("ports")).want(t, Warn, "listens on 127.0.0.1:1", "systemctl restart")
	})
	t.Run("a socket", func(t *testing.T) {
		w := newWorld(t)
		ln, err := net.Listen("unix", w.path("web.sock"))
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: w.front(), ReadHeaderTimeout: time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		go func() { _ = server.Serve(ln) }()
		t.Cleanup(func() { _ = server.Close() })
		w.keys["web.listen"] = fmt.Sprintf("%q", "unix:"+w.path("web.sock"))
		fine(t, w.look("ports"))
		_ = server.Close()
		only(t, w.look("ports")).want(t, Fail, "nobody answers on web.listen")
	})
	t.Run("taken by us", func(t *testing.T) {
		w := newWorld(t)
		w.stopped()
		w.options.System.Proc = "/proc"
		if len(listeners("/proc")) == 0 {
			t.Skip("the system does not tell who listens")
		}
		_, port, _ := net.SplitHostPort(w.service.Listener.Addr().String())
		only(t, w.look("ports")).want(t, Fail, "port "+port+" of web.listen is taken by ", fmt.Sprintf("process %d", os.Getpid()), fmt.Sprintf("kill %d", os.Getpid()))
		w.service.Close()
		fine(t, w.look("ports"))
	})
}

// TestPortOfAUnit: who has the port is told with the unit to switch off.
func TestPortOfAUnit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stopped()
	w.keys["web.listen"], w.keys["web.tls"], w.keys["web.tls_cert"], w.keys["web.tls_key"] = `":443"`, `"files"`, `"/c"`, `"/k"`
	w.write("proc/net/tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"+
		"   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"+
		"   1: 0100007F:01BB 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n"+
		"   2: nonsense\n   3: 00000000:ZZZZ x 0A 1 1 1 1 1 1 1\n")
	w.write("proc/net/tcp6", "   0: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 0 0 0 0 0 4713\n")
	w.write("proc/812/comm", "nginx\n")
	w.write("proc/812/cgroup", "0::/system.slice/nginx.service\n")
	w.mkdir("proc/812/fd")
	for fd, inode := range map[string]string{"6": "4711", "7": "4712"} { // the second is a connection, no listener
		if err := os.Symlink("socket:["+inode+"]", w.path("proc/812/fd", fd)); err != nil {
			t.Fatal(err)
		}
	}
	report := w.look("ports")
	if len(report.Findings) != 2 {
		t.Fatalf("findings %+v", report.Findings)
	}
	report.Findings[0].want(t, Fail, "port 443 of web.listen is taken by another process")
	report.Findings[1].want(t, Fail, "port 80 of web.http_listen is taken by nginx, process 812", "systemctl disable --now nginx.service")
	if strings.Contains(report.Findings[1].Found, "4711") {
		t.Error("the inode is no news for people")
	}
}

// TestPortThatSystemdKeeps: systemd holds the sockets of the service while it is
// started anew, and those of a socket unit. Nobody is told to stop process 1.
func TestPortThatSystemdKeeps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stored, triggered string
		result            Result
		texts             []string
	}{
		"between two starts":    {"2", "", OK, []string{"systemd keeps port 3998 of web.listen for the service"}},
		"of its socket unit":    {"0", "scalelite.socket", OK, []string{"systemd keeps port 3998"}},
		"of another's unit":     {"0", "", Fail, []string{"port 3998 of web.listen is taken by systemd", "systemctl list-sockets"}},
		"systemd does not tell": {"", "", OK, []string{"systemd keeps port 3998"}},
		"in a container":        {"none", "", Fail, []string{"port 3998 of web.listen is taken by init, process 1", "ss -ltnp"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.stopped()
			w.keys["web.listen"] = `"127.0.0.1:3998"`
			comm := "systemd\n"
			switch w.unit["TriggeredBy"] = c.triggered; c.stored {
			case "":
			case "none":
				comm, w.options.System.Systemd = "init\n", w.path("nothing")
			default:
				w.unit["NFileDescriptorStore"] = c.stored
			}
			w.write("proc/net/tcp", "   0: 0100007F:0F9E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n")
			w.write("proc/1/comm", comm)
			w.write("proc/1/cgroup", "0::/init.scope\n")
			w.mkdir("proc/1/fd")
			if err := os.Symlink("socket:[4711]", w.path("proc/1/fd/40")); err != nil {
				t.Fatal(err)
			}
			f := w.look("ports").Findings[0]
			f.want(t, c.result, c.texts...)
			if strings.Contains(strings.Join(f.Commands, "\n"), "kill") {
				t.Errorf("tells to end process 1: %q", f.Commands)
			}
		})
	}
}

// TestAliases: each name in web.host_aliases is looked at as web.host is.
func TestAliases(t *testing.T) {
	t.Parallel()
	const alias = "old.example.org"
	in60Days := time.Now().Add(60 * 24 * time.Hour)
	aliased := func(t *testing.T) *world {
		w := newWorld(t)
		w.keys["web.host_aliases"] = fmt.Sprintf("[%q]", alias)
		return w
	}
	t.Run("without a certificate by ACME", func(t *testing.T) {
		w := aliased(t)
		w.keys["web.tls"] = `"auto"`
		w.pool.exam.Certificate = &admin.CertificateState{Names: []string{"lb.example.org"}, NotAfter: in60Days, Error: alias + ": http-01: dns: NXDOMAIN"}
		only(t, w.look("certificate")).want(t, Fail, "for lb.example.org, not for web.host_aliases "+alias, "http-01: dns: NXDOMAIN", "systemctl restart")
		w.pool.exam.Certificate = &admin.CertificateState{Names: []string{"lb.example.org", alias}, NotAfter: in60Days}
		fine(t, w.look("certificate"))
	})
	t.Run("not in the certificate of the files", func(t *testing.T) {
		w := aliased(t)
		w.stopped()
		w.pair(nil)
		only(t, w.look("certificate")).want(t, Fail, "not for web.host_aliases "+alias)
		w.pair(func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, alias) })
		only(t, w.look("certificate")).want(t, Warn, "does not know the authority")
	})
	t.Run("not in the DNS", func(t *testing.T) {
		only(t, aliased(t).look("name")).want(t, Fail, alias, "does not exist in the DNS", "correct web.host_aliases")
	})
	t.Run("elsewhere", func(t *testing.T) {
		w := aliased(t)
		w.keys["web.tls"] = `"auto"`
		lookup := w.options.System.Lookup
		w.options.System.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			if host == alias {
				return []netip.Addr{netip.MustParseAddr("203.0.113.99")}, nil
			}
			return lookup(ctx, host)
		}
		only(t, w.look("name")).want(t, Fail, alias, "leads to 203.0.113.99", "or web.host_aliases")
	})
	t.Run("nobody answers", func(t *testing.T) {
		w := aliased(t)
		only(t, w.look("public")).want(t, Fail, "https://"+alias, "the connection is refused")
		w.hosts["https://"+alias] = w.hosts["https://lb.example.org"]
		fine(t, w.look("public"))
	})
}
