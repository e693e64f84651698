package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/cmd/config"
	"scalelite/cmd/systemd"
	"scalelite/recordings"
)

// demoServers are the simulated servers: the second one is twice as strong.
var demoServers = []struct {
	name       string
	multiplier float64
}{{"bbb1", 1}, {"bbb2", 0.5}, {"bbb3", 1}}

func newDemoCommand(a *app) *cobra.Command {
	var listen string
	var classes bool
	c := &cobra.Command{
		Use:     "demo",
		GroupID: groupService,
		Short:   "Try it: three simulated servers and a pool in front of them",
		Long: `Start three simulated BBB servers on loopback and a pool in front of them, with
classes that people join and leave. Links to try and what to type next are
printed. Nothing is kept: Ctrl-C ends it and removes everything.`,
		Example: `  scalelite demo
  scalelite demo --listen 127.0.0.1:8080`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.demo(c.Context(), listen, classes)
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:3000", "`ADDRESS` of the pool; if it is taken, a free one is used")
	c.Flags().BoolVar(&classes, "classes", true, "simulate classes; --classes=false leaves the pool to you")
	return c
}

// demo runs the demonstration until ctx ends.
func (a *app) demo(ctx context.Context, listen string, classes bool) (err error) {
	if listen, err = freeAddress(ctx, listen); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "scalelite-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	servers, stopServers, err := startDemoServers()
	if err != nil {
		return err
	}
	defer stopServers()

	file, err := writeDemoConfig(dir, listen)
	if err != nil {
		return err
	}
	l, err := config.Load(config.Options{File: file, Getenv: func(string) string { return "" }})
	if err != nil {
		return err
	}
	log, _ := newLogger(config.Log{Format: "text", Level: "warn"}, a.stderr, false)
	s, err := startService(ctx, l, systemd.New(func(string) string { return "" }), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := addDemoServers(ctx, s, servers); err != nil {
		return err
	}

	front := demoFrontEnd{base: "http://" + reachable(s.addr) + "/bigbluebutton/api", secret: s.core.secrets[0]}
	a.printDemo(front, servers, file)
	if err := dropSample(l.Config.Recordings.SpoolDir); err != nil {
		return fmt.Errorf("put the sample recording into the spool: %w", err)
	}
	school := newSchool(front, servers, log)
	defer school.wait()
	if classes {
		school.start(ctx)
	}
	select {
	case err := <-s.failed:
		return err
	case <-ctx.Done():
		fmt.Fprintln(a.stdout, "\nThe demo is over; nothing is left behind.")
		return nil
	}
}

func startDemoServers() ([]*bbbtest.Server, func(), error) {
	var servers []*bbbtest.Server
	stop := func() {
		for _, s := range servers {
			s.Close()
		}
	}
	for _, d := range demoServers {
		s := bbbtest.New(bbbtest.Options{Name: d.name})
		if err := s.Start(); err != nil {
			stop()
			return nil, nil, fmt.Errorf("start the simulated server %s: %w", d.name, err)
		}
		servers = append(servers, s)
	}
	return servers, stop, nil
}

// freeAddress returns the address if it can be listened on; if it is taken, one
// with a free port on the same host.
func freeAddress(ctx context.Context, address string) (string, error) {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return address, ln.Close()
	}
	host, _, bad := net.SplitHostPort(address)
	if bad != nil || !errors.Is(err, syscall.EADDRINUSE) {
		return "", usage("--listen %s: %s", address, reasonOf(err))
	}
	return net.JoinHostPort(host, "0"), nil
}

// reasonOf is what an error of net says without the address.
func reasonOf(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// reachable is the address under which a listener is called from this machine.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
}

func writeDemoConfig(dir, listen string) (string, error) {
	file := filepath.Join(dir, "config.toml")
	r := recordings.DefaultConfig().Below(dir)
	text := fmt.Sprintf(`[web]
listen = %q
admin_socket = %q
[store]
path = %q
[balancer]
poll_interval = "2s"
[recordings]
spool_dir = %q
work_dir = %q
published_dir = %q
unpublished_dir = %q
failed_dir = %q
min_free = "10MB"
`, listen, filepath.Join(dir, "admin.sock"), filepath.Join(dir, "scalelite.db"),
		r.SpoolDir, r.WorkDir, r.PublishedDir, r.UnpublishedDir, r.FailedDir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write the demo's configuration: %w", err)
	}
	return file, nil
}

func addDemoServers(ctx context.Context, s *service, servers []*bbbtest.Server) error {
	for i, d := range demoServers {
		_, err := s.core.pool.AddServer(ctx, balancer.NewServer{
			ID: d.name, URL: servers[i].URL(), Secret: bbb.Secret(servers[i].Secret()),
			LoadMultiplier: d.multiplier, Enable: true,
		})
		if err != nil {
			return fmt.Errorf("add the simulated server %s: %w", d.name, err)
		}
	}
	_, err := s.core.pool.Poll(ctx)
	return err
}

// printDemo says what there is, which links to try and what to type next.
func (a *app) printDemo(front demoFrontEnd, servers []*bbbtest.Server, file string) {
	program := os.Args[0]
	if strings.Contains(program, "go-build") { // go run
		program = "go run ."
	}
	create := front.link("create", "name", "Demo room", "meetingID", "demo-room", "attendeePW", "ap", "moderatorPW", "mp",
		"welcome", "Welcome to the demo")
	room := []string{"meetingID", "demo-room"}
	fmt.Fprint(a.stdout, "A pool of three simulated BBB servers is running:\n\n")
	for i, d := range demoServers {
		fmt.Fprintf(a.stdout, "  %s    %s\n", d.name, hostname(servers[i].URL()))
	}
	fmt.Fprintf(a.stdout, `
A front-end would get:

  URL     %s/
  Secret  %s

Links to try, in this order; the first one creates the room, the next two show
on which server it is:

  create             %s
  join as moderator  %s
  join as viewer     %s
  getMeetings        %s
  end                %s

A recording has just come into the spool and is imported as you read this:

  getRecordings      %[8]s
  play it            %[9]s

In a second terminal:

  %[10]s --config %[11]s status --watch
  %[10]s --config %[11]s meetings
  %[10]s --config %[11]s recordings
  %[10]s --config %[11]s servers cordon bbb1 --wait
  %[10]s --config %[11]s servers enable bbb1

Ctrl-C ends the demo.
`,
		front.base, front.secret.Reveal(), create,
		front.link("join", append(room, "fullName", "Ada", "role", "MODERATOR")...),
		front.link("join", append(room, "fullName", "Ben", "role", "VIEWER")...),
		front.link("getMeetings"),
		front.link("end", append(room, "password", "mp")...),
		front.link("getRecordings"), strings.TrimSuffix(front.base, "/bigbluebutton/api")+"/playback/presentation/2.3/"+sampleID,
		program, file)
}

// demoFrontEnd signs calls as a front-end does.
type demoFrontEnd struct {
	base   string
	secret bbb.Secret
}

// link returns a signed URL; pairs are names and values in turn.
func (f demoFrontEnd) link(call string, pairs ...string) string {
	var p bbb.Params
	for i := 0; i+1 < len(pairs); i += 2 {
		p.Set(pairs[i], pairs[i+1])
	}
	return f.base + "/" + call + "?" + bbb.Sign(bbb.SHA256, call, p.Encode(), f.secret)
}
