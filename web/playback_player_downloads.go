package web

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"scalelite/store"
)

// downloadsName begins the addresses of what the player offers to save. They are
// below the presentation's, so that whoever is let into a protected recording
// can save it, too; and no file of a recording has such a name.
const downloadsName = ".downloads"

// savable is one file that can be saved.
type savable struct {
	Format string `json:"format"`
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	URL    string `json:"url"`
}

// pageMedia are the files of the formats whose link leads to a page: what that
// page plays. BBB writes one for each of its configured encodings.
var pageMedia = func() map[string][]string {
	files := map[string][]string{}
	for _, format := range []string{"video", "screenshare"} {
		for i := range 4 {
			for _, ending := range []string{"m4v", "mp4", "webm"} {
				files[format] = append(files[format], format+"-"+strconv.Itoa(i)+"."+ending)
			}
		}
	}
	return files
}()

// candidates are the names that the files of a format may have: those of its
// page, or the one that its link leads to.
func candidates(f store.Format) []string {
	if names := pageMedia[f.Type]; names != nil {
		return names
	}
	link, err := url.Parse(f.URL)
	if err != nil || strings.HasSuffix(link.Path, "/") || path.Ext(link.Path) == "" {
		return nil
	}
	return []string{path.Base(link.Path)}
}

// downloadable is the recording of a request, if there is something of it that
// this reader may save.
func (s *Server) downloadable(c echo.Context) (store.Recording, error) {
	id := c.Param("id")
	r, err := s.playableHere(c, "presentation", id)
	if err != nil {
		return r, err
	}
	if !s.recordingsConfig().PlayerDownloads || r.Protected && !s.admitted(c.Request(), "presentation", id) {
		return r, store.ErrNotFound
	}
	return r, nil
}

// listDownloads names what can be saved.
func (s *Server) listDownloads(c echo.Context) error {
	r, err := s.downloadable(c)
	if err != nil {
		return s.notPlayed(c, err)
	}
	served, list := s.recordingsConfig().Formats, []savable{}
	for _, f := range r.Formats {
		if f.Type == "presentation" || !slices.Contains(served, f.Type) {
			continue
		}
		for _, name := range candidates(f) {
			if size, ok := s.sizeOf(r, f.Type, name); ok {
				address := "/presentation/" + r.ID + "/" + downloadsName + "/" + f.Type + "/" + url.PathEscape(name)
				list = append(list, savable{f.Type, name, size, address})
			}
		}
	}
	h := c.Response().Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	return c.JSON(http.StatusOK, map[string][]savable{"downloads": list})
}

// sizeOf returns the size of a file, false if there is none.
func (s *Server) sizeOf(r store.Recording, format, name string) (int64, bool) {
	f, err := s.library.OpenFile(r, format, name)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, false
	}
	return info.Size(), true
}

// download answers with a file to save, whole or in ranges: one that broke off
// can be continued.
func (s *Server) download(c echo.Context) error {
	r, err := s.downloadable(c)
	if err != nil {
		return s.notPlayed(c, err)
	}
	format := c.Param("format")
	name, err := url.PathUnescape(c.Param("name"))
	f, ok := r.Format(format)
	if err != nil || !ok || format == "presentation" || !slices.Contains(s.recordingsConfig().Formats, format) || !slices.Contains(candidates(f), name) {
		return s.notFound(c)
	}
	file, err := s.library.OpenFile(r, format, name)
	if err != nil {
		return s.notPlayed(c, err)
	}
	defer file.Close()
	// send leaves this as it is for the formats that have pages, and says the same
	// for the others.
	c.Response().Header().Set("Content-Disposition", `attachment; filename="`+quotable(name)+`"`)
	return s.send(c, r, sent{file: file, format: format, name: name})
}
