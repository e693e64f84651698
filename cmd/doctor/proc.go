package doctor

import (
	"bufio"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listener is a socket that somebody listens on.
type listener struct {
	addr  netip.AddrPort
	inode string
}

// holder is the process that has a socket; zero where the system does not tell.
type holder struct {
	pid  int
	name string
	unit string // of systemd: "nginx.service"
}

func (h holder) String() string {
	if h.pid == 0 {
		return "another process"
	}
	return h.name + ", process " + strconv.Itoa(h.pid)
}

// listeners are those of all processes, from net/tcp and net/tcp6 below proc.
func listeners(proc string) (all []listener) {
	for _, name := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(proc, "net", name))
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if l, ok := parseListener(lines.Text()); ok {
				all = append(all, l)
			}
		}
		_ = f.Close()
	}
	return all
}

// parseListener reads a line of net/tcp, see proc_net_tcp in the documentation of
// the kernel: the second field is the local address, the fourth the state, of
// which 0A is LISTEN, the tenth the inode.
func parseListener(line string) (listener, bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != "0A" {
		return listener{}, false
	}
	host, port, ok := strings.Cut(fields[1], ":")
	number, err := strconv.ParseUint(port, 16, 16)
	raw, errHex := hex.DecodeString(host)
	if !ok || err != nil || errHex != nil || len(raw)%4 != 0 {
		return listener{}, false
	}
	for word := range slices.Chunk(raw, 4) { // each in the order of the machine
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(raw)
	return listener{netip.AddrPortFrom(addr.Unmap(), uint16(number)), fields[9]}, ok
}

// atPort is the listener that a host and port would collide with; an invalid
// address stands for all.
func atPort(all []listener, host netip.Addr, port uint16) (listener, bool) {
	for _, l := range all {
		any := !host.IsValid() || host.IsUnspecified() || l.addr.Addr().IsUnspecified()
		if l.addr.Port() == port && (any || l.addr.Addr() == host) {
			return l, true
		}
	}
	return listener{}, false
}

// holderOf finds the process with the socket. Only root sees all of them.
func holderOf(proc, inode string) holder {
	pids, err := readNames(proc, -1)
	if err != nil {
		return holder{}
	}
	wanted := "socket:[" + inode + "]"
	for _, name := range pids {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		fds, err := readNames(filepath.Join(proc, name, "fd"), -1)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if target, err := os.Readlink(filepath.Join(proc, name, "fd", fd)); err == nil && target == wanted {
				return describe(proc, pid)
			}
		}
	}
	return holder{}
}

func describe(proc string, pid int) holder {
	h := holder{pid: pid, name: "an unknown program"}
	dir := filepath.Join(proc, strconv.Itoa(pid))
	if comm, err := os.ReadFile(filepath.Join(dir, "comm")); err == nil {
		h.name = strings.TrimSpace(string(comm))
	}
	cgroup, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if err != nil {
		return h
	}
	for line := range strings.Lines(string(cgroup)) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
			if strings.HasSuffix(part, ".service") {
				h.unit = part
			}
		}
	}
	return h
}
