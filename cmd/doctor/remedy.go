package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"scalelite/cmd/config"
)

// quote writes an argument so that a shell takes it as it is.
func quote(arg string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,"
	if arg != "" && strings.Trim(arg, plain) == "" {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// shell is a command of words that need quoting.
func shell(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// root is a command that root types, as whoever asks would type it.
func (p *patient) root(words ...string) string {
	if p.sys.UID != 0 {
		words = slices.Insert(words, 0, "sudo")
	}
	return shell(words...)
}

// scalelite is a command of this program, on the same configuration.
func (p *patient) scalelite(words ...string) string {
	all := []string{"scalelite"}
	if p.o.ConfigFile != "" {
		all = append(all, "--config", p.o.ConfigFile)
	}
	return shell(append(all, words...)...)
}

// asOperator is scalelite for what needs the admin socket.
func (p *patient) asOperator(words ...string) string {
	if p.poolError != nil {
		return p.rootScalelite(words...)
	}
	return p.scalelite(words...)
}

// rootScalelite is scalelite as root types it.
func (p *patient) rootScalelite(words ...string) string {
	if p.sys.UID != 0 {
		return "sudo " + p.scalelite(words...)
	}
	return p.scalelite(words...)
}

// configFile is the file to edit.
func (p *patient) configFile() string {
	switch {
	case p.o.Config != nil && p.o.Config.File != "":
		return p.o.Config.File
	case p.o.ConfigFile != "":
		return p.o.ConfigFile
	}
	return config.SystemFile
}

// edit is how the configuration is changed; restart: it counts after one only.
func (p *patient) edit(restart bool) []string {
	verb := "reload"
	if restart {
		verb = "restart"
	}
	return []string{p.root("editor", p.configFile()), p.scalelite("config", "check"), p.control(verb)}
}

// control has systemd start, stop, restart or reload the service; where it does
// not run it, whoever did start it does.
func (p *patient) control(verb string) string {
	if p.unitState["LoadState"] == "loaded" || p.unitState == nil && isDir(p.sys.Systemd) {
		return p.root("systemctl", verb, "scalelite")
	}
	pid := "PID"
	if p.live() {
		pid = strconv.Itoa(p.exam.Process.PID)
	}
	serve := p.scalelite("serve")
	switch {
	case verb == "reload":
		return shell("kill", "-HUP", pid)
	case verb == "stop":
		return shell("kill", pid)
	case verb == "restart" && p.live():
		return shell("kill", pid) + " && " + serve
	}
	return serve
}

// log is how the service's log is read, if systemd has it.
func (p *patient) log(filter ...string) []string {
	if p.unitState["LoadState"] != "loaded" {
		return nil
	}
	return []string{shell(append([]string{"journalctl", "-u", "scalelite"}, filter...)...)}
}

// restartAndLook restarts the service and reads what it says.
func (p *patient) restartAndLook() []string {
	return append([]string{p.control("restart")}, p.log("-n", "50")...)
}

// dropIn is how a setting of the unit is overridden for good, if there is one.
// What the file of that name has said before stays.
func (p *patient) dropIn(name, line string) []string {
	if p.unitState["LoadState"] != "loaded" {
		return nil
	}
	const dir = "/etc/systemd/system/scalelite.service.d"
	sudo := ""
	if p.sys.UID != 0 {
		sudo = "sudo "
	}
	return []string{
		p.root("mkdir", "-p", dir),
		fmt.Sprintf(`printf '[Service]\n%%s\n' %s | %stee -a %s`, quote(line), sudo, quote(dir+"/"+name+".conf")),
		p.root("systemctl", "daemon-reload"), p.control("restart"),
	}
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// count is "1 tarball", "2 tarballs".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// age is a span for people, in its two largest units.
func age(d time.Duration) string {
	days, hours, minutes := int(d/(24*time.Hour)), int(d%(24*time.Hour)/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case days >= 10 || days > 0 && hours == 0:
		return count(days, "day")
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, hours)
	case hours > 0 && minutes == 0:
		return fmt.Sprintf("%d h", hours)
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min", minutes)
	}
	return fmt.Sprintf("%d s", int(d/time.Second))
}

// firstLine is the beginning of a text that may be long.
func firstLine(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return text
}
