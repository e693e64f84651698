package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"scalelite/cmd/config"
	"scalelite/store/kv"
	"scalelite/web/admin"
)

// access tells whether a command may make the database.
type access bool

const (
	reads   access = false
	changes access = true
)

// with runs fn on the pool: through the running service, else on the database.
func (a *app) with(ctx context.Context, how access, fn func(admin.Service) error) error {
	l, err := a.config()
	if err != nil {
		return err
	}
	svc, done, err := a.connect(ctx, l, how)
	if err != nil {
		return err
	}
	return errors.Join(fn(svc), done())
}

// connect reaches the running service, or opens the database if none runs.
func (a *app) connect(ctx context.Context, l *config.Loaded, how access) (admin.Service, func() error, error) {
	socket, path := l.Config.Web.AdminSocket, l.Config.Store.Path
	svc := a.dial(socket)
	_, err := svc.Info(ctx)
	if err == nil {
		return svc, func() error { return nil }, nil
	}
	if !errors.Is(err, admin.ErrNoDaemon) {
		return nil, nil, fmt.Errorf("admin socket %s: %w", socket, err)
	}
	_, err = os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh && how == reads {
		return nil, nil, fmt.Errorf("there is no database yet, it would be %s: start the service, "+
			"or add a server with: scalelite servers add URL SECRET", path)
	}
	svc, done, err := a.open(ctx, l)
	if errors.Is(err, kv.ErrLocked) {
		return nil, nil, &exitError{code: exitTempFail, err: fmt.Errorf("the database %s is in use by another process, "+
			"but nobody listens on the admin socket %s: wait until that process is done, "+
			"or use the configuration that it was started with", path, socket)}
	}
	if err != nil {
		return nil, nil, err
	}
	if fresh {
		if err := likeDirectory(path); err != nil {
			return nil, nil, errors.Join(err, done())
		}
	}
	return svc, done, nil
}

// likeDirectory gives a file that root has made to the owner of its directory:
// the service, which runs as its own user, must be able to open it.
func likeDirectory(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return os.Lchown(path, int(st.Uid), int(st.Gid))
	}
	return nil
}
