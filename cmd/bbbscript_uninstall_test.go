package cmd

import (
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A server that the load balancer does not know any more, which is gone itself,
// is left as it was found, also by a second run and after half of a first one.
func TestUninstallWithoutALoadBalancer(t *testing.T) {
	t.Parallel()
	for transfer, says := range map[string]string{"upload": "removed: " + bbbHook, "ssh": "scalelite recordings revoke-key 'SHA256:"} {
		t.Run(transfer, func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, "")
			p.start()
			m := newMachine(t, p)
			m.joinPool()
			flags := []string{"--transfer", transfer}
			if transfer == "ssh" {
				server := newSSHServer(t, m)
				m.before = m.state()
				_, port, _ := net.SplitHostPort(server.address)
				flags = append(flags, "--ssh-host", "127.0.0.1", "--ssh-port", port)
			}
			m.mustSetup(flags)
			r := made{id: id("unsent"), meeting: "room", version: 1, formats: []string{"podcast"}}
			m.publish(r)
			m.asUser("echo > " + bbbState + "/queue/" + r.id)
			p.mustRun("servers", "remove", "bbb1", "--yes")
			if err := p.stop(); err != nil {
				t.Fatal(err)
			}

			installed := m.state()
			if out, err := m.run("runuser", "-u", bbbUser, "--", "scalelite-send", "uninstall"); exitCode(err) != exitFailure || !strings.Contains(out, "must be run as root") {
				t.Errorf("by another user: %v %s", err, out)
			}
			if diff := cmp.Diff(installed, m.state()); diff != "" {
				t.Errorf("another user changed something:\n%s", diff)
			}
			m.must("cp", "/usr/local/lib/scalelite-send/uninstall", "/run/uninstall")
			if transfer == "ssh" {
				m.must("rm", bbbConfig)
			}
			out := m.must("scalelite-send", "uninstall")
			for _, want := range []string{"1 recordings were not sent yet", says, "removed: /usr/local/lib/scalelite-send/"} {
				if !strings.Contains(out, want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
			m.asBefore()
			if out := m.must("bash", "/run/uninstall"); !strings.Contains(out, "nothing was there") {
				t.Errorf("a second time:\n%s", out)
			}
			m.asBefore()
		})
	}
}
