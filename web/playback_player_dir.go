package web

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"
)

// InstalledPlayer is a player that the operator installed, as BBB's own: a
// directory of files made to be served below the path of the player. Its page,
// index.html, stands for every recording.
type InstalledPlayer struct{ root *os.Root }

// OpenPlayer opens the directory of recordings.player_dir; nil if dir is empty.
// Close it when nothing is served any more.
func OpenPlayer(dir string) (*InstalledPlayer, error) {
	if dir == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("recordings.player_dir: %w", err)
	}
	p := &InstalledPlayer{root}
	index, _, err := p.open("index.html")
	if err != nil {
		err = fmt.Errorf("recordings.player_dir: %s has no index.html; give the directory that the player was built into: %w", dir, err)
		return nil, errors.Join(err, root.Close())
	}
	return p, index.Close()
}

// Close gives the directory back. A nil player has none.
func (p *InstalledPlayer) Close() error {
	if p == nil {
		return nil
	}
	return p.root.Close()
}

// open opens a regular file by its name within the directory; whatever is none
// is fs.ErrNotExist.
func (p *InstalledPlayer) open(name string) (*os.File, fs.FileInfo, error) {
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\x00\\") {
		return nil, nil, fs.ErrNotExist
	}
	// Looked at before it is opened: a pipe would wait for somebody to write.
	info, err := p.root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, nil, errors.Join(fs.ErrNotExist, err)
	}
	f, err := p.root.Open(name)
	return f, info, err
}

// installedPolicy lets an installed player have what builds of BBB's need beside
// its files: a script in the page, and styles set by scripts.
const installedPolicy = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
	"media-src 'self' blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'none'; "

// named matches names that have a hash of the content in them, by which builds
// tell versions apart.
var named = regexp.MustCompile(`[.-][0-9a-f]{8,}\.(chunk\.)?[a-z0-9]+$`)

// playInstalled answers with a file of the installed player, and with its page
// for every recording that can be played.
func (s *Server) playInstalled(c echo.Context) error {
	p, h := s.options.Player, c.Response().Header()
	name := strings.TrimPrefix(c.Request().URL.Path, playerPath)
	h.Set("Content-Security-Policy", installedPolicy+ancestors(s.live.Load().FrameAncestors))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	if f, info, err := p.open(name); err == nil && name != "index.html" {
		defer f.Close()
		if named.MatchString(name) {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		return s.sendInstalled(c, f, info, name)
	}
	id, _, _ := strings.Cut(name, "/")
	if _, err := s.playableHere(c, "presentation", id); err != nil {
		return s.notPlayed(c, err)
	}
	f, info, err := p.open("index.html")
	if err != nil {
		s.log.Error("the installed player cannot be read", "cause", err)
		return s.notPlayed(c, err)
	}
	defer f.Close()
	return s.sendInstalled(c, f, info, "index.html")
}

func (s *Server) sendInstalled(c echo.Context, f *os.File, info fs.FileInfo, name string) error {
	kind, request, h := typeOf(name), c.Request(), c.Response().Header()
	h.Set("Content-Type", kind.mime)
	c.Response().Committed = true
	out := &pacedWriter{ResponseWriter: c.Response().Writer, request: request, patience: s.patience}
	if kind.text {
		h.Set("Vary", "Accept-Encoding")
		if compressible(request, info.Size()) && s.sendDeflated(out, request, f, info) {
			return nil
		}
	}
	h.Set("ETag", etag(info, ""))
	http.ServeContent(out, request, "", info.ModTime(), f)
	return nil
}
