package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/recordings/sshspool"
)

const (
	// senderUser is whom the BBB servers log in as.
	senderUser = "bigbluebutton"
	// maxKeyInput bounds what is read of a key on standard input, in bytes.
	maxKeyInput = 64 << 10
)

func newRecordingsAuthorizeKeyCommand(a *app) *cobra.Command {
	var user string
	var replace bool
	c := &cobra.Command{
		Use:   "authorize-key KEY",
		Short: "Let a BBB server send its recordings over SSH",
		Long: `Lets who has the private half of KEY write tarballs into the spool over SSH, with
rsync, scp or sftp, and do nothing else: no terminal, no forwarding, no reading,
no other directory. KEY is the line of a .pub file, - reads it from standard
input. To add a key that is there already is harmless.

The BBB server logs in as the user bigbluebutton, which 'scalelite recordings
setup' makes. The target of its rsync may be written as the absolute path of the
spool or as /.

A key that already stands in the file without these limits is refused, because
sshd would go by the line that has none; --replace limits it.`,
		Example: `  scalelite recordings authorize-key 'ssh-ed25519 AAAA... bigbluebutton@bbb1'
  ssh root@bbb1 cat ~bigbluebutton/.ssh/scalelite_ed25519.pub |
    scalelite recordings authorize-key -`,
		Args: keyArgs,
		RunE: func(c *cobra.Command, args []string) error {
			text := strings.Join(args, " ") // without the quotes
			if text == "-" {
				b, err := io.ReadAll(io.LimitReader(a.stdin, maxKeyInput))
				if err != nil {
					return err
				}
				text = string(b)
			}
			key, err := sshspool.ParseKey(text)
			if err != nil {
				return usage("%s", err)
			}
			return a.authorizeKey(c.Context(), user, key, replace)
		},
	}
	// A private key looks like a flag, and must not be in an error.
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if _, private := sshspool.ParseKey(err.Error()); strings.Contains(err.Error(), "PRIVATE KEY") {
			err = private
		}
		return usage("%s", err)
	})
	userFlag(c, &user)
	c.Flags().BoolVar(&replace, "replace", false, "limit a key that is there without limits")
	return c
}

// keyArgs takes one key, even if nobody put it in quotes.
func keyArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 || args[0] == "" {
		return usage("there is no key: give the line of a .pub file, in quotes, or - for standard input")
	}
	return nil
}

func userFlag(c *cobra.Command, user *string) {
	c.Flags().StringVar(user, "user", senderUser, "the `USER` that the BBB servers log in as")
}

func (a *app) authorizeKey(ctx context.Context, user string, key sshspool.Key, replace bool) error {
	spool, err := a.spoolDir()
	if err != nil {
		return err
	}
	program, err := a.executable()
	if err != nil {
		return err
	}
	sender, home, err := a.senderHome(ctx, user)
	if err != nil {
		return err
	}
	defer home.Close()
	if sender.noLogin() {
		return fmt.Errorf("sshd runs nothing for the user %s, whose shell is %s; mend it with: usermod --shell /bin/sh %s", user, sender.shell, user)
	}
	if err := sender.reaches(program, 5); err != nil {
		return fmt.Errorf("sshd must run this program for the user: %w", err)
	}
	var outcome sshspool.Outcome
	var others int
	err = home.Update(func(k *sshspool.Keys) (err error) {
		outcome, err = k.Add(sshspool.Grant{Key: key, Program: program, Spool: spool, Since: a.now()}, replace)
		others = k.Others()
		return err
	})
	if errors.Is(err, sshspool.ErrUnlimited) {
		return fmt.Errorf("%s: %w; take its line out, or limit it with --replace", home.Path(), err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s  %s\n%s\n", key.Fingerprint(), key.Comment, authorized(outcome, user, spool))
	return a.warnOfSender(sender, spool, home.Path(), others)
}

func authorized(o sshspool.Outcome, user, spool string) string {
	where := fmt.Sprintf("write into %s, and do nothing else. The target for rsync is %s@HOST:%s/", spool, user, spool)
	switch o {
	case sshspool.Present:
		return "It could already " + where
	case sshspool.Changed:
		return "It was there with other limits. It may " + where
	}
	return "It may " + where
}

// warnOfSender says what still keeps recordings from coming, or more from being
// kept out.
func (a *app) warnOfSender(sender account, spool, file string, others int) error {
	if err := sender.reaches(file, 4); err != nil {
		fmt.Fprintf(a.stderr, "Nothing can come yet: sshd reads the keys as the user, but %v.\n", err)
	}
	if err := sender.reaches(spool, 3); err != nil {
		fmt.Fprintf(a.stderr, "Nothing can come yet: %v. 'scalelite recordings setup' puts it right.\n", err)
	}
	for _, p := range []struct{ path, is string }{{"/usr/bin/rsync", "rsync"}, {"/usr/sbin/sshd", "openssh-server"}} {
		if missing(p.path) {
			fmt.Fprintf(a.stderr, "Nothing can come yet: %s is not installed. Install it with: apt install %s\n", p.is, p.is)
		}
	}
	return a.warnOfOthers(file, others)
}

func (a *app) warnOfOthers(file string, others int) error {
	if others == 0 {
		return nil
	}
	_, err := fmt.Fprintf(a.stderr, "%s has %s that nothing limits to the spool.\n", file, count(others, "other key"))
	return err
}

// spoolDir is the spool as an absolute path.
func (a *app) spoolDir() (string, error) {
	l, err := a.config()
	if err != nil {
		return "", err
	}
	return filepath.Abs(l.Config.Recordings.SpoolDir)
}

// senderHome opens the home directory of the user that BBB servers log in as.
func (a *app) senderHome(ctx context.Context, user string) (account, *sshspool.Home, error) {
	sender, err := a.account(ctx, user)
	if errors.Is(err, errNoEntry) {
		return sender, nil, fmt.Errorf("there is no user %s; make it with: scalelite recordings setup", user)
	}
	if err != nil {
		return sender, nil, err
	}
	home, err := sshspool.OpenHome(sender.home)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("the user %s has no home directory, it would be %s; make it with: scalelite recordings setup", user, sender.home)
	}
	return sender, home, err
}

func newRecordingsRevokeKeyCommand(a *app) *cobra.Command {
	var user string
	c := &cobra.Command{
		Use:   "revoke-key FINGERPRINT|COMMENT",
		Short: "Let a key send no more recordings",
		Long: `Takes away what 'scalelite recordings authorize-key' gave to a key. A transfer that
runs ends by itself; no other begins. Keys that were let in by hand stay.`,
		Example: `  scalelite recordings revoke-key bigbluebutton@bbb1
  scalelite recordings revoke-key SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU`,
		Args: exactArgs(1, "the fingerprint or the comment of a key, see 'scalelite recordings keys'"),
		RunE: func(c *cobra.Command, args []string) error {
			_, home, err := a.senderHome(c.Context(), user)
			if err != nil {
				return err
			}
			defer home.Close()
			var gone sshspool.Key
			err = home.Update(func(k *sshspool.Keys) error {
				found := k.Find(args[0])
				switch {
				case len(found) == 0:
					return fmt.Errorf("no key is called %q; 'scalelite recordings keys' lists them", args[0])
				case len(found) > 1:
					return fmt.Errorf("%d keys are called %q; give the fingerprint of one", len(found), args[0])
				}
				gone = found[0].Key
				k.Remove(gone)
				return nil
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "%s  %s\nIt sends no more recordings.\n", gone.Fingerprint(), gone.Comment)
			return err
		},
	}
	userFlag(c, &user)
	return c
}

// newRecordingsReceiveCommand is what sshd runs for a key; see sshspool.
func newRecordingsReceiveCommand(a *app) *cobra.Command {
	var spool, since string
	c := &cobra.Command{
		Use:   "receive",
		Short: "Take a recording in over SSH; sshd runs it",
		Long: `Does what a BBB server asked for that logged in with a key of 'scalelite recordings
authorize-key', if that is to write tarballs into the spool. sshd runs it.`,
		Example: `  SSH_ORIGINAL_COMMAND=internal-sftp scalelite recordings receive --spool /var/bigbluebutton/spool`,
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if !filepath.IsAbs(spool) {
				return usage("--spool needs an absolute path")
			}
			return sshspool.Receive(os.Getenv("SSH_ORIGINAL_COMMAND"), spool, a.stdin)
		},
	}
	c.Flags().StringVar(&spool, "spool", "", "the `DIRECTORY` to write into")
	c.Flags().StringVar(&since, "since", "", "when the key was let in, as 'recordings keys' shows it")
	return c
}
