package doctor

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	// enoughFiles is what a busy service needs: each person who watches a recording,
	// each call and each connection to a server takes one.
	enoughFiles = 4096
	// memoryLow and memoryNone are bytes that should be available to programs.
	memoryLow, memoryNone = 100 << 20, 30 << 20
)

// limits looks how many files the service may have open.
func (p *patient) limits(context.Context) []Finding {
	most, open := p.exam.Process.MaxFiles, p.exam.Process.OpenFiles
	if !p.live() || most == 0 {
		n, err := strconv.ParseUint(p.unitState["LimitNOFILE"], 10, 64)
		if err != nil {
			return []Finding{skip("", "neither the service nor systemd tells")}
		}
		most, open = n, 0
	}
	const why = "Each connection takes one; without any left, calls fail and nothing can be imported."
	raise := "allow more, and restart the service"
	switch {
	case most < enoughFiles:
		return []Finding{warn("", "the service may have %d files open", most).because(why).do(raise, p.dropIn("limits", "LimitNOFILE=65536")...)}
	case open > 0 && uint64(open) > most/10*8:
		return []Finding{fail("", "the service has %d files open, of %d that it may", open, most).because(why).do(raise, p.dropIn("limits", "LimitNOFILE="+strconv.FormatUint(4*most, 10))...)}
	case open > 0:
		return []Finding{good("", "the service has %d files open, of %d that it may", open, most)}
	}
	return []Finding{good("", "the service may have %d files open", most)}
}

// memory looks how much is left for programs, as the kernel estimates it.
func (p *patient) memory(context.Context) []Finding {
	f, err := os.Open(filepath.Join(p.sys.Proc, "meminfo"))
	if err != nil {
		return []Finding{skip("", "the system does not tell how much memory is left")}
	}
	defer f.Close()
	value := map[string]int64{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, rest, _ := strings.Cut(lines.Text(), ":")
		if fields := strings.Fields(rest); len(fields) > 0 {
			if n, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
				value[key] = n << 10
			}
		}
	}
	left, ok := value["MemAvailable"]
	if !ok {
		return []Finding{skip("", "the system does not tell how much memory is left")}
	}
	const why = "When it is used up the kernel ends programs, this one perhaps."
	most := shell("ps", "-eo", "rss,comm", "--sort=-rss") + " | head"
	switch {
	case left < memoryNone:
		return []Finding{fail("", "%s of %s are left", size(left), size(value["MemTotal"])).because(why).do("see who takes it, and give the machine more", most)}
	case left < memoryLow:
		return []Finding{warn("", "%s of %s are left", size(left), size(value["MemTotal"])).because(why).do("see who takes it, and give the machine more", most)}
	}
	return []Finding{good("", "%s of %s are left", size(left), size(value["MemTotal"]))}
}

// clock looks whether somebody keeps the clock right.
func (p *patient) clock(context.Context) []Finding {
	kept, err := p.sys.Synchronised()
	switch {
	case err != nil:
		return []Finding{skip("", "the system does not tell whether the clock is kept right")}
	case !kept:
		return []Finding{warn("", "nobody keeps the clock of this machine right").
			because("Links to protected recordings and uploads of BBB servers carry times; certificates are judged by it.").
			do("switch time synchronisation on; on Debian and Ubuntu systemd-timesyncd or chrony does it", p.root("timedatectl", "set-ntp", "true"), "timedatectl")}
	}
	return []Finding{good("", "the clock of this machine is kept right")}
}
