package cmd

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestSetupNeedsRoot(t *testing.T) {
	t.Parallel()
	s := newSession(t, &pool{noService: true})
	s.deps.euid = func() int { return 1000 }
	writeConfig(t, s, "")
	s.run("", "recordings", "setup").wantFail(t, exitFailure, "only root can: sudo scalelite recordings setup")
	writeConfig(t, s, "[recordings]\nenabled = false\n")
	s.run("", "recordings", "setup", "--dry-run").wantFail(t, exitFailure, "recordings.enabled = true")
}

const setupSystem = "/usr/sbin/useradd"

func TestSetup(t *testing.T) {
	if !inNamespace(t, setupSystem) {
		return
	}
	w := newWorld(t)
	plan := w.ok("recordings", "setup", "--dry-run")
	if !strings.Contains(plan, "to be made     user bigbluebutton\n") || !strings.Contains(plan, "Nothing was changed.") {
		t.Errorf("%s", plan)
	}
	if _, err := os.Stat("/srv/rec"); err == nil || strings.Contains(w.sh("cat /etc/passwd"), "bigbluebutton") {
		t.Fatal("a dry run made something")
	}
	made := w.ok("recordings", "setup")
	if strings.Contains(made, "already there") || strings.Contains(made, "changed") {
		t.Errorf("%s", made)
	}
	for path, want := range map[string]string{
		"/srv/rec/spool": "2775 scalelite:scalelite-spool", "/srv/rec/work": "750 scalelite:scalelite", "/srv/rec/published": "750 scalelite:scalelite",
		"/srv/rec/unpublished": "750 scalelite:scalelite", "/srv/rec/failed": "750 scalelite:scalelite", "/srv/lib": "750 scalelite:scalelite", "/srv/lib/backups": "750 scalelite:scalelite",
		"/home/bigbluebutton": "755 root:root", "/srv/rec": "755 root:root",
	} {
		if got := w.stat(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if got := w.sh("getent group scalelite-spool | cut -d: -f3,4; id -Gn scalelite; getent passwd bigbluebutton | cut -d: -f6,7; getent shadow bigbluebutton | cut -d: -f2"); got !=
		"2000:scalelite,bigbluebutton\nscalelite scalelite-spool\n/home/bigbluebutton:/bin/sh\n*\n" {
		t.Errorf("users and groups: %s", got)
	}
	again := w.ok("recordings", "setup")
	if strings.Contains(again, "made") || strings.Contains(again, "changed") {
		t.Errorf("a second run did something: %s", again)
	}
	// Both users can do what they are for.
	w.sh("su -s /bin/sh bigbluebutton -c 'umask 002; echo x > /srv/rec/spool/a.tar'; su -s /bin/sh scalelite -c 'mv /srv/rec/spool/a.tar /srv/rec/failed/ && mkdir /srv/rec/work/x && mv /srv/rec/work/x /srv/rec/published/x && touch /srv/lib/x'")
}

// T12: what others spoiled is put right, and nothing else is touched.
func TestSetupMends(t *testing.T) {
	if !inNamespace(t, setupSystem) {
		return
	}
	w := newWorld(t)
	w.sh("groupadd --gid 2000 taken; useradd --system --shell /usr/sbin/nologin bigbluebutton")
	w.ok("recordings", "setup")
	if got := w.sh("getent group scalelite-spool | cut -d: -f3"); got == "2000\n" {
		t.Error("the number of another group was taken")
	}
	if got := w.sh("getent passwd bigbluebutton | cut -d: -f7"); got != "/bin/sh\n" {
		t.Errorf("shell %s", got)
	}
	w.sh(`cd /srv/rec; chown root:root spool; chmod 777 spool; mkdir -p published/presentation/a1; echo x > published/presentation/a1/f
		ln -s /etc/shadow published/link; echo x > /srv/secret; ln /srv/secret published/hard; chmod 500 work`)
	if _, err := os.Stat("/srv/rec/spool"); err != nil {
		t.Fatal(err)
	}
	r := w.run("", "recordings", "setup")
	if r.code != 0 || !strings.Contains(r.out, "changed        /srv/rec/spool\n") || !strings.Contains(r.out, "/srv/rec/published: 4 files in it of the user scalelite") || !strings.Contains(r.err, "1 file with a second name") {
		t.Errorf("%d\n%s%s", r.code, r.out, r.err)
	}
	for path, want := range map[string]string{
		"/srv/rec/spool": "2775 scalelite:scalelite-spool", "/srv/rec/published/presentation/a1/f": "644 scalelite:root", "/srv/secret": "644 root:root",
		"/srv/rec/work": "700 scalelite:scalelite",
	} {
		if got := w.stat(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if got := w.sh("stat -c %U /etc/shadow"); got != "root\n" {
		t.Errorf("a link was followed: /etc/shadow is of %s", got)
	}
	if err := os.Chmod("/srv/rec", 0o700); err != nil {
		t.Fatal(err)
	}
	w.run("", "recordings", "setup").wantFail(t, exitFailure, "chmod o+x /srv/rec")
	w.sh("chmod o+x /srv/rec")
	w.ok("recordings", "setup")
}

// What the service could have put into its directories leads root nowhere; what
// root has linked to another disk does.
func TestSetupFollowsLinksOfRootAlone(t *testing.T) {
	if !inNamespace(t, setupSystem) {
		return
	}
	w := newWorld(t)
	w.sh("mkdir -p /srv/disk/published /srv/rec; ln -s ../disk/published /srv/rec/published; ln -s disk/unpublished /srv/unpublished; ln -s /srv/unpublished /srv/rec/unpublished")
	w.ok("recordings", "setup")
	for path, want := range map[string]string{"/srv/disk/published": "755 scalelite:root", "/srv/disk/unpublished": "750 scalelite:scalelite", "/srv/disk": "755 root:root"} {
		if got := w.stat(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	w.sh("mkdir -m 700 /srv/root /srv/root/below; rmdir /srv/lib/backups")
	for _, link := range []string{"ln -s /srv/root /srv/lib/backups", "ln -s /srv/root /srv/lib/backups; chown -h scalelite /srv/lib/backups"} {
		w.sh("rm -f /srv/lib/backups; " + link)
		w.run("", "recordings", "setup").wantFail(t, exitFailure, "/srv/lib/backups: is a link")
	}
	w.sh("rm /srv/lib/backups; ln -s /srv/root /srv/lib/a")
	for _, dir := range []string{"below", "new"} {
		w.configure(`failed_dir = "/srv/lib/a/` + dir + `"`)
		w.run("", "recordings", "setup").wantFail(t, exitFailure, "/srv/lib/a: is a link")
	}
	if got := w.sh("stat -c '%a %U %n' /srv/root /srv/root/*"); got != "700 root /srv/root\n700 root /srv/root/below\n" {
		t.Errorf("root gave away or made:\n%s", got)
	}
}

// What root has restored to a place of its own becomes the service's, and nobody
// is told to open the directory of the secrets.
func TestSetupGivesTheDatabase(t *testing.T) {
	if !inNamespace(t, setupSystem) {
		return
	}
	w := newWorld(t)
	w.sh("useradd --system --user-group --shell /usr/sbin/nologin scalelite")
	restored := func() {
		t.Helper()
		if r := w.run("database", "restore", "-", "--yes"); r.code != 0 {
			t.Fatal(r.err)
		}
	}
	w.deps.verify = func(context.Context, string) error { return nil }
	want := func(dir, database string) {
		t.Helper()
		if got := w.stat("/srv/lib"); got != dir {
			t.Errorf("the directory is %s, want %s", got, dir)
		}
		if got := w.stat("/srv/lib/scalelite.db"); got != database {
			t.Errorf("the database is %s, want %s", got, database)
		}
	}
	restored() // which makes the directory
	want("750 scalelite:scalelite", "640 scalelite:scalelite")

	w.sh("rm -r /srv/lib; mkdir -m 750 /srv/lib")
	restored()
	want("750 root:root", "640 root:root")
	if plan := w.ok("recordings", "setup", "--dry-run"); !strings.Contains(plan, "to be changed  /srv/lib\n") {
		t.Errorf("%s", plan)
	}
	want("750 root:root", "640 root:root")
	if out := w.ok("recordings", "setup"); !strings.Contains(out, "changed        /srv/lib\n") || !strings.Contains(out, "/srv/lib/scalelite.db, of the user scalelite\n") {
		t.Errorf("%s", out)
	}
	want("750 scalelite:scalelite", "640 scalelite:scalelite")
	if out := w.ok("recordings", "setup"); strings.Contains(out, "changed") {
		t.Errorf("%s", out)
	}
	w.sh("chown root:root /srv/lib/scalelite.db")
	w.ok("recordings", "setup")
	want("750 scalelite:scalelite", "640 scalelite:scalelite")

	w.sh("chown -R root:root /srv/lib; echo x > /srv/lib/of-another-program")
	r := w.run("", "recordings", "setup")
	r.wantFail(t, exitFailure, "a directory of its own in store.path")
	if strings.Contains(r.err, "chmod") {
		t.Errorf("%s", r.err)
	}
	want("750 root:root", "640 root:root")
}

func TestSetupRefusesWhatCannotWork(t *testing.T) {
	if !inNamespace(t, setupSystem) {
		return
	}
	w := newWorld(t)
	w.sh("mkdir -p /srv/other /srv/mount/published")
	for _, dir := range []string{"/srv/other", "/srv/mount/published"} {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	// What the remedy says is what makes it work.
	for _, extra := range []string{`work_dir = "/srv/other/work"`, `published_dir = "/srv/mount/published"`} {
		w.configure(extra)
		r := w.run("", "recordings", "setup")
		r.wantFail(t, exitFailure, "not on one file system", "[recordings]\n")
		if strings.Contains(w.sh("cat /etc/passwd"), "bigbluebutton") {
			t.Fatal("something was made")
		}
		_, remedy, _ := strings.Cut(r.err, "[recordings]\n")
		w.configure(remedy)
		if r := w.run("", "recordings", "setup", "--dry-run"); r.code != 0 {
			t.Errorf("with what it told:\n%s\n%s", remedy, r.err)
		}
	}
	w.file(bbbRelease, "BIGBLUEBUTTON_RELEASE=3.0.4\n", 0o644)
	w.configure(`published_dir = "/var/bigbluebutton/published"`)
	w.run("", "recordings", "setup").wantFail(t, exitFailure, "is a BBB server")
}
