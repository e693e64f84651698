package cmd

import (
	"archive/tar"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/recordings"
	"scalelite/web/admin"
)

// made is a recording as a server hands it over. Each of its files says whose it
// is and of which version, so that files of different imports can be told apart.
type made struct {
	id, meeting string
	version     int
	formats     []string
	start       time.Time
	unpublished bool
	size        int // bytes of each file, at least
}

// firstStart is when the recordings of these tests began, unless they say so.
var firstStart = time.UnixMilli(1760000000000)

func (m made) began() time.Time {
	if m.start.IsZero() {
		return firstStart
	}
	return m.start
}

func (m made) metadata(format string) string {
	link := "/" + format + "/" + m.id + "/"
	if format == "presentation" {
		link = "/playback/presentation/2.3/" + m.id
	}
	start := m.began().UnixMilli()
	return fmt.Sprintf(`<recording>
  <id>%[1]s</id><state>published</state><published>%[2]v</published>
  <start_time>%[3]d</start_time><end_time>%[4]d</end_time><participants>3</participants>
  <meta><meetingId>%[5]s</meetingId><meetingName>A class</meetingName><version>%[6]d</version></meta>
  <playback><format>%[7]s</format><link>https://bbb1.example.org%[8]s</link><processing_time>10</processing_time><duration>60000</duration></playback>
  <raw_size>1000</raw_size>
</recording>
`, m.id, !m.unpublished, start, start+60000, m.meeting, m.version, format, link)
}

// line begins each file of a format but its metadata.xml.
func (m made) line(format string) string {
	return fmt.Sprintf("%s %s v%d\n", m.id, format, m.version)
}

// filesOf are the names of the files of a format beside its metadata.xml.
func filesOf(format string) []string {
	if format != "presentation" {
		return []string{format + ".webm"}
	}
	return []string{"shapes.svg", "slides/slide-1.png", "slides/slide-2.png", "slides/slide-3.png", "video/webcams.webm"}
}

// files are the contents of a recording, by their path in a tarball.
func (m made) files() map[string]string {
	all := map[string]string{}
	for _, format := range m.formats {
		dir := format + "/" + m.id + "/"
		all[dir+"metadata.xml"] = m.metadata(format)
		for _, name := range filesOf(format) {
			all[dir+name] = m.line(format) + strings.Repeat("x", m.size)
		}
	}
	return all
}

// tar is the tarball of a recording.
func (m made) tar() []byte { return packed(m.files()) }

// brokenTar is the same with a metadata.xml of its last format that is cut.
func (m made) brokenTar() []byte {
	all := m.files()
	all[m.formats[len(m.formats)-1]+"/"+m.id+"/metadata.xml"] = "<recording>"
	return packed(all)
}

func packed(all map[string]string) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o640, Size: int64(len(all[name]))})
		_, _ = io.WriteString(w, all[name])
	}
	_ = w.Close() // into memory: it cannot fail
	return out.Bytes()
}

// tree writes the files below a directory, as a server has them.
func (m made) tree(t testing.TB, dir string) {
	t.Helper()
	for name, text := range m.files() {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// settledAt is a time of change long ago: a tarball that has it need not settle.
func settledAt(version int) time.Time { return firstStart.Add(time.Duration(version) * time.Second) }

// place puts a tarball into the spool as rsync -a does: under a temporary name,
// with its time of change, then renamed.
func (p *process) place(m made) { p.t.Helper(); p.placeBytes(m.id+".tar", m.tar(), m.version) }

func (p *process) placeBytes(name string, content []byte, version int) {
	p.t.Helper()
	if err := os.MkdirAll(p.path("spool"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	temporary := p.path("spool", "."+name+".AbCdEf")
	if err := os.WriteFile(temporary, content, 0o644); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chtimes(temporary, settledAt(version), settledAt(version)); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(temporary, p.path("spool", name)); err != nil {
		p.t.Fatal(err)
	}
}

// bearer is the token by which a server hands over a recording.
func bearer(t testing.TB, server *bbbtest.Server, id string) string {
	t.Helper()
	address, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.RegisteredClaims{Issuer: address.Host, Subject: id, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute))}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(server.Secret()))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// upload sends a tarball and returns the status of the answer.
func (p *process) upload(server *bbbtest.Server, m made) (int, error) {
	request, err := http.NewRequest(http.MethodPost, p.base+"/scalelite/api/recordings/upload", bytes.NewReader(m.tar()))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+bearer(p.t, server, m.id))
	response, err := p.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// admin is the running process as its commands see it.
func (p *process) admin() *admin.Client { return admin.NewClient(p.path("admin.sock")) }

// names lists a directory; one that is not there is empty.
func (p *process) names(elements ...string) []string {
	p.t.Helper()
	found, err := os.ReadDir(p.path(elements...))
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names
}

// spooled are the tarballs that are in the spool or just being taken out of it.
func (p *process) spooled() []string {
	isTaken := func(name string) bool { return name == ".taken" }
	return slices.Concat(slices.DeleteFunc(p.names("spool"), isTaken), p.names("spool", ".taken"))
}

// imported waits until the spool is empty, and fails if a tarball does.
func (p *process) imported() {
	p.t.Helper()
	eventually(p.t, "an empty spool", func() bool {
		if failed := p.names("failed"); len(failed) > 0 {
			p.t.Fatalf("failed: %v", failed)
		}
		if len(p.spooled()) > 0 {
			return false
		}
		files, err := p.admin().SpoolFiles(p.t.Context())
		return err == nil && len(files) == 0
	})
}

// spoolFile is what the spool shows of a tarball.
func (p *process) spoolFile(name string) (recordings.SpoolFile, bool) {
	p.t.Helper()
	files, err := p.admin().SpoolFiles(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range files {
		if f.Name == name {
			return f, true
		}
	}
	return recordings.SpoolFile{}, false
}

// listed is a recording as getRecordings shows it.
type listed struct {
	ID        string `xml:"recordID"`
	MeetingID string `xml:"meetingID"`
	Published bool   `xml:"published"`
	State     string `xml:"state"`
	Metadata  struct {
		Version int    `xml:"version"`
		Note    string `xml:"note"`
	} `xml:"metadata"`
	Formats []struct {
		Type string `xml:"type"`
		URL  string `xml:"url"`
		Size int64  `xml:"size"`
	} `xml:"playback>format"`
}

// recordings asks for all recordings, by their ID, and for the text of the answer.
func (p *process) recordings(pairs ...string) (map[string]listed, string) {
	p.t.Helper()
	reply, err := p.get("getRecordings", pairs...)
	if err != nil || !reply.OK {
		p.t.Fatalf("getRecordings: %v %+v", err, reply)
	}
	var answer struct {
		Recordings []listed `xml:"recordings>recording"`
	}
	if err := xml.Unmarshal(reply.Body, &answer); err != nil {
		p.t.Fatal(err)
	}
	all := map[string]listed{}
	for _, r := range answer.Recordings {
		if _, twice := all[r.ID]; twice {
			p.t.Errorf("recording %s is listed twice", r.ID)
		}
		all[r.ID] = r
	}
	return all, string(reply.Body)
}

// mustRun runs a command that must succeed and returns what it printed.
func (p *process) mustRun(args ...string) string {
	p.t.Helper()
	out, errOut, err := p.run(args...)
	if err != nil {
		p.t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, out, errOut)
	}
	return out
}

// call makes a signed call that must succeed.
func (p *process) call(name string, pairs ...string) bbb.Reply {
	p.t.Helper()
	reply, err := p.get(name, pairs...)
	if err != nil || !reply.OK {
		p.t.Fatalf("%s %v: %v %s", name, pairs, err, reply.Body)
	}
	return reply
}

// inOrder fails the test unless records and files agree and nothing is left
// over. Nothing may be going on.
func (p *process) inOrder() {
	p.t.Helper()
	problems, err := p.admin().CheckRecordings(p.t.Context(), recordings.RepairNothing)
	if err != nil || len(problems) > 0 {
		p.t.Errorf("recordings check: %v %+v", err, problems)
	}
	if got, want := p.names("work"), []string{".scalelite", "import", "old", "trash"}; !slices.Equal(got, want) {
		p.t.Errorf("work_dir holds %v, want %v", got, want)
	}
	for _, dir := range []string{"import", "old"} {
		if left := p.names("work", dir); len(left) > 0 {
			p.t.Errorf("left in %s of work_dir: %v", dir, left)
		}
	}
	if left := p.spooled(); len(left) > 0 {
		p.t.Errorf("left in the spool: %v", left)
	}
}
