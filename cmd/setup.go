package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"scalelite/cmd/config"
	"scalelite/recordings"
)

const (
	serviceUser = "scalelite"
	// spoolGroup may write into the spool. Its number is that of the Ruby system,
	// so that a network file system fits that was set up for it.
	spoolGroup   = "scalelite-spool"
	spoolGroupID = 2000
	// bbbRelease is a file of every BBB server.
	bbbRelease = "/etc/bigbluebutton/bigbluebutton-release"
)

func newRecordingsSetupCommand(a *app) *cobra.Command {
	s := &setup{app: a}
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make the directories, users and rights that recordings need",
		Long: `Makes what is missing and puts right what differs, and says of each thing whether
it was made, changed, or already there:

  - the group scalelite-spool (number 2000 if that is free), whose members may
    write into the spool, and in it
  - the user scalelite, whom the service runs as
  - the user bigbluebutton, whom the BBB servers log in as to send over SSH; the
    home directory belongs to root, so that a key can change nothing in it
  - the directories of [recordings]: the spool is writable for the group, which
    its files inherit (setgid); all belong to the service, with what is in them
  - the directories of database and backups; those that root made for them alone,
    and a database of root, get to be the service's

It may be run again at any time, and does nothing then that is not needed. It
needs root; --dry-run does not, and changes nothing.`,
		Example: `  scalelite recordings setup --dry-run
  scalelite recordings setup`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := a.config()
			if err != nil {
				return err
			}
			return s.run(c.Context(), l)
		},
	}
	c.Flags().BoolVar(&s.dry, "dry-run", false, "only tell what would be done")
	c.Flags().StringVar(&s.serviceName, "service-user", serviceUser, "the `USER` whom the service runs as")
	c.Flags().StringVar(&s.senderName, "user", senderUser, "the `USER` whom the BBB servers log in as")
	return c
}

// setup is one run of the command.
type setup struct {
	*app
	dry                     bool
	serviceName, senderName string

	loaded *config.Loaded
	// service and sender are the users, group the spool's; of those that only
	// would be made the numbers are -1.
	service, sender account
	group           int
	joined          bool // the service's user got into the group
}

func (s *setup) run(ctx context.Context, l *config.Loaded) error {
	if s.euid() != 0 && !s.dry {
		return errors.New("this makes users and gives directories away, which only root can: sudo scalelite recordings setup")
	}
	s.loaded = l
	c := l.Config.Recordings
	if !c.Enabled {
		return errors.New("recordings are switched off; set recordings.enabled = true first")
	}
	if err := s.checkPlaces(c); err != nil {
		return err
	}
	defer syscall.Umask(syscall.Umask(0o022)) // what leads to a directory must be open
	steps := []func(context.Context) error{s.makeGroup, s.makeService, s.makeSender, s.makeHome, s.makeDirectories}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if s.dry {
		_, err := fmt.Fprintln(s.stdout, "\nNothing was changed.")
		return err
	}
	if err := s.prove(); err != nil {
		return err
	}
	return s.next(ctx)
}

// checkPlaces refuses a configuration that no rights could make work.
func (s *setup) checkPlaces(c recordings.Config) error {
	own := recordings.DefaultConfig()
	if !missing(bbbRelease) && (filepath.Clean(c.PublishedDir) == own.PublishedDir || filepath.Clean(c.UnpublishedDir) == own.UnpublishedDir) {
		return fmt.Errorf("this machine is a BBB server, and %s and %s are its own; give recordings.published_dir, unpublished_dir and work_dir "+
			"other directories in the configuration, such as /var/lib/scalelite-recordings/published, and run this again", own.PublishedDir, own.UnpublishedDir)
	}
	if err := c.ValidateFileSystems(); err != nil {
		return fmt.Errorf("%w\n%s", err, placesRemedy(c))
	}
	return nil
}

// placesRemedy is what to write into the configuration so that work_dir and both
// trees lie together: where published_dir is, which is the largest.
func placesRemedy(c recordings.Config) string {
	dir := filepath.Dir(filepath.Clean(c.PublishedDir))
	published := filepath.Clean(c.PublishedDir)
	same := recordings.Config{Enabled: true, WorkDir: dir, PublishedDir: published, UnpublishedDir: published}
	if same.ValidateFileSystems() != nil { // it is a mount by itself
		dir = published
		published = filepath.Join(dir, "published")
	}
	return fmt.Sprintf("For instance, in the configuration, and then run this again:\n\n[recordings]\npublished_dir = %q\nunpublished_dir = %q\nwork_dir = %q\n",
		published, filepath.Join(dir, "unpublished"), filepath.Join(dir, "scalelite-work"))
}

// tell prints what became of one thing. verb is "made" or "changed"; empty: it
// was already there.
func (s *setup) tell(verb, thing string) {
	switch {
	case verb == "":
		verb = "already there"
	case s.dry && verb == "made":
		verb = "to be made"
	case s.dry:
		verb = "to be changed"
	}
	fmt.Fprintf(s.stdout, "%-13s  %s\n", verb, thing)
}

// prove looks whether users and directories fit, as far as bits can tell.
func (s *setup) prove() error {
	c := s.loaded.Config.Recordings
	var errs []error
	own := []string{c.SpoolDir, c.FailedDir, c.WorkDir, c.PublishedDir, c.UnpublishedDir}
	for _, dir := range own {
		errs = append(errs, s.service.reaches(dir, 7))
	}
	return errors.Join(append(errs, s.reachesStore(), s.sender.reaches(c.SpoolDir, 3))...)
}

// next says what is left to do.
func (s *setup) next(ctx context.Context) error {
	_, err := s.dial(s.loaded.Config.Web.AdminSocket).Info(ctx)
	if s.joined && err == nil {
		fmt.Fprintf(s.stdout, "\nThe service runs without its new group yet: systemctl restart scalelite\n")
	}
	_, err = fmt.Fprintf(s.stdout, "\nAll is in place. BBB servers may upload at once; one that sends over SSH needs its key let in:\n\n  scalelite recordings authorize-key 'ssh-ed25519 AAAA... %s@bbb1'\n",
		s.senderName)
	return err
}

// abs is a path of the configuration from the root.
func abs(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return filepath.Clean(path)
}
