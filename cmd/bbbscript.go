package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/cmd/config"
	"scalelite/systemd/bbbside"
	"scalelite/web"
	"scalelite/web/admin"
)

// bbbScript are the flags of bbb-script.
type bbbScript struct {
	server, transfer, url string
	ssh                   bbbside.Target
	link                  bool
}

func newBBBScriptCommand(a *app) *cobra.Command {
	var o bbbScript
	c := &cobra.Command{
		Use:   "bbb-script",
		Short: "Print the script that sets a BBB server up to send its recordings",
		Long: `Prints the script to run as root on a BBB server, so that it sends its recordings
here, and on standard error a line that fetches and runs it there. The link in
that line is for this one server and valid for an hour. There is no secret in
either.

Recordings are uploaded over HTTPS, signed with the secret that the BBB server
has anyway. With --transfer ssh they are put into the spool by rsync, with a key
that the script makes and 'scalelite recordings authorize-key' lets in.

The address that BBB servers reach this service at is https:// and web.host;
--url says another one, with a port or with http://, but of a host that this
service answers to. For http:// there is no line, but on this machine itself:
what root runs must not come over the network in the clear.

On the BBB server 'scalelite-send uninstall' removes all that the script made,
whether or not the server is in the pool by then.`,
		Example: `  scalelite bbb-script --server bbb1.example.com > setup.sh
  scalelite bbb-script --server bbb1.example.com --link
  scalelite bbb-script --transfer ssh --ssh-host spool.example.com --link`,
		GroupID: groupSetup,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := a.config()
			if err != nil {
				return err
			}
			return a.with(c.Context(), reads, func(svc admin.Service) error { return a.bbbScript(c.Context(), svc, l, o) })
		},
	}
	c.Flags().StringVar(&o.server, "server", "", "`ID` or host of the server (default: the only one)")
	c.Flags().StringVar(&o.transfer, "transfer", string(bbbside.Upload), "way of the recordings: upload or ssh")
	c.Flags().StringVar(&o.url, "url", "", "address of this service, as the BBB server reaches it")
	c.Flags().BoolVar(&o.link, "link", false, "print the line that fetches the script, instead of the script")
	c.Flags().StringVar(&o.ssh.User, "ssh-user", bbbside.DefaultSSHUser, "user that the key is let in for, with --transfer ssh")
	c.Flags().StringVar(&o.ssh.Host, "ssh-host", "", "host to reach by SSH (default: that of the address)")
	c.Flags().IntVar(&o.ssh.Port, "ssh-port", 22, "port of its SSH server")
	_ = c.RegisterFlagCompletionFunc("server", a.completeServers)
	_ = c.RegisterFlagCompletionFunc("transfer", cobra.FixedCompletions([]string{"upload", "ssh"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) bbbScript(ctx context.Context, svc admin.Service, l *config.Loaded, o bbbScript) error {
	server, err := onlyServer(ctx, svc, o.server)
	if err != nil {
		return err
	}
	params := bbbside.Params{Server: server.ID, Host: bareHost(server.URL), Transfer: bbbside.Transfer(o.transfer), SSH: o.ssh}
	if params.SSH.Spool, err = filepath.Abs(l.Config.Recordings.SpoolDir); err != nil {
		return err
	}
	if params.Balancer, err = publicURL(l.Config.Web, o.url); err != nil {
		return err
	}
	script, err := bbbside.Script(params)
	if err != nil {
		return usage("%s", err)
	}
	link, err := bbbside.Link(params, server.Secret.Reveal(), a.now())
	if err != nil {
		return err
	}
	exposed, err := inTheClear(params.Balancer)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("curl -fsS '%s' | sudo bash", link)
	switch {
	case exposed && o.link:
		return usage("%s is no https:// address: whoever is on the way could put another script in the place of this one, to be run by root. Print the script without --link and copy it over", params.Balancer)
	case o.link:
		_, err := fmt.Fprintln(a.stdout, line)
		return errors.Join(err, a.explainLink(server))
	}
	if _, err := a.stdout.Write(script); err != nil {
		return err
	}
	if exposed {
		fmt.Fprintf(a.stderr, `This is the script for %s. Copy it there and run it as root. There is no line to
fetch it with, as %s is no https:// address.
`, label(server), params.Balancer)
		return nil
	}
	fmt.Fprintf(a.stderr, "This is the script for %s. Run it there as root, or fetch it there with:\n\n  %s\n\n", label(server), line)
	return a.explainLink(server)
}

// inTheClear reports whether what comes from an address can be read and changed
// on its way to another machine.
func inTheClear(address string) (bool, error) {
	u, err := url.Parse(address)
	if err != nil {
		return false, err
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := strings.EqualFold(u.Hostname(), "localhost") || err == nil && ip.Unmap().IsLoopback()
	return u.Scheme != "https" && !local, nil
}

func (a *app) explainLink(server balancer.ServerInfo) error {
	until := a.now().Add(bbbside.LinkTime).UTC()
	fmt.Fprintf(a.stderr, `The link is for %s and valid until %s UTC; after that curl says 403.
To send the recordings that are there already, put this at its end:  -s -- --existing
`, label(server), until.Format("15:04"))
	return nil
}

// onlyServer is the server that an argument means; without one, the only one.
func onlyServer(ctx context.Context, svc admin.Service, arg string) (balancer.ServerInfo, error) {
	if arg != "" {
		return findServer(ctx, svc, arg)
	}
	servers, err := svc.Servers(ctx)
	switch {
	case err != nil:
		return balancer.ServerInfo{}, err
	case len(servers) == 0:
		return balancer.ServerInfo{}, errors.New("there is no server yet. " + noServers)
	case len(servers) > 1:
		return balancer.ServerInfo{}, usage("there are %d servers; say which one with --server:\n%s", len(servers), nameServers(servers))
	}
	return servers[0], nil
}

// bareHost is the host of a server's URL without the port: what a token of the
// server names as its issuer.
func bareHost(serverURL string) string {
	host := hostname(serverURL)
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// publicURL is the address that BBB servers reach the service at.
func publicURL(c web.Config, given string) (string, error) {
	if given != "" {
		if !strings.Contains(given, "://") {
			given = "https://" + given
		}
		u, err := url.Parse(given)
		if err != nil {
			return "", usage("--url: %q is no address", given)
		}
		if !c.Serves(u.Hostname()) {
			return "", usage("--url: this service does not answer to %s, but to %s (web.host, web.host_aliases)", u.Hostname(), strings.Join(append([]string{c.Host}, c.HostAliases...), ", "))
		}
		return u.Scheme + "://" + u.Host, nil
	}
	if c.Host == "" {
		return "", usage("web.host is not set: say with --url https://lb.example.com how the BBB server reaches this service")
	}
	// A service that speaks TLS itself may do so on another port than usual; the
	// port of one behind a proxy says nothing.
	if _, port, err := net.SplitHostPort(c.Listen); err == nil && c.TLS != web.TLSOff && port != "443" && port != "" {
		return "https://" + net.JoinHostPort(c.Host, port), nil
	}
	return "https://" + c.Host, nil
}
