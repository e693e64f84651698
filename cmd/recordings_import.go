package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

// importLook is how often a command looks how far an import is, at most.
const importLook = 300 * time.Millisecond

func newRecordingsImportCommand(a *app) *cobra.Command {
	var noWait bool
	c := &cobra.Command{
		Use:   "import FILE.tar...",
		Short: "Take in recordings from tarballs",
		Long: `Hands tarballs (.tar, .tar.gz, .tgz) to the service, which imports them as those
that the BBB servers send, and waits until they are in. The files themselves stay
where they are. A tarball holds FORMAT/RECORDID/ with metadata.xml and the files,
of one recording or of several; importing one again is harmless.

Recordings that are unpacked in recordings.published_dir already are found by
'recordings rescan'.`,
		Example: `  scalelite recordings import 183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000.tar
  scalelite recordings import /mnt/old/spool/*.tar`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("say which tarballs")
			}
			return checkTarballs(args)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"tar", "tar.gz", "tgz"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), changes, func(svc admin.Service) error {
				return a.importTarballs(c.Context(), svc, args, noWait)
			})
		},
	}
	c.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the import, only until the service has the tarball")
	return c
}

// checkTarballs refuses what can be no tarball, before any is sent.
func checkTarballs(paths []string) error {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return &exitError{code: exitFailure, err: err}
		}
		var refusal *admin.Error
		switch {
		case info.IsDir():
			return usage("%s is a directory: give the tarballs in it, as %s. Recordings that are unpacked already are found by 'scalelite recordings rescan'",
				path, filepath.Join(path, "*.tar"))
		case !info.Mode().IsRegular():
			return usage("%s is no file", path)
		case errors.As(admin.CheckTarName(filepath.Base(path)), &refusal):
			return usage("%s", refusal.Message)
		}
	}
	return nil
}

// importTarballs imports one after the other; one that fails keeps none of the
// others out.
func (a *app) importTarballs(ctx context.Context, svc admin.Service, paths []string, noWait bool) error {
	failed := 0
	for _, path := range paths {
		text, err := a.importTarball(ctx, svc, path, noWait)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if text != "" {
			fmt.Fprintf(a.stdout, "%s: %s\n", printable(path), printable(text))
		}
		if err != nil {
			failed++
			fmt.Fprintf(a.stderr, "%s: %s\n", printable(path), printable(err.Error()))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s not imported", failed, countWas(len(paths), "tarball"))
	}
	return nil
}

// importTarball imports one tarball and returns what to tell of it, also beside
// an error.
func (a *app) importTarball(ctx context.Context, svc admin.Service, path string, noWait bool) (string, error) {
	p := a.newProgress(path)
	defer p.end()
	if direct, ok := svc.(admin.DirectImporter); ok {
		p.phase("unpacked")
		imported, err := direct.ImportFile(ctx, path, p.at)
		p.end()
		return importedText(idsOf(imported)), explainNotImported(err)
	}
	id, err := sendTarball(ctx, svc, path, p)
	if err != nil {
		return "", explainNotImported(err)
	}
	if noWait {
		return "the service has it; 'scalelite recordings spool' shows how far it is", nil
	}
	i, err := a.awaitImport(ctx, svc, id, p)
	p.end()
	if errors.Is(err, admin.ErrNoDaemon) {
		return "", errors.New("the service stopped; it goes on with the tarball when it runs again")
	}
	if err != nil {
		return "", err
	}
	return importedText(i.Recordings), outcomeOf(i)
}

func explainNotImported(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("not imported: %w", err)
}

func idsOf(imported recordings.Imported) (ids []string) {
	for _, r := range imported.Recordings {
		for _, f := range r.Formats {
			if f.Error == "" && (len(ids) == 0 || ids[len(ids)-1] != r.ID) {
				ids = append(ids, r.ID)
			}
		}
	}
	return ids
}

func importedText(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return "imported " + strings.Join(ids, " ")
}

// sendTarball sends a tarball to the service and returns the ID of its import.
func sendTarball(ctx context.Context, svc admin.Service, path string, p *progress) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	p.phase("sent")
	return svc.ImportRecording(ctx, filepath.Base(path), info.Size(), &countingReader{r: f, total: info.Size(), tell: p.at})
}

// countingReader tells how much was read.
type countingReader struct {
	r           io.Reader
	done, total int64
	tell        func(done, total int64)
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.done += int64(n)
	c.tell(c.done, c.total)
	return n, err
}

// awaitImport waits until an import ended, or its first try failed.
func (a *app) awaitImport(ctx context.Context, svc admin.Service, id string, p *progress) (store.Import, error) {
	p.phase("unpacked")
	for {
		i, err := svc.Import(ctx, id)
		if err != nil || !i.Ended.IsZero() || i.Error != "" {
			return i, err
		}
		if files, err := svc.SpoolFiles(ctx); err == nil {
			for _, f := range files {
				if f.Import == id && f.State == store.ImportImporting {
					p.at(min(f.Done, f.Size), f.Size)
				}
			}
		}
		if !a.sleep(ctx, min(a.tick, importLook)) {
			return i, ctx.Err()
		}
	}
}

// outcomeOf is the error of an import that did not bring everything in.
func outcomeOf(i store.Import) error {
	switch {
	case i.State == store.ImportImported:
		return nil
	case i.State == store.ImportReplaced:
		return errors.New("not imported: a newer tarball of the same name took its place in the spool")
	case !i.Ended.IsZero():
		return fmt.Errorf("not imported: %s; 'scalelite recordings retry %s' tries again", i.Error, i.File)
	case i.Next.IsZero():
		return fmt.Errorf("not imported yet: %s; the service tries again, see 'scalelite recordings spool'", i.Error)
	}
	return fmt.Errorf("not imported yet: %s; the service tries again at %s, see 'scalelite recordings spool'", i.Error, stamp(i.Next))
}
