package cmd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// supervisor does systemd's part for a process under test: it hears what the
// process tells, keeps the sockets that it is given, and passes them on to the
// next process.
type supervisor struct {
	t    testing.TB
	p    *process
	conn *net.UnixConn
	name string
	// watchdog is what the process is asked for; 0: nothing.
	watchdog time.Duration

	mu     sync.Mutex
	said   []said
	stored []storedSocket
}

// said is one message of the process.
type said struct {
	at    time.Time
	lines []string
}

type storedSocket struct {
	name string
	file *os.File
}

func supervise(t testing.TB, p *process) *supervisor {
	t.Helper()
	s := &supervisor{t: t, p: p, name: filepath.Join(p.dir, "notify")}
	var err error
	if s.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.name, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.listen()
	}()
	t.Cleanup(func() {
		p.kill()
		_ = s.conn.Close()
		<-done
		for _, socket := range s.stored {
			_ = socket.file.Close()
		}
	})
	return s
}

func (s *supervisor) listen() {
	buf, rights := make([]byte, 4096), make([]byte, 256)
	for {
		n, m, _, _, err := s.conn.ReadMsgUnix(buf, rights)
		if err != nil {
			return
		}
		s.take(strings.Split(string(buf[:n]), "\n"), descriptors(rights[:m]))
	}
}

func descriptors(rights []byte) []int {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil || len(messages) == 0 {
		return nil
	}
	fds, _ := syscall.ParseUnixRights(&messages[0])
	return fds
}

// take acts on a message as systemd does.
func (s *supervisor) take(lines []string, fds []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, said{time.Now(), lines})
	var name string
	for _, line := range lines {
		if value, ok := strings.CutPrefix(line, "FDNAME="); ok {
			name = value
		}
	}
	for _, fd := range fds {
		file := os.NewFile(uintptr(fd), name)
		if !slices.Contains(lines, "FDSTORE=1") || s.has(file) {
			_ = file.Close() // the answer to a barrier
			continue
		}
		s.stored = append(s.stored, storedSocket{name, file})
	}
	if slices.Contains(lines, "FDSTOREREMOVE=1") {
		s.stored = slices.DeleteFunc(s.stored, func(f storedSocket) bool {
			if f.name == name {
				_ = f.file.Close()
			}
			return f.name == name
		})
	}
}

// has tells whether the socket is kept already, by its inode.
func (s *supervisor) has(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && slices.ContainsFunc(s.stored, func(f storedSocket) bool {
		other, err := f.file.Stat()
		return err == nil && os.SameFile(info, other)
	})
}

// names returns those of the stored sockets.
func (s *supervisor) names() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, socket := range s.stored {
		all = append(all, socket.name)
	}
	return all
}

// heard returns when each message with this line came.
func (s *supervisor) heard(line string) (all []time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, message := range s.said {
		if slices.Contains(message.lines, line) {
			all = append(all, message.at)
		}
	}
	return all
}

// start runs serve with the stored sockets, and waits until it says that it is
// ready. The shell is there to know the process's number before it runs.
func (s *supervisor) start(more ...storedSocket) {
	s.t.Helper()
	ready := len(s.heard("READY=1"))
	c := s.p.command("serve")
	c.Args = slices.Concat([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", c.Path}, c.Args[1:])
	c.Path = "/bin/sh"
	c.Stdout, c.Stderr = s.p.out, s.p.out
	s.mu.Lock()
	var names []string
	for _, socket := range slices.Concat(s.stored, more) {
		names = append(names, socket.name)
		c.ExtraFiles = append(c.ExtraFiles, socket.file)
	}
	s.mu.Unlock()
	c.Env = append(c.Env, "NOTIFY_SOCKET="+s.name)
	if len(names) > 0 {
		c.Env = append(c.Env, fmt.Sprint("LISTEN_FDS=", len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	}
	if s.watchdog > 0 {
		c.Env = append(c.Env, fmt.Sprint("WATCHDOG_USEC=", s.watchdog.Microseconds()))
	}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.p.cmd = c
	eventually(s.t, "READY=1", func() bool { return len(s.heard("READY=1")) > ready })
}

// restart does what systemctl restart does.
func (s *supervisor) restart() {
	s.t.Helper()
	if err := s.p.stop(); err != nil {
		s.t.Errorf("the process ended with %v", err)
	}
	s.start()
}
