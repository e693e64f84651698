package doctor

import (
	"slices"
	"strings"
	"testing"
)

// TestDirectoriesJudgedByTheService: what the running process says of itself
// counts; where its user could and it cannot, the unit is in the way. There is one
// remedy for all of them, with one path for those that files are renamed between.
func TestDirectoriesJudgedByTheService(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outside []string
		allow   string
	}{
		"one that is renamed into":   {[]string{"published"}, "DIR"},
		"all three":                  {[]string{"work", "published", "unpublished"}, "DIR"},
		"what lies beside the three": {[]string{"work", "spool", "failed"}, "DIR"},
		"what is copied":             {[]string{"spool", "failed"}, "DIR/spool DIR/failed"},
		"the database":               {[]string{"db"}, "DIR/db"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.pool.exam.Unusable = map[string]string{}
			for _, dir := range c.outside {
				w.pool.exam.Unusable[w.path(dir)] = "read-only file system"
			}
			f := only(t, w.look("directories"))
			line := quote("ReadWritePaths=" + strings.ReplaceAll(c.allow, "DIR", w.dir))
			f.want(t, Fail, "but the running service cannot: read-only file system",
				"printf '[Service]\\n%s\\n' "+line+" | ", "tee -a /etc/systemd/system/scalelite.service.d/paths.conf", "systemctl restart scalelite")
		})
	}
	t.Run("below nothing but the root", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.pool.exam.Unusable = map[string]string{w.path("published"): "read-only file system"}
		w.keys["recordings.work_dir"] = `"/srv/work"`
		f := w.look("directories").Findings
		at := slices.IndexFunc(f, func(f Finding) bool { return f.Subject == w.path("published") && f.Result == Fail })
		if at < 0 || strings.Contains(strings.Join(f[at].Commands, ""), "ReadWritePaths") {
			t.Fatalf("findings %+v", f)
		}
		f[at].want(t, Fail, "below one directory", "editor")
	})
}

// TestDirectoriesThatTheUnitForbids: a service that does not start because of its
// unit is told of by what systemd says.
func TestDirectoriesThatTheUnitForbids(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stopped()
	w.unit["ProtectSystem"], w.unit["ReadWritePaths"] = "strict", "-/var/bigbluebutton"
	f := only(t, w.look("directories"))
	f.want(t, Fail, "does not let it write to recordings.spool_dir, recordings.work_dir", quote("ReadWritePaths="+w.dir), "systemctl restart scalelite")
	w.unit["ReadWritePaths"] = "-/var/bigbluebutton " + w.dir
	fine(t, w.look("directories"))
	w.unit["ReadWritePaths"], w.unit["ProtectSystem"] = "", "full"
	fine(t, w.look("directories"))
}

// TestUnitWord: what systemd would take for something else is quoted.
func TestUnitWord(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/srv/rec": "/srv/rec", "/srv/100%": "/srv/100%%", "/srv/a b": `"/srv/a b"`, `/srv/"\`: `"/srv/\"\\"`} {
		if got := unitWord(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
