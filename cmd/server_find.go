package cmd

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/web/admin"
)

// hostname is the host of a server's URL, which may lack the scheme; with the
// port if there is one.
func hostname(serverURL string) string {
	s := strings.TrimSpace(serverURL)
	if !strings.Contains(s, "://") {
		s = "//" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return serverURL
	}
	return strings.ToLower(u.Host)
}

// findServer returns the server that an argument means: its ID, or the host of
// its URL if only one has it.
func findServer(ctx context.Context, svc admin.Service, arg string) (balancer.ServerInfo, error) {
	servers, err := svc.Servers(ctx)
	if err != nil {
		return balancer.ServerInfo{}, err
	}
	return pickServer(servers, arg)
}

func pickServer(servers []balancer.ServerInfo, arg string) (balancer.ServerInfo, error) {
	var found []balancer.ServerInfo
	for _, s := range servers {
		if s.ID == arg {
			return s, nil
		}
		host := hostname(s.URL)
		bare, _, _ := strings.Cut(host, ":")
		if strings.EqualFold(arg, host) || strings.EqualFold(arg, bare) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if len(servers) == 0 {
			return balancer.ServerInfo{}, fmt.Errorf("there is no server %q. %s", arg, noServers)
		}
		return balancer.ServerInfo{}, fmt.Errorf("there is no server %q; there are:\n%s", arg, nameServers(servers))
	}
	return balancer.ServerInfo{}, fmt.Errorf("%d servers have the host %q; say the id of one:\n%s", len(found), arg, nameServers(found))
}

// maxNamed bounds how many servers a message names.
const maxNamed = 10

// nameServers lists servers with ID and host, one a line.
func nameServers(servers []balancer.ServerInfo) string {
	var b strings.Builder
	for i, s := range servers {
		if i == maxNamed {
			fmt.Fprintf(&b, "  and %d more, see: scalelite servers", len(servers)-maxNamed)
			break
		}
		b.WriteString("  " + s.ID)
		if host := hostname(s.URL); host != s.ID {
			b.WriteString("  " + host)
		}
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n")
}

// label names a server in messages.
func label(s balancer.ServerInfo) string {
	if host := hostname(s.URL); host != s.ID {
		return fmt.Sprintf("%s (%s)", host, s.ID)
	}
	return s.ID
}

// completionTime bounds what a press of the tab key may take.
const completionTime = time.Second

// completeServers offers the IDs and hosts of servers. Only the running service
// is asked: a press of the tab key must not open a database.
func (a *app) completeServers(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp
	if strings.HasSuffix(c.Use, " ID") && len(args) > 0 {
		return nil, directive
	}
	l, err := a.config()
	if err != nil {
		return nil, directive
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	servers, err := a.dial(l.Config.Web.AdminSocket).Servers(ctx)
	if err != nil {
		return nil, directive
	}
	var offers []string
	for _, s := range servers {
		offers = append(offers, s.ID+"\t"+hostname(s.URL)+", "+string(s.State))
	}
	return offers, directive
}
