package web

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/store/kv"
)

// tarball makes a tar of files by name, in the order given: names and contents
// in turn. A name that ends in a slash is a directory.
func tarball(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i+1 < len(pairs); i += 2 {
		header := &tar.Header{Name: pairs[i], Size: int64(len(pairs[i+1])), Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatGNU}
		if strings.HasSuffix(pairs[i], "/") {
			header.Typeflag, header.Mode = tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// recordingTar is a tarball of a recording as a BBB server makes it.
func recordingTar(t testing.TB, id string) []byte {
	t.Helper()
	metadata := func(format, link string) string {
		return "<recording><id>" + id + "</id><state>published</state><published>true</published><start_time>1530718721124</start_time><end_time>1530718810456</end_time>" +
			"<meta><meetingId>room</meetingId><meetingName>Fred's Room</meetingName></meta><playback><format>" + format + "</format><link>https://bbb.example.com" + link + "</link><duration>89332</duration></playback></recording>"
	}
	return tarball(t,
		"presentation/"+id+"/", "", "presentation/"+id+"/metadata.xml", metadata("presentation", linkOf("presentation", id)),
		"presentation/"+id+"/shapes.svg", "<svg/>", "presentation/"+id+"/video/webcams.webm", strings.Repeat("0123456789", 30_000),
		"podcast/"+id+"/metadata.xml", metadata("podcast", linkOf("podcast", id)), "podcast/"+id+"/audio.ogg", "sound",
	)
}

// bearer makes the token of a simulated server for a recording; change may be
// nil.
func (s *system) bearer(server int, id string, change func(jwt.MapClaims)) string {
	s.t.Helper()
	claims := jwt.MapClaims{"iss": "127.0.0.1", "sub": id, "exp": time.Now().Add(10 * time.Minute).Unix()}
	if change != nil {
		change(claims)
	}
	return "Bearer " + sign(s.t, jwt.SigningMethodHS256, claims, []byte(s.servers[server].Secret()))
}

const uploadURL = uploadPath + "/upload"

// send uploads a body. Only a body of known type has its length announced.
func (s *system) send(token string, body io.Reader) answer {
	s.t.Helper()
	return s.fetch("POST", s.url+uploadURL, http.Header{"Authorization": {token}, "Content-Type": {"application/x-tar"}}, body)
}

// ask fetches JSON with a token.
func (s *system) ask(token, path string) (a answer, fields map[string]any) {
	s.t.Helper()
	a = s.fetch("GET", s.url+uploadPath+path, http.Header{"Authorization": {token}}, nil)
	if err := json.Unmarshal([]byte(a.body), &fields); err != nil || a.header.Get("Content-Type") != jsonType || a.header.Get("Cache-Control") != "no-store" {
		s.t.Errorf("%s: %v %v %s", path, err, a.header, a.body)
	}
	return a, fields
}

// wantRefused checks an answer that is an error.
func (a answer) wantRefused(t testing.TB, what string, status int, words string) {
	t.Helper()
	var fields map[string]string
	if err := json.Unmarshal([]byte(a.body), &fields); err != nil || len(fields) != 1 || !strings.Contains(fields["error"], words) || a.status != status {
		t.Errorf("%s: %d %s, want %d with %q", what, a.status, a.body, status, words)
	}
}

// spooled lists the files in the spool.
func (s *system) spooled() []string {
	s.t.Helper()
	entries, err := os.ReadDir(s.spool.Dir())
	if err != nil {
		s.t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		if !e.IsDir() { // what is being imported has a directory of its own
			names = append(names, e.Name())
		}
	}
	return names
}

// wantSpool waits until these names, and no others, are in the spool.
func (s *system) wantSpool(what string, want ...string) {
	s.t.Helper()
	if want == nil {
		want = []string{}
	}
	var got []string
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got = s.spooled(); cmp.Equal(got, want) {
			return
		}
	}
	s.t.Errorf("%s: in the spool are %q, want %q", what, got, want)
}

// work lets the spool import what is in it, until the test ends.
func (s *system) work() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.spool.Run(ctx) }()
	s.t.Cleanup(func() { cancel(); <-done })
}

// wantImported waits for the end of an import, its own or that of a newer upload
// of the same recording.
func (s *system) wantImported(token, id string) {
	s.t.Helper()
	var fields map[string]any
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var a answer
		if a, fields = s.ask(token, "/imports/"+id); a.status != http.StatusOK {
			break
		}
		if fields["state"] == "imported" || fields["state"] == "replaced" {
			return
		}
	}
	s.t.Errorf("import %s: %v", id, fields)
}

func importOf(t testing.TB, a answer) string {
	t.Helper()
	var fields struct{ Import, Recording string }
	if err := json.Unmarshal([]byte(a.body), &fields); err != nil || a.status != http.StatusAccepted || fields.Import == "" {
		t.Fatalf("%v: %d %s", err, a.status, a.body)
	}
	if a.header.Get("Location") != uploadPath+"/imports/"+fields.Import {
		t.Errorf("Location %q", a.header.Get("Location"))
	}
	return fields.Import
}

// uploading starts a system that takes uploads from so many servers.
func uploading(t testing.TB, servers int, change func(*settings)) *system {
	t.Helper()
	return newLibrary(t, func(o *settings) {
		o.servers = servers
		if change != nil {
			change(o)
		}
	})
}

// TestUpload is the way of a recording: taken, imported, and found to be safely
// here (T28), however the tarball comes.
func TestUpload(t *testing.T) {
	t.Parallel()
	s := uploading(t, 1, nil)
	plain := recordingTar(t, recordingID)
	for i, test := range []struct {
		id   string
		body func(tar []byte) io.Reader
		file string
	}{
		{recordingID, func(tar []byte) io.Reader { return bytes.NewReader(tar) }, recordingID + ".tar"},
		{otherID, func(tar []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(tar)} }, otherID + ".tar"},
		{"third", func(tar []byte) io.Reader { return bytes.NewReader(zipped(t, tar)) }, "third.tar.gz"},
		{"fourth", func(tar []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(zipped(t, tar))} }, "fourth.tar.gz"},
	} {
		token := s.bearer(0, test.id, nil)
		if a, _ := s.ask(token, "/"+test.id); a.status != http.StatusNotFound {
			t.Errorf("before: %d %s", a.status, a.body)
		}
		id := importOf(t, s.send(token, test.body(recordingTar(t, test.id))))
		s.wantSpool(test.file, test.file)
		if _, fields := s.ask(token, "/imports/"+id); fields["state"] != "waiting" || fields["recording"] != test.id || fields["import"] != id {
			t.Errorf("waiting: %v", fields)
		}
		if i == 0 {
			if got, err := os.ReadFile(filepath.Join(s.spool.Dir(), test.file)); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("the tarball has %d of %d bytes: %v", len(got), len(plain), err)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		var worker sync.WaitGroup
		worker.Go(func() { s.spool.Run(ctx) })
		s.wantImported(token, id)
		cancel()
		worker.Wait()
		s.wantSpool("imported")
		_, fields := s.ask(token, "/"+test.id)
		delete(fields, "imported") // a time
		var got struct {
			Here    bool
			State   string
			Formats []formatState
		}
		raw, _ := json.Marshal(fields)
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if !got.Here || got.State != "published" || len(got.Formats) != 2 || got.Formats[0].Type != "podcast" || got.Formats[0].Files != 2 || got.Formats[1].Files != 3 || got.Formats[1].Bytes < 300_000 {
			t.Errorf("%s", raw)
		}
		for _, f := range got.Formats {
			metadata, err := os.ReadFile(filepath.Join(s.dir(store.Recording{ID: test.id, State: store.Published}, f.Type), "metadata.xml"))
			if sum := fmt.Sprintf("%x", sha256.Sum256(metadata)); err != nil || f.Metadata != sum {
				t.Errorf("the metadata of %s has %q, want %q, %v", f.Type, f.Metadata, sum, err)
			}
		}
	}
	if a := s.play("GET", "/presentation/"+recordingID+"/shapes.svg"); a.body != "<svg/>" {
		t.Errorf("played: %d %s", a.status, a.body)
	}
	// A server must not delete its copy on the word of a record alone.
	r := store.Recording{ID: recordingID, State: store.Published}
	if err := os.RemoveAll(s.dir(r, "podcast")); err != nil {
		t.Fatal(err)
	}
	if _, fields := s.ask(s.bearer(0, recordingID, nil), "/"+recordingID); fields["here"] != false || !strings.Contains(fmt.Sprint(fields["formats"]), "missing:true") {
		t.Errorf("with files missing: %v", fields)
	}
	if a := s.get("deleteRecordings", "recordID", otherID); !a.OK {
		t.Fatal(a.body)
	}
	if _, fields := s.ask(s.bearer(0, otherID, nil), "/"+otherID); fields["here"] != false || fields["state"] != "deleted" {
		t.Errorf("deleted: %v", fields)
	}
}

// A format that cannot be read is not safely here (T28), which is an answer: an
// error would keep the server from whatever else it is to send.
func TestRecordingWithAFormatThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := uploading(t, 1, nil)
	r := s.keep(recordingID, map[string]string{"video/metadata.xml": "<recording/>", "podcast/metadata.xml": "<recording/>"}, nil)
	parent := filepath.Dir(s.dir(r, "video"))
	if err := os.RemoveAll(parent); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(parent, parent); err != nil { // what root cannot read either
		t.Fatal(err)
	}
	a, fields := s.ask(s.bearer(0, recordingID, nil), "/"+recordingID)
	if want := "[map[bytes:12 files:1 metadata:" + fmt.Sprintf("%x", sha256.Sum256([]byte("<recording/>"))) + " type:podcast] map[bytes:0 files:0 missing:true type:video]]"; a.status != http.StatusOK || fields["here"] != false || fmt.Sprint(fields["formats"]) != want {
		t.Errorf("%d %s, want %s", a.status, a.body, want)
	}
}

// TestUploadTokens (S11): whatever is wrong with a token, the answer is the
// same, and it counts as a failed checksum.
func TestUploadTokens(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	s := uploading(t, 2, func(o *settings) {
		o.log = log
		o.web = func(c *Config) {
			c.Host, c.HostAliases, c.ChecksumFailuresPerMinute = "lb.example.org", []string{"former.example.org"}, 0
		}
	})
	fetch := func(method, path, token string) answer {
		header := http.Header{"Host": {"lb.example.org"}}
		if token != "" {
			header.Set("Authorization", token)
		}
		return s.fetch(method, s.url+path, header, bytes.NewReader(recordingTar(t, recordingID)))
	}
	claims := func() jwt.MapClaims {
		return jwt.MapClaims{"iss": "127.0.0.1", "sub": recordingID, "exp": time.Now().Add(time.Minute).Unix()}
	}
	secret := []byte(s.servers[0].Secret())
	with := func(change func(jwt.MapClaims)) string { return s.bearer(0, recordingID, change) }
	bad := map[string]string{
		"none":                 "",
		"empty":                "Bearer ",
		"another scheme":       "Basic " + strings.TrimPrefix(with(nil), "Bearer "),
		"no JWT":               "Bearer junk",
		"two parts":            "Bearer a.b",
		"too long":             "Bearer " + strings.Repeat("x", 20_000),
		"no issuer":            with(func(c jwt.MapClaims) { delete(c, "iss") }),
		"unknown issuer":       with(func(c jwt.MapClaims) { c["iss"] = "evil.example.org" }),
		"issuer of a part":     with(func(c jwt.MapClaims) { c["iss"] = "127.0.0" }),
		"issuer is a URL":      with(func(c jwt.MapClaims) { c["iss"] = "http://127.0.0.1/" }),
		"issuer is a number":   with(func(c jwt.MapClaims) { c["iss"] = 127 }),
		"no subject":           with(func(c jwt.MapClaims) { delete(c, "sub") }),
		"subject is a path":    with(func(c jwt.MapClaims) { c["sub"] = "../../etc/passwd" }),
		"subject is hidden":    with(func(c jwt.MapClaims) { c["sub"] = ".x" }),
		"no expiry":            with(func(c jwt.MapClaims) { delete(c, "exp") }),
		"expired":              with(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-2 * time.Minute).Unix() }),
		"valid for two hours":  with(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(2 * time.Hour).Unix() }),
		"valid for ever":       with(func(c jwt.MapClaims) { c["exp"] = 1e18 }),
		"not yet valid":        with(func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(10 * time.Minute).Unix() }),
		"another audience":     with(func(c jwt.MapClaims) { c["aud"] = "other.example.org" }),
		"several others":       with(func(c jwt.MapClaims) { c["aud"] = []string{"a", "b"} }),
		"another secret":       "Bearer " + sign(t, jwt.SigningMethodHS256, claims(), []byte("guess")),
		"a front-end's secret": "Bearer " + sign(t, jwt.SigningMethodHS256, claims(), []byte(testSecret)),
		"no secret":            "Bearer " + sign(t, jwt.SigningMethodHS256, claims(), []byte{}),
		"HS384":                "Bearer " + sign(t, jwt.SigningMethodHS384, claims(), secret),
		"alg none":             "Bearer " + sign(t, jwt.SigningMethodNone, claims(), jwt.UnsafeAllowNoneSignatureType),
	}
	var first string
	for what, token := range bad {
		for _, call := range [][2]string{{"POST", uploadURL}, {"GET", uploadPath + "/" + recordingID}, {"GET", uploadPath + "/imports/x"}} {
			a := fetch(call[0], call[1], token)
			if first == "" {
				first = a.body
			}
			if a.status != http.StatusUnauthorized || a.body != first || a.header.Get("WWW-Authenticate") != "Bearer" || a.header.Get("Content-Type") != jsonType {
				t.Errorf("%s: %s %s: %d %v %s", what, call[0], call[1], a.status, a.header, a.body)
			}
		}
	}
	s.wantSpool("after refused tokens")
	if got, want := strings.Count(log.String(), "checksum refused"), 3*len(bad); got != want {
		t.Errorf("%d lines in the log, want %d", got, want)
	}
	for _, secret := range []string{s.servers[0].Secret(), "eyJ"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
	address, err := url.Parse(s.servers[0].URL())
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]string{
		"HS256":                with(nil),
		"HS512":                "bearer " + sign(t, jwt.SigningMethodHS512, claims(), secret),
		"our audience":         with(func(c jwt.MapClaims) { c["aud"] = "LB.example.org." }),
		"us among several":     with(func(c jwt.MapClaims) { c["aud"] = []string{"a", "lb.example.org"} }),
		"a further name of us": with(func(c jwt.MapClaims) { c["aud"] = "former.example.org" }),
		"clock a little fast":  with(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(time.Hour + 30*time.Second).Unix() }),
		"clock a little slow":  with(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-30 * time.Second).Unix() }),
		"with a port":          with(func(c jwt.MapClaims) { c["iss"] = address.Host }),
		"the other server":     s.bearer(1, recordingID, nil),
	}
	for what, token := range good {
		if a := fetch("POST", uploadURL, token); a.status != http.StatusAccepted {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
}

// TestServerCallsAreRemembered: the last call of a server tells what sends its
// recordings; a refused one tells nothing.
func TestServerCallsAreRemembered(t *testing.T) {
	t.Parallel()
	s := uploading(t, 2, nil)
	ask := func(token, agent string) {
		s.fetch("GET", s.url+uploadPath+"/"+recordingID, http.Header{"Authorization": {token}, "User-Agent": {agent}}, nil)
	}
	began := time.Now()
	ask(s.bearer(0, recordingID, nil), "curl/8")
	ask(s.bearer(0, recordingID, nil), Agent)
	ask(s.bearer(0, recordingID, nil)+"x", "curl/9")
	calls := s.web.ServerCalls()
	if call := calls["bbb1"]; len(calls) != 1 || call.Agent != Agent || call.Time.Before(began.Add(-time.Second)) {
		t.Errorf("%+v", calls)
	}
}

// TestUploadOfServers: each server sees its own imports, whatever its state, and
// none once it is removed.
func TestUploadOfServers(t *testing.T) {
	t.Parallel()
	s := uploading(t, 2, nil)
	s.setState("bbb2", store.Disabled)
	token := s.bearer(1, recordingID, nil)
	id := importOf(t, s.send(token, bytes.NewReader(recordingTar(t, recordingID))))
	if a, _ := s.ask(token, "/imports/"+id); a.status != http.StatusOK {
		t.Errorf("its own: %d %s", a.status, a.body)
	}
	for what, path := range map[string]string{"another import": "/imports/x", "another recording": "/" + otherID} {
		if a, _ := s.ask(token, path); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	for what, token := range map[string]string{"another server": s.bearer(0, recordingID, nil), "for another recording": s.bearer(1, otherID, nil)} {
		if a, _ := s.ask(token, "/imports/"+id); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	if err := s.pool.RemoveServer(context.Background(), "bbb2"); err != nil {
		t.Fatal(err)
	}
	if a, _ := s.ask(token, "/imports/"+id); a.status != http.StatusUnauthorized {
		t.Errorf("a removed server: %d %s", a.status, a.body)
	}
}

// TestUploadsCountAsChecksums: who guesses tokens is soon refused unseen.
func TestUploadsCountAsChecksums(t *testing.T) {
	t.Parallel()
	s := uploading(t, 1, func(o *settings) { o.web = func(c *Config) { c.ChecksumFailuresPerMinute = 3 } })
	try := func(token string) answer {
		header := http.Header{"Authorization": {token}, "X-Forwarded-For": {"203.0.113.9"}}
		return s.fetch("POST", s.url+uploadURL, header, bytes.NewReader(recordingTar(t, recordingID)))
	}
	for range 3 {
		try("Bearer junk").wantRefused(t, "junk", 401, "not valid")
	}
	try(s.bearer(0, recordingID, nil)).wantRefused(t, "a good one from there", 401, "not valid")
	if a := s.fetch("GET", s.link("getMeetings"), http.Header{"X-Forwarded-For": {"203.0.113.9"}}, nil); a.MessageKey != "checksumError" {
		t.Errorf("the BBB API from there: %s", a.body)
	}
	if a := s.send(s.bearer(0, recordingID, nil), bytes.NewReader(recordingTar(t, recordingID))); a.status != http.StatusAccepted {
		t.Errorf("from elsewhere: %d %s", a.status, a.body)
	}
}

// TestBadTarballs are refused and leave nothing.
func TestBadTarballs(t *testing.T) {
	t.Parallel()
	s := uploading(t, 1, nil)
	good := recordingTar(t, recordingID)
	file := "presentation/" + recordingID + "/"
	var link bytes.Buffer
	w := tar.NewWriter(&link)
	_ = w.WriteHeader(&tar.Header{Name: file + "x", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink})
	_ = w.Close()
	for what, test := range map[string]struct {
		body  []byte
		words string
	}{
		"empty":                 {nil, "incomplete"},
		"text":                  {[]byte(strings.Repeat("this is no tarball\n", 100)), "no tarball"},
		"zeros":                 {make([]byte, 10240), "no recording in it"},
		"gzip of text":          {zipped(t, []byte(strings.Repeat("this is no tarball\n", 100))), "no tarball"},
		"gzip header alone":     {[]byte{0x1f, 0x8b}, "no tarball"},
		"cut":                   {good[:len(good)/2], "incomplete"},
		"cut gzip":              {zipped(t, good)[:200], "incomplete"},
		"without its end":       {good[:len(good)-1024], "incomplete"},
		"another recording":     {recordingTar(t, otherID), "another recording"},
		"another one, gzip":     {zipped(t, recordingTar(t, otherID)), "another recording"},
		"two recordings":        {tarball(t, file+"metadata.xml", "<x/>", "video/"+otherID+"/metadata.xml", "<x/>"), "another recording"},
		"two, the other as dir": {tarball(t, file+"metadata.xml", "<x/>", "video/"+otherID+"/", ""), "another recording"},
		"a way out":             {tarball(t, file+"../../../x", "x"), "refused"},
		"absolute":              {tarball(t, "/etc/passwd", "x"), "another recording"},
		"a link":                {link.Bytes(), "refused"},
		"a file beside":         {tarball(t, file+"metadata.xml", "<x/>", "x", "x"), "refused"},
	} {
		for _, reader := range []io.Reader{bytes.NewReader(test.body), struct{ io.Reader }{bytes.NewReader(test.body)}} {
			s.send(s.bearer(0, recordingID, nil), reader).wantRefused(t, what, 400, test.words)
		}
	}
	s.wantSpool("after bad tarballs")
	if imports := s.imports(); len(imports) != 0 {
		t.Errorf("imports: %v", imports)
	}
}

func (s *system) imports() (all []store.Import) {
	s.t.Helper()
	err := s.store.View(context.Background(), func(tx *store.Tx) (err error) {
		all, err = store.Collect(tx.Imports())
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// TestEarlyRefusal: a tarball of another recording is refused while it is still
// coming, and one that is too large or unwelcome before it comes.
func TestEarlyRefusal(t *testing.T) {
	t.Parallel()
	s := uploading(t, 1, func(o *settings) { o.recordings = func(c *recordings.Config) { c.MaxUpload = "1MB" } })
	status := func(token, length, body string) int {
		t.Helper()
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: %s\r\n\r\n%s", uploadURL, token, length, body)
		answer := make([]byte, 12)
		if _, err := io.ReadFull(conn, answer); err != nil {
			t.Fatalf("no answer before the end of the body: %v", err)
		}
		var code int
		_, _ = fmt.Sscanf(string(answer), "HTTP/1.1 %d", &code)
		return code
	}
	token := s.bearer(0, recordingID, nil)
	if got := status(token, "900000", string(recordingTar(t, otherID)[:uploadBlock])); got != http.StatusBadRequest {
		t.Errorf("another recording: %d", got)
	}
	if got := status(token, "1000001", ""); got != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", got)
	}
	if got := status("Bearer junk", "900000", ""); got != http.StatusUnauthorized {
		t.Errorf("no good token: %d", got)
	}
	err := s.store.Update(t.Context(), func(tx *store.Tx) error {
		return tx.PutRecording(store.Recording{ID: recordingID, State: store.Deleted, DeletedAt: time.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := status(token, "900000", ""); got != http.StatusConflict {
		t.Errorf("deleted: %d", got)
	}
	a := s.send(token, strings.NewReader(""))
	for _, remedy := range []string{`{"error":`, "recordings undelete " + recordingID, "recordings delete --purge " + recordingID} {
		if !strings.Contains(a.body, remedy) {
			t.Errorf("deleted: the answer %s does not name %s", a.body, remedy)
		}
	}
	s.wantSpool("after early refusals")
}

// TestUploadLimits: size, space and number.
func TestUploadLimits(t *testing.T) {
	t.Parallel()
	s := uploading(t, 1, func(o *settings) { o.recordings = func(c *recordings.Config) { c.MaxUpload = "1MB" } })
	token := s.bearer(0, recordingID, nil)
	large := tarball(t, "presentation/"+recordingID+"/x", strings.Repeat("x", 1_200_000))
	s.send(token, bytes.NewReader(large)).wantRefused(t, "too large", 413, "max_upload")
	s.send(token, struct{ io.Reader }{bytes.NewReader(large)}).wantRefused(t, "too large, of unknown length", 413, "max_upload")
	s.send(token, bytes.NewReader(zipped(t, tarball(t, "presentation/"+recordingID+"/x", strings.Repeat("x", 20<<20))))).wantRefused(t, "grows too large", 413, "max_upload")

	config := s.web.recordingsConfig()
	config.MinFree = "1000TB"
	s.web.Reconfigure(DefaultConfig(), config, nil)
	for _, body := range []io.Reader{bytes.NewReader(recordingTar(t, recordingID)), struct{ io.Reader }{bytes.NewReader(recordingTar(t, recordingID))}} {
		a := s.send(token, body)
		a.wantRefused(t, "no space", 507, "free space")
		if a.header.Get("Retry-After") == "" {
			t.Errorf("no space: %v", a.header)
		}
	}
	config.MinFree = "1MB"
	s.web.Reconfigure(DefaultConfig(), config, nil)

	s.web.uploads.n = maxUploads
	s.send(token, bytes.NewReader(recordingTar(t, recordingID))).wantRefused(t, "busy", 503, "Too many")
	s.web.uploads.n = 0
	s.web.uploads.coming = 1 << 60
	s.send(token, bytes.NewReader(recordingTar(t, recordingID))).wantRefused(t, "space that others count on", 507, "free space")
	s.web.uploads.coming = 0
	s.wantSpool("after refusals")
	if a := s.send(token, bytes.NewReader(recordingTar(t, recordingID))); a.status != http.StatusAccepted {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n, coming := s.web.uploads.n, s.web.uploads.coming; n != 0 || coming != 0 {
		t.Errorf("%d uploads and %d bytes are still counted", n, coming)
	}
}

// TestInterruptedUploads leave nothing behind.
func TestInterruptedUploads(t *testing.T) {
	t.Parallel()
	s := uploading(t, 1, nil)
	body := string(recordingTar(t, recordingID))
	head := "POST " + uploadURL + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + s.bearer(0, recordingID, nil) + "\r\n"
	for what, request := range map[string]string{
		"announced":           head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body[:len(body)-1],
		"in the first block":  head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body[:1000],
		"chunked":             head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(body), body),
		"in a chunk":          head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(body), body[:2000]),
		"chunked, malformed":  head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body,
		"before the body":     head + "Content-Length: 1000000\r\n\r\n",
		"with a reset, whole": head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)+1) + body,
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(what, "malformed") && !strings.Contains(what, "reset") {
			// It must have begun, or there is nothing to leave behind.
			s.wantUploading(what)
		}
		if strings.Contains(what, "reset") {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		_ = conn.Close()
		s.wantSpool(what)
	}
	if imports := s.imports(); len(imports) != 0 {
		t.Errorf("imports: %v", imports)
	}
}

// wantUploading waits until an upload has its file.
func (s *system) wantUploading(what string) {
	s.t.Helper()
	for end := time.Now().Add(2 * time.Minute); len(s.spooled()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s: the upload never began", what)
		}
	}
	for _, name := range s.spooled() {
		if !strings.HasPrefix(name, "."+recordingID+".upload-") {
			s.t.Errorf("%s: %s could be taken for a tarball", what, name)
		}
	}
}

// TestCurlIsKilled: what a real client that dies leaves behind, and that it can
// begin again.
func TestCurlIsKilled(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	s := uploading(t, 1, nil)
	path := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(path, recordingTar(t, recordingID), 0o644); err != nil {
		t.Fatal(err)
	}
	send := func(more ...string) *exec.Cmd {
		return exec.Command(curl, append([]string{"-sS", "-T", path, "-X", "POST", "-H", "Authorization: " + s.bearer(0, recordingID, nil), s.url + uploadURL}, more...)...)
	}
	slow := send("--limit-rate", "20k")
	if err := slow.Start(); err != nil {
		t.Fatal(err)
	}
	s.wantUploading("curl")
	_ = slow.Process.Kill()
	_ = slow.Wait()
	s.wantSpool("after the kill")
	out, err := send().CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"recording":"`+recordingID+`"`) {
		t.Errorf("again: %v %s", err, out)
	}
	s.wantSpool("again", recordingID+".tar")
}

// TestStalledUploadEnds: a client that sends nothing any more is not waited for,
// one that is slow is.
func TestStalledUploadEnds(t *testing.T) {
	t.Parallel()
	s := uploading(t, 1, nil)
	addr := s.slowServer(700 * time.Millisecond)
	body := recordingTar(t, recordingID)
	begin := func() net.Conn {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n", uploadURL, s.bearer(0, recordingID, nil), len(body))
		return conn
	}
	stalled := begin()
	defer stalled.Close()
	_, _ = stalled.Write(body[:1000])
	s.wantUploading("stalled")
	s.wantSpool("stalled")
	slow := begin()
	defer slow.Close()
	for i := 0; i < len(body); i += len(body)/12 + 1 {
		time.Sleep(100 * time.Millisecond) // the client is slow
		if _, err := slow.Write(body[i:min(len(body), i+len(body)/12+1)]); err != nil {
			t.Fatal(err)
		}
	}
	if answer, err := io.ReadAll(slow); !strings.HasPrefix(string(answer), "HTTP/1.1 202") {
		t.Errorf("slow: %v %s", err, answer)
	}
}

// TestRepeatedUploads: the same recording sent many times, at once and again, is
// one recording.
func TestRepeatedUploads(t *testing.T) {
	t.Parallel()
	s := uploading(t, 1, nil)
	body, token := recordingTar(t, recordingID), s.bearer(0, recordingID, nil)
	s.work()
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wg.Go(func() {
			content := body
			if i%2 == 1 {
				content = zipped(t, body)
			}
			ids[i] = importOf(t, s.send(token, bytes.NewReader(content)))
		})
	}
	wg.Wait()
	s.wantSpool("all imported")
	s.wantImported(token, importOf(t, s.send(token, bytes.NewReader(body))))
	for _, id := range ids {
		_, fields := s.ask(token, "/imports/"+id)
		if fields["state"] != "imported" && fields["state"] != "replaced" {
			t.Errorf("import %s: %v", id, fields)
		}
	}
	s.wantSpool("imported again")
	if n := strings.Count(s.get("getRecordings").body, "<recording>"); n != 1 {
		t.Errorf("%d recordings", n)
	}
	if a := s.play("GET", "/presentation/"+recordingID+"/shapes.svg"); a.body != "<svg/>" {
		t.Errorf("played: %d %s", a.status, a.body)
	}
}

// TestSweepUploads: what a killed process left goes at the next start; what
// others are writing stays.
func TestSweepUploads(t *testing.T) {
	t.Parallel()
	var dir string
	s := uploading(t, 1, func(o *settings) {
		o.recordings = func(c *recordings.Config) {
			dir = c.SpoolDir
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			f, err := createUpload(dir, recordingID)
			if err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
			for _, name := range []string{"." + recordingID + ".tar.aBcDeF", recordingID + ".tar", ".upload-x"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	s.wantSpool("at start", "."+recordingID+".tar.aBcDeF", ".upload-x", recordingID+".tar")
}

// TestUploadsOff: while recordings are switched off nothing is taken.
func TestUploadsOff(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	s.send(s.bearer(0, recordingID, nil), bytes.NewReader(recordingTar(t, recordingID))).wantRefused(t, "off", 404, "switched off")
	s.send("Bearer junk", bytes.NewReader(nil)).wantRefused(t, "off, and no token", 401, "not valid")
}

// failingUpdates is an engine that writes nothing on demand.
type failingUpdates struct {
	kv.Engine
	failing bool
}

func (e *failingUpdates) Update(ctx context.Context, fn func(kv.Tx) error) error {
	if e.failing {
		return fmt.Errorf("write /var/lib/scalelite/scalelite.db: no space left on device")
	}
	return e.Engine.Update(ctx, fn)
}

// TestUploadWithoutStore: a tarball that cannot be announced is not kept, and
// the answer tells nothing of our insides.
func TestUploadWithoutStore(t *testing.T) {
	t.Parallel()
	engine := &failingUpdates{}
	s := uploading(t, 1, func(o *settings) {
		o.engine = func(below kv.Engine) kv.Engine { engine.Engine = below; return engine }
	})
	engine.failing = true
	s.send(s.bearer(0, recordingID, nil), bytes.NewReader(recordingTar(t, recordingID))).wantRefused(t, "a store that fails", 500, "Internal error")
	engine.failing = false
	s.wantSpool("a store that fails")
}

// FuzzUploadToken: no header lets anybody in who has no secret, and none breaks
// anything.
func FuzzUploadToken(f *testing.F) {
	s := uploading(f, 1, nil)
	good := s.bearer(0, recordingID, nil)
	parts := strings.Split(strings.TrimPrefix(good, "Bearer "), ".")
	for _, header := range []string{"", "Bearer", "Bearer x", "Bearer a.b.c", "Bearer " + parts[0] + "." + parts[1] + ".", "Basic x", "Bearer " + parts[0] + ".e30." + parts[2], "Bearer eyJhbGciOiJub25lIn0." + parts[1] + "."} {
		f.Add(header)
	}
	e := s.web.echo
	f.Fuzz(func(t *testing.T, header string) {
		r, err := http.NewRequest("POST", uploadURL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Authorization"] = []string{header}
		who, err := s.web.uploader(e.NewContext(r, nil))
		if err == nil {
			t.Fatalf("%q is let in as %v", header, who.recording)
		}
	})
}

// FuzzUploadHead: the beginning of a tarball breaks nothing, whatever it is.
func FuzzUploadHead(f *testing.F) {
	good := recordingTar(f, recordingID)[:4096]
	f.Add([]byte{})
	f.Add(good)
	f.Add(zipped(f, good))
	f.Add(recordingTar(f, otherID)[:1024])
	f.Add([]byte{0x1f, 0x8b, 8})
	f.Fuzz(func(t *testing.T, head []byte) {
		packed, err := checkHead(head, recordingID)
		if packed != bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
			t.Fatal("taken for compressed by something else than its first bytes")
		}
		if len(head) == 0 && err == nil {
			t.Fatal("nothing is a tarball")
		}
	})
}
