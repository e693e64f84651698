package sshspool

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

const spool = "/var/bigbluebutton/spool"

func decided(asked, stdin string) (process, error) {
	return decide(asked, spool, strings.NewReader(stdin))
}

func TestRsyncThatIsTaken(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]string{
		"rsync --server -e.LsfxCIvu . /var/bigbluebutton/spool/":                                 "-e.LsfxCIvu T " + spool + "/",
		"rsync --server -e.LsfxCIvu . /var/bigbluebutton/spool":                                  "-e.LsfxCIvu T " + spool + "/",
		"rsync --server -e.LsfxCIvu . .":                                                         "-e.LsfxCIvu T " + spool + "/",
		"rsync --server -e.LsfxCIvu . /":                                                         "-e.LsfxCIvu T " + spool + "/",
		"rsync --server -e31.14 . ./":                                                            "-e31.14 T " + spool + "/",
		"rsync --server -e.L . a1-b_2.tar":                                                       "-e.L T " + spool + "/a1-b_2.tar",
		"rsync --server -e.L . /var/bigbluebutton/spool/a.tar.gz":                                "-e.L T " + spool + "/a.tar.gz",
		"rsync --server -vlogDtprze.iLsfxCIvu --stats --remove-source-files . /":                 "-vlogDtprze.iLsfxCIvu --stats --remove-source-files T " + spool + "/",
		"rsync --server -e.L --log-format=%i --timeout=60 --bwlimit=1.5m . /":                    "-e.L --log-format=%i --timeout=60 --bwlimit=1.5m T " + spool + "/",
		`rsync --server -oge.L --partial --usermap=\*:foo --groupmap=\*:bar --partial-dir x . /`: "-oge.L T " + spool + "/",
		"rsync  --server -e.L . '/var/bigbluebutton/spool/' ":                                    "-e.L T " + spool + "/",
	} {
		p, err := decided(asked, "")
		want = strings.Replace("rsync --server "+want, " T ", " --whole-file --munge-links --chmod=F664 . ", 1)
		if got := strings.Join(p.argv, " "); err != nil || got != want {
			t.Errorf("%s\nwant %s\ngot  %s, %v", asked, want, got, err)
		}
	}
}

// Clients with -s send their arguments before the transfer, of which not a byte
// may be taken away.
func TestRsyncThatSendsItsArguments(t *testing.T) {
	t.Parallel()
	const sent = "rsync\x00--remove-source-files\x00.\x00/var/bigbluebutton/spool/\x00\x00"
	in := strings.NewReader(sent + "the transfer")
	p, err := decide("rsync --server -vse.LsfxCIvu", spool, in)
	if err != nil || strings.Join(p.argv, " ") != "rsync --server -ve.LsfxCIvu --remove-source-files --whole-file --munge-links --chmod=F664 . /var/bigbluebutton/spool/" {
		t.Errorf("%v, %v", p.argv, err)
	}
	if rest, _ := io.ReadAll(in); string(rest) != "the transfer" {
		t.Errorf("left for rsync: %q", rest)
	}
	for _, sent := range []string{
		"", "rsync", "rsync\x00.\x00/\x00", "\x00", "sh\x00.\x00/\x00\x00", "rsync\x00--server\x00.\x00/\x00\x00",
		"rsync\x00.\x00/etc\x00\x00", "rsync\x00--sender\x00.\x00/\x00\x00", "rsync\x00.\x00/\x00/\x00\x00",
		"rsync\x00--rsync-path=x\x00.\x00/\x00\x00", "rsync\x00" + strings.Repeat("a", maxCommand+1) + "\x00\x00",
		"rsync\x00" + strings.Repeat("--stats\x00", maxWords+2) + "\x00",
	} {
		if p, err := decided("rsync --server -se.L", sent); !errors.Is(err, ErrRefused) {
			t.Errorf("%.60q: %v, %v", sent, p.argv, err)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	for _, asked := range []string{
		"", " ", "sh", "bash -i", "id", "rsync", "rsync --daemon .", "rsync --server --daemon .", "scp -t /var/bigbluebutton/spool",
		"rsync --server --sender -e.L . /var/bigbluebutton/spool/a.tar",
		"rsync --sender --server -e.L . /", "/usr/bin/rsync --server -e.L . /", "rsync --server -e.L . / --sender",
		"rsync --server -e.L . /etc", "rsync --server -e.L . /var/bigbluebutton/spool/../x", "rsync --server -e.L . ..",
		"rsync --server -e.L . /var/bigbluebutton/spoolx", "rsync --server -e.L . ~/x", "rsync --server -e.L . .ssh/authorized_keys",
		"rsync --server -e.L . .x.tar", "rsync --server -e.L . sub/a.tar", "rsync --server -e.L . a.tar.txt", "rsync --server -e.L . .tar",
		"rsync --server -e.L . / /", "rsync --server -e.L .", "rsync --server -e.L /", "rsync --server . /", "rsync --server -v . /",
		"rsync --server -e.L -v . /", "rsync --server -e'sh -c id' . /", "rsync --server -esh . /", "rsync --server -e . /",
		"rsync --server -Re.L . /", "rsync --server -He.L . /", "rsync --server -be.L . /", "rsync --server -ye.L . /", "rsync --server -Ke.L . /",
		"rsync --server -Te.L . /", "rsync --server -Xe.L . /", "rsync --server -Be.L . /", "rsync --server -ke.L . /", "rsync --server -fe.L . /",
		"rsync --server -e.L --temp-dir /tmp . /", "rsync --server -e.L --log-file=/tmp/x . /", "rsync --server -e.L --log-file /tmp/x . /",
		"rsync --server -e.L --compare-dest=/etc . /", "rsync --server -e.L --link-dest . /", "rsync --server -e.L --copy-dest=/ . /",
		"rsync --server -e.L --files-from=/etc/passwd . /", "rsync --server -e.L --delete . /", "rsync --server -e.L --delete-after . /",
		"rsync --server -e.L --backup-dir=/tmp . /", "rsync --server -e.L --suffix=x . /", "rsync --server -e.L --append . /",
		"rsync --server -e.L --inplace . /", "rsync --server -e.L --write-devices . /", "rsync --server -e.L --copy-devices . /",
		"rsync --server -e.L --fuzzy . /", "rsync --server -e.L --super . /", "rsync --server -e.L --fake-super . /",
		"rsync --server -e.L --block-size=1 . /", "rsync --server -e.L --delay-updates . /", "rsync --server -e.L --rsh=sh . /",
		"rsync --server -e.L --config=/etc/x . /", "rsync --server -e.L --dparam=x . /", "rsync --server -e.L --early-input=/etc/passwd . /",
		"rsync --server -e.L --password-file=/etc/passwd . /", "rsync --server -e.L --exclude-from=/etc/passwd . /", "rsync --server -e.L --chmod=u+s . /",
		"rsync --server -e.L --timeout . /", "rsync --server -e.L --timeout=x . /", "rsync --server -e.L --stats=1 . /", "rsync --server -e.L --log-format=/x . /",
		"rsync --server -e.L . /; id", "rsync --server -e.L . /$(id)", "rsync --server -e.L . /`id`", "rsync --server -e.L . / | sh",
		"rsync --server -e.L . / > /etc/x", "rsync --server -e.L . /\nid", "rsync --server -e.L . '/", `rsync --server -e.L . /\`,
		`rsync --server -e.L . "/"`, "A=b rsync --server -e.L . /", "rsync --server -e.L . /\x00", "rsync --server -e.L . /*",
		"rsync --server -e." + strings.Repeat("L", 100) + " . /", "rsync --server -e.L " + strings.Repeat("--stats ", 100) + ". /",
		"rsync --server -e.L . " + strings.Repeat("a", maxCommand),
		"sftpserver", "internal-sftp2", "sftp",
	} {
		if p, err := decided(asked, "rsync\x00.\x00/\x00\x00"); !errors.Is(err, ErrRefused) {
			t.Errorf("%.80q became %q, %v", asked, p.argv, err)
		}
	}
}

func TestSftp(t *testing.T) {
	t.Parallel()
	for _, asked := range []string{"internal-sftp", "/usr/lib/openssh/sftp-server", "/usr/lib/openssh/sftp-server -l INFO"} {
		p, err := decided(asked, "")
		if err != nil || !p.fenced || strings.Join(p.argv, " ") != "sftp-server -d "+spool+" -u 002 -p "+sftpRequests {
			t.Errorf("%s: %+v, %v", asked, p, err)
		}
	}
}

// Whatever is asked for: what runs is one of two programs, its options are among
// those that are known, and the last word lies in the spool.
func FuzzDecide(f *testing.F) {
	f.Add("rsync --server -vlogDtpre.iLsfxCIvu --log-format=%i --timeout=60 . /var/bigbluebutton/spool/", []byte(nil))
	f.Add("rsync --server -se.LsfxCIvu", []byte("rsync\x00--partial\x00.\x00/\x00\x00transfer"))
	f.Add(`rsync --server -e.L --usermap=\*:x . a.tar`, []byte(nil))
	f.Add("internal-sftp", []byte(nil))
	f.Fuzz(func(t *testing.T, asked string, stdin []byte) {
		p, err := decide(asked, spool, bytes.NewReader(stdin))
		if err != nil {
			return
		}
		if p.fenced {
			if p.argv[0] != "sftp-server" || len(p.argv) != 7 {
				t.Errorf("%q became %q", asked, p.argv)
			}
			return
		}
		last := p.argv[len(p.argv)-1]
		name, inside := strings.CutPrefix(last, spool+"/")
		if p.argv[0] != "rsync" || p.argv[1] != "--server" || !inside || name != "" && !tarball(name) || strings.Contains(last, "..") {
			t.Errorf("%q became %q", asked, p.argv)
		}
		ours := p.argv[len(p.argv)-5:]
		if !slices.Equal(ours[:4], []string{"--whole-file", "--munge-links", "--chmod=F664", "."}) {
			t.Errorf("%q became %q", asked, p.argv)
		}
		for _, word := range p.argv[3 : len(p.argv)-5] {
			name, value, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
			o, known := longOptions[name]
			if !strings.HasPrefix(word, "--") || !known || o.kind != passed || strings.ContainsAny(value, "/ \x00-") {
				t.Errorf("%q became %q", asked, p.argv)
			}
		}
		if flags, can, _ := strings.Cut(p.argv[2][1:], "e"); strings.Trim(flags, shortFlags) != "" || strings.ContainsAny(can, "/ -") {
			t.Errorf("%q became %q", asked, p.argv)
		}
	})
}
