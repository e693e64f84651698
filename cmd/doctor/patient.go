package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/cmd/config"
	"scalelite/store/kv"
	"scalelite/web/admin"
)

const (
	// unitName is the service's name for systemd.
	unitName = "scalelite.service"
	// userName is the service's user in an installed program, spoolGroup the group
	// of those who may write into the spool.
	userName   = "scalelite"
	spoolGroup = "scalelite-spool"
	// admission bounds how long the service may take to tell about itself.
	admission = 20 * time.Second
	// hiddenFrom is the length from which a secret is looked for in texts; shorter
	// ones are parts of words.
	hiddenFrom = 6
	// atOnce is how many servers are asked at the same time.
	atOnce = 16
)

// patient is the installation that is looked at, with what is known of it.
type patient struct {
	o   Options
	sys System
	cfg config.Config // zero without a configuration

	// pool answers, unless poolError says why nobody does.
	pool      Pool
	close     func() error
	poolError error
	info      admin.Info
	known     []balancer.ServerInfo
	secrets   []bbb.Secret
	exam      admin.Examination
	strays    []string // files without a record, found while the database was at hand

	unitState map[string]string // what systemd says of the unit; nil: nothing
	who       identity
	hidden    []string
	client    *bbb.Client
	closing   sync.Once
}

func newPatient(o Options) *patient {
	p := &patient{o: o, sys: o.System.withDefaults(), close: func() error { return nil }}
	limits := bbb.ClientConfig{UserAgent: "scalelite/" + o.Version + " doctor"}
	if o.Config != nil {
		p.cfg = o.Config.Config
		limits.ConnectTimeout, limits.ResponseTimeout = p.cfg.Balancer.ConnectTimeout, p.cfg.Balancer.ResponseTimeout
	}
	if p.sys.Servers == nil {
		p.sys.Servers = bbb.NewTransport(limits)
	}
	p.client = bbb.NewClient(p.sys.Servers, limits)
	return p
}

// admit finds out what several checks need to know. Where no service runs it
// gives the database back before anybody on the network is waited for.
func (p *patient) admit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, admission)
	defer cancel()
	p.unitState = p.askSystemd(ctx)
	if p.o.Config == nil {
		p.poolError = errors.New("the configuration has problems")
		return
	}
	p.poolError = p.ask(ctx)
	p.who = p.serviceUser()
	for _, s := range p.secrets {
		p.hide(s)
	}
	for _, s := range p.known {
		p.hide(s.Secret)
	}
	for _, s := range slices.Concat(p.cfg.Web.Secrets, p.cfg.Web.ManagementSecrets, []bbb.Secret{p.cfg.Web.MetricsToken}) {
		p.hide(s)
	}
	if !p.info.Daemon {
		p.discharge()
	}
}

func (p *patient) hide(s bbb.Secret) {
	if text := s.Reveal(); len(text) >= hiddenFrom {
		p.hidden = append(p.hidden, text)
	}
}

// ask reaches the service, or the database, and learns what they know.
func (p *patient) ask(ctx context.Context) error {
	pool, done, err := p.o.Open(ctx)
	if err != nil {
		return err
	}
	p.pool, p.close = pool, done
	if p.info, err = pool.Info(ctx); err != nil {
		return err
	}
	if p.known, err = pool.Servers(ctx); err != nil {
		return err
	}
	secrets, err := pool.Secrets(ctx)
	if err != nil {
		return err
	}
	p.secrets = secrets.Secrets
	query := admin.ExamineQuery{Paths: p.paths()}
	found := map[string][]string{}
	if p.cfg.Recordings.Enabled {
		query.Sample = sampleSize
		trees := p.cfg.Recordings.Directories()
		query.Trees = &trees
		found = p.filesSample()
	}
	for id := range found {
		query.Records = append(query.Records, id)
	}
	if p.exam, err = pool.Examine(ctx, query); err != nil {
		return err
	}
	for _, id := range p.exam.Unknown {
		p.strays = append(p.strays, found[id]...)
	}
	slices.Sort(p.strays)
	return nil
}

// live tells whether the service runs, and told about itself.
func (p *patient) live() bool { return p.poolError == nil && p.info.Daemon }

// discharge gives the database back.
func (p *patient) discharge() { p.closing.Do(func() { _ = p.close() }) }

// paths are the directories that the service works in.
func (p *patient) paths() []string {
	backups := p.cfg.Store.Backups()
	all := []string{filepath.Dir(p.cfg.Store.Path), backups, filepath.Dir(backups)}
	for _, tree := range p.trees() {
		all = append(all, tree.path)
	}
	return all
}

// tree is one of the directories that the service works in.
type tree struct{ key, path string }

// The keys of those that are not for recordings.
const (
	storeKey  = "store.path"
	backupKey = "store.backup_dir"
)

// harm is what comes of it if the service cannot use it.
func (t tree) harm() string {
	switch t.key {
	case storeKey:
		return "The database cannot grow safely, nor be copied before an upgrade; a stopped service does not start."
	case backupKey:
		return "No backup is made."
	}
	return "Recordings are neither imported nor moved, and health checks fail."
}

func (p *patient) trees() []tree {
	c := p.cfg.Recordings
	if !c.Enabled {
		return nil
	}
	return []tree{
		{"recordings.spool_dir", c.SpoolDir}, {"recordings.work_dir", c.WorkDir}, {"recordings.published_dir", c.PublishedDir},
		{"recordings.unpublished_dir", c.UnpublishedDir}, {"recordings.failed_dir", c.FailedDir},
	}
}

// noData says why what needs the database cannot be judged.
func (p *patient) noData() Finding {
	switch {
	case errors.Is(p.poolError, fs.ErrPermission):
		return p.needsRoot("", "the service and its database cannot be asked")
	case errors.Is(p.poolError, kv.ErrLocked):
		return skip("", "the database is in use by another process")
	}
	return skip("", "neither the service nor its database can be asked; see the checks 'service' and 'database'")
}

// needsRoot is the finding of what only root can judge.
func (p *patient) needsRoot(subject, what string) Finding {
	if p.sys.UID == 0 {
		return skip(subject, "%s", what)
	}
	return skip(subject, "%s", what).do("run as root", p.rootScalelite("doctor"))
}

// identity is a user with the groups that count for access.
type identity struct {
	uid, gid int
	groups   []int
	name     string // "scalelite", or "123"
	group    string
	known    bool
}

// serviceUser finds out as whom the service runs, or would run: as it says
// itself, as its unit says, as the owner of the database.
func (p *patient) serviceUser() identity {
	if p.live() {
		id := p.exam.Process
		return named(id.UID, id.GID, id.Groups)
	}
	if p.unitState["LoadState"] == "loaded" && p.unitState["User"] != "" {
		if id, ok := lookUp(p.unitState["User"], strings.Fields(p.unitState["SupplementaryGroups"])); ok {
			return id
		}
	}
	for _, path := range []string{p.cfg.Store.Path, filepath.Dir(p.cfg.Store.Path)} {
		if uid, gid, ok := ownerOf(path); ok {
			if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
				if id, ok := lookUp(u.Username, nil); ok {
					return id
				}
			}
			return named(uid, gid, nil)
		}
	}
	if id, ok := lookUp(userName, nil); ok {
		return id
	}
	return named(p.sys.UID, os.Getegid(), nil)
}

// lookUp returns a user of the system, with further groups.
func lookUp(name string, further []string) (identity, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return identity{}, false
		}
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	if errUID != nil || errGID != nil {
		return identity{}, false
	}
	ids, _ := u.GroupIds() // without them it is judged by the first one
	for _, group := range further {
		if g, err := user.LookupGroup(group); err == nil {
			ids = append(ids, g.Gid)
		}
	}
	var groups []int
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			groups = append(groups, n)
		}
	}
	return named(uid, gid, groups), true
}

func named(uid, gid int, groups []int) identity {
	return identity{uid: uid, gid: gid, groups: groups, name: userOf(uid), group: groupOf(gid), known: true}
}

func userOf(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

func groupOf(gid int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}

func ownerOf(path string) (uid, gid int, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(st.Uid), int(st.Gid), true
}
