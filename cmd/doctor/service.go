package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"scalelite/store/kv"
)

// service tells whether it runs, and in which version.
func (p *patient) service(context.Context) []Finding {
	const why = "Nobody can start or join a meeting through it, and no recording comes in."
	switch {
	case p.live():
		return []Finding{p.running()}
	case errors.Is(p.poolError, fs.ErrPermission):
		return []Finding{p.needsRoot("", "you may not use the admin socket "+p.cfg.Web.AdminSocket+", nor the database")}
	case errors.Is(p.poolError, kv.ErrLocked):
		return []Finding{fail("", "nobody answers on the admin socket %s, but another process has the database", p.cfg.Web.AdminSocket).
			because("Commands cannot reach the service: it was started with another configuration, is just starting or stopping, or hangs.").
			do("see who has it, and restart the service", p.root("fuser", "-v", p.cfg.Store.Path), p.control("restart"))}
	case p.info.Daemon && p.info.Version != p.o.Version: // an older one may not know what it is asked
		return []Finding{p.running()}
	case p.unanswered():
		return []Finding{fail("", "the service does not answer as it should: %s", firstLine(p.poolError.Error())).
			because(why).do("restart it, and look into its log", p.restartAndLook()...)}
	}
	found := fail("", "it does not run: nobody answers on %s", p.cfg.Web.AdminSocket).because(why)
	return []Finding{found.do("start it; if it does not stay, its log says why", append([]string{p.control("start")}, p.log("-n", "50")...)...)}
}

// unanswered: a service runs, but did not tell what it was asked.
func (p *patient) unanswered() bool {
	return p.info.Daemon && p.poolError != nil || errors.Is(p.poolError, ErrUnreachable)
}

func (p *patient) running() Finding {
	since := ""
	if started, err := time.Parse(time.RFC3339, p.info.Started); err == nil {
		since = ", for " + age(p.sys.Now().Sub(started))
	}
	if p.info.Version != p.o.Version {
		return warn("", "version %s runs%s, but version %s is installed", p.info.Version, since, p.o.Version).
			because("What the upgrade mends counts after a restart only, and new commands may not work with the former version.").
			do("restart it: no meeting notices", p.control("restart"))
	}
	return good("", "version %s runs as user %s%s", p.info.Version, p.who.name, since)
}

// askSystemd returns the properties of the unit, nil if no systemd runs here.
func (p *patient) askSystemd(ctx context.Context) map[string]string {
	if !isDir(p.sys.Systemd) {
		return nil
	}
	out, err := p.sys.Command(ctx, "systemctl", "show", unitName, "--property=LoadState,UnitFileState,ActiveState,SubState,"+
		"Result,NRestarts,NeedDaemonReload,User,SupplementaryGroups,LimitNOFILE,NFileDescriptorStore,TriggeredBy,ProtectSystem,ReadWritePaths")
	if err != nil {
		return nil
	}
	state := map[string]string{}
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			state[key] = value
		}
	}
	return state
}

// unit tells whether systemd starts the service with the machine.
func (p *patient) unit(ctx context.Context) []Finding {
	switch {
	case !isDir(p.sys.Systemd):
		return []Finding{skip("", "systemd does not run this machine")}
	case p.unitState == nil:
		_, err := p.sys.Command(ctx, "systemctl", "--version")
		if errors.Is(err, exec.ErrNotFound) {
			return []Finding{skip("", "there is no systemctl")}
		}
		return []Finding{p.needsRoot("", "systemctl does not tell about "+unitName)}
	case p.unitState["LoadState"] == "not-found":
		return []Finding{skip("", "there is no unit %s: the program was not installed by its package", unitName)}
	case p.unitState["LoadState"] != "loaded":
		return []Finding{fail("", "%s cannot be loaded: %s", unitName, p.unitState["LoadState"]).
			because("systemd cannot start the service.").
			do("see what is wrong with it", "systemctl status "+unitName, "systemctl cat "+unitName)}
	}
	return p.unitFindings()
}

func (p *patient) unitFindings() []Finding {
	var found []Finding
	switch state := p.unitState["UnitFileState"]; state {
	case "enabled", "enabled-runtime", "static", "linked", "alias", "generated":
		found = append(found, good("", "%s is %s", unitName, state))
	case "masked", "masked-runtime":
		found = append(found, fail("", "%s is masked", unitName).because("systemd refuses to start the service.").
			do("take the mask off", p.root("systemctl", "unmask", "scalelite"), p.root("systemctl", "enable", "--now", "scalelite")))
	default:
		found = append(found, warn("", "%s is %s", unitName, state).because("After the next restart of the machine the service does not run.").
			do("have it started with the machine", p.root("systemctl", "enable", "scalelite")))
	}
	if p.unitState["NeedDaemonReload"] == "yes" {
		found = append(found, warn("", "the files of the unit have changed since systemd has read them").
			because("The service runs by the former ones.").
			do("have them read, and restart the service", p.root("systemctl", "daemon-reload"), p.control("restart")))
	}
	const often = 3
	if n, err := strconv.Atoi(p.unitState["NRestarts"]); err == nil && n >= often {
		found = append(found, warn("", "systemd had to start it again %d times since it was last started by hand", n).
			because("It ends by itself; each time calls fail until it is back.").
			do("its log says why", "journalctl -u scalelite -p warning -n 100"))
	}
	return found
}
