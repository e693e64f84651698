//go:build e2e && linux

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPackages builds both packages from two copies of the
// sources, in different places and surroundings, and compares them byte for
// byte. Then it looks into them.
func TestPackages(t *testing.T) {
	needPrograms(t, "git", "dpkg-deb", "cp")
	first := buildCopy(t, "UTC", 0o022, "a")
	second := buildCopy(t, "Pacific/Auckland", 0o077, "a/longer/path")
	for _, arch := range architectures {
		t.Run(arch, func(t *testing.T) {
			name := "scalelite_9.8.7_" + arch + ".deb"
			one, two := readFile(t, filepath.Join(first, name)), readFile(t, filepath.Join(second, name))
			if sha256.Sum256(one) != sha256.Sum256(two) {
				t.Errorf("%s differs from one build to the next", name)
			}
			checkControl(t, filepath.Join(first, name), arch)
			checkContents(t, filepath.Join(first, name), arch)
		})
	}
	t.Run("shellcheck", func(t *testing.T) {
		needPrograms(t, "shellcheck")
		for _, name := range []string{"preinst", "postinst", "prerm", "postrm"} {
			host(t, "shellcheck", filepath.Join("..", "deb", name))
		}
		host(t, "shellcheck", "--shell=sh", "testdata/boot.sh")
	})
	t.Run("lintian", func(t *testing.T) { lintian(t, filepath.Join(first, "scalelite_9.8.7_amd64.deb")) })
}

// epoch is the time of the sources in these tests.
const epoch = 1_700_000_000

// buildCopy copies the sources and builds there. It returns the directory of the
// packages.
func buildCopy(t *testing.T, zone string, umask int, place string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), place)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`umask %04o && cd "$(go list -m -f '{{.Dir}}')" && git ls-files -z -co --exclude-standard |
		xargs -0 sh -c 'for f; do [ ! -e "$f" ] || cp --parents --no-preserve=mode "$f" "$0"; done' %q && cd %q &&
		go run ./systemd/build --version 9.8.7 --out out`, umask, dir, dir)
	c := exec.CommandContext(t.Context(), "sh", "-c", script)
	c.Env = append(os.Environ(), "TZ="+zone, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch), "GOFLAGS=-buildvcs=false")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build in %s: %v\n%s", dir, err, out)
	}
	return filepath.Join(dir, "out")
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func checkControl(t *testing.T, deb, arch string) {
	t.Helper()
	got := map[string]string{}
	for _, field := range []string{"Package", "Version", "Architecture", "Depends", "Recommends", "Suggests", "Conflicts"} {
		got[field] = strings.TrimSpace(host(t, "dpkg-deb", "--field", deb, field))
	}
	want := map[string]string{
		"Package": "scalelite", "Version": "9.8.7", "Architecture": arch,
		"Depends":    "init-system-helpers (>= 1.54), passwd, procps",
		"Recommends": "ca-certificates", "Suggests": "fail2ban, openssh-server, rsync", "Conflicts": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("control (-want +got):\n%s", diff)
	}
	// What the program makes itself is no conffile: dpkg asks nothing about it.
	if got, want := host(t, "dpkg-deb", "--info", deb, "conffiles"), "/etc/fail2ban/filter.d/scalelite.conf\n"; got != want {
		t.Errorf("conffiles are %q, want %q", got, want)
	}
}

// checkContents looks at every file: there, owned by root, of the time of the
// sources, with the right mode.
func checkContents(t *testing.T, deb, arch string) {
	t.Helper()
	got := map[string]string{}
	for r := tar.NewReader(contents(t, deb)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || !h.ModTime.Equal(time.Unix(epoch, 0)) {
			t.Errorf("%s: owner %d:%d, time %v", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		if h.Typeflag == tar.TypeDir {
			if h.Mode != 0o755 {
				t.Errorf("%s has the mode %o", h.Name, h.Mode)
			}
			continue
		}
		got[strings.TrimPrefix(h.Name, ".")] = fmt.Sprintf("%o", h.Mode)
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "./usr/bin/scalelite" {
			checkProgram(t, b, arch)
		}
	}
	want := map[string]string{"/usr/bin/scalelite": "755"}
	for _, name := range []string{
		"/etc/fail2ban/filter.d/scalelite.conf",
		"/usr/lib/systemd/system/scalelite.service",
		"/usr/lib/sysusers.d/scalelite.conf",
		"/usr/lib/tmpfiles.d/scalelite.conf",
		"/usr/share/bash-completion/completions/scalelite",
		"/usr/share/doc/scalelite/changelog.gz",
		"/usr/share/doc/scalelite/config.toml.example",
		"/usr/share/doc/scalelite/copyright",
		"/usr/share/fish/vendor_completions.d/scalelite.fish",
		"/usr/share/lintian/overrides/scalelite",
		"/usr/share/man/man1/scalelite.1.gz",
		"/usr/share/zsh/vendor-completions/_scalelite",
	} {
		want[name] = "644"
	}
	side, err := os.ReadDir("../bbbside/files")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range side {
		want["/usr/share/doc/scalelite/examples/bbb-server/"+f.Name()] = "644"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
}

// contents is the archive of the files of a package.
func contents(t *testing.T, deb string) io.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb).Output()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(out)
}

// checkProgram: static, for the right machine, and without paths of the machine
// that built it.
func checkProgram(t *testing.T, program []byte, arch string) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	if f.Machine != machine {
		t.Errorf("the program is for %v", f.Machine)
	}
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("the program is linked dynamically")
	}
	if bytes.Contains(program, []byte(os.TempDir()+"/Test")) {
		t.Error("the program has paths of the machine that built it")
	}
}

func lintian(t *testing.T, deb string) {
	needPrograms(t, "lintian")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", deb).CombinedOutput()
	if err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}
