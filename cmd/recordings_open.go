package cmd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"scalelite/balancer/bbb"
	"scalelite/cmd/config"
	"scalelite/recordings"
	"scalelite/web/admin"
)

// recordingsOnDemand gives a command's own process the recordings when it first
// asks for them: a command about servers must not touch their directories.
func (c *core) recordingsOnDemand(l *config.Loaded) func(context.Context) (admin.Recordings, error) {
	return func(ctx context.Context) (admin.Recordings, error) {
		if err := notAsRoot(l.Config.Recordings, os.Geteuid()); err != nil {
			return admin.Recordings{}, err
		}
		uncounted := func(i recordings.Importer) recordings.Importer { return i }
		err := c.openRecordings(ctx, l, slog.New(slog.DiscardHandler), func() []bbb.Secret { return c.secrets }, uncounted)
		return admin.Recordings{Library: c.library, Spool: c.spool, Outbox: c.outbox}, err
	}
}

// notAsRoot refuses to work as root on files of another user: what root makes
// among them, the service could not move later.
func notAsRoot(c recordings.Config, uid int) error {
	if uid != 0 || !c.Enabled {
		return nil
	}
	for _, dir := range []string{c.WorkDir, c.PublishedDir, c.UnpublishedDir} {
		info, err := os.Stat(dir)
		if err != nil {
			continue // it is made, or opening tells what is wrong
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Uid == 0 {
			continue
		}
		owner := strconv.FormatUint(uint64(st.Uid), 10)
		name := "#" + owner
		if u, err := user.LookupId(owner); err == nil {
			name = u.Username
		}
		return &admin.Error{Code: admin.Conflict, Message: fmt.Sprintf("%s belongs to the user %s, and the service does not run: "+
			"start it (systemctl start scalelite), or be that user (sudo -u '%s' scalelite ...)", dir, name, name)}
	}
	return nil
}
