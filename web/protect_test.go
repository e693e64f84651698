package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/store/storetest"
)

// cookieKey returns the key of the system's cookies.
func (s *system) cookieKey() []byte {
	s.t.Helper()
	key, err := s.web.cookies.ensure(context.Background(), s.store)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

// sign makes a JWT.
func sign(t testing.TB, method jwt.SigningMethod, claims jwt.MapClaims, key any) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// cookieFor returns a Cookie header that opens a format for so long.
func (s *system) cookieFor(format, id string, ttl time.Duration) string {
	s.t.Helper()
	claims := jwt.MapClaims{"sub": "/" + format + "/" + id, "exp": time.Now().Add(ttl).Unix()}
	return "recording_" + format + "_" + id + "=" + sign(s.t, jwt.SigningMethodHS256, claims, s.cookieKey())
}

// token stores a token as getRecordings does, and returns it.
func (s *system) token(format, id string, change func(*store.PlayToken)) string {
	s.t.Helper()
	var b [32]byte
	_, _ = rand.Read(b[:])
	token := store.PlayToken{Token: hex.EncodeToString(b[:]), RecordID: id, Format: format, Expires: time.Now().Add(time.Hour)}
	if change != nil {
		change(&token)
	}
	if err := s.store.Update(context.Background(), func(tx *store.Tx) error { return tx.PutPlayToken(token) }); err != nil {
		s.t.Fatal(err)
	}
	return token.Token
}

func protected(r *store.Recording) { r.Protected = true }

// TestProtectedLink is the way of a reader: the link that getRecordings gives,
// the cookie, the files.
func TestProtectedLink(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, func(o *settings) { o.recordings = func(c *recordings.Config) { c.Protected = true } })
	s.keep(recordingID, allFormats, protected)
	var list struct {
		Formats []struct {
			Type string `xml:"type"`
			URL  string `xml:"url"`
		} `xml:"recordings>recording>playback>format"`
	}
	if err := xml.Unmarshal([]byte(s.get("getRecordings", "recordID", recordingID).body), &list); err != nil || len(list.Formats) != 5 {
		t.Fatalf("%v %v", list, err)
	}
	files := map[string]string{"presentation": "shapes.svg", "video": "video-0.m4v", "screenshare": "screenshare-0.webm", "podcast": "audio.ogg", "notes": "notes.pdf"}
	for _, f := range list.Formats {
		file := "/" + f.Type + "/" + recordingID + "/" + files[f.Type]
		s.play("GET", file).wantNotFound(t, "without a cookie: "+file)
		a := s.play("GET", strings.TrimPrefix(f.URL, s.url))
		if a.status != http.StatusTemporaryRedirect || a.header.Get("Location") != linkOf(f.Type, recordingID) || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Referrer-Policy") != "no-referrer" {
			t.Fatalf("%s: %d %v", f.URL, a.status, a.header)
		}
		cookies := a.header.Values("Set-Cookie")
		if len(cookies) != 2 {
			t.Fatalf("%s: cookies %q", f.URL, cookies)
		}
		cookie, _, _ := strings.Cut(cookies[0], ";")
		for _, method := range []string{"GET", "HEAD"} {
			if a := s.play(method, file, "Cookie", cookie); a.status != http.StatusOK {
				t.Errorf("%s %s: %d", method, file, a.status)
			}
		}
		if a := s.play("GET", file, "Cookie", cookie, "Range", "bytes=0-1"); a.status != http.StatusPartialContent {
			t.Errorf("range of %s: %d", file, a.status)
		}
	}
}

// TestCookieAttributes (S8, T19): secure, for one recording, also inside a page
// of the front-end's, and in browsers that misread that.
func TestCookieAttributes(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, allFormats, protected)
	token := s.token("presentation", recordingID, nil)
	open := func(agent string) []*http.Cookie {
		t.Helper()
		a := s.play("GET", "/recording/"+recordingID+"/presentation?token="+token, "User-Agent", agent)
		if a.status != http.StatusTemporaryRedirect {
			t.Fatalf("%s: %d %s", agent, a.status, a.body)
		}
		return (&http.Response{Header: a.header}).Cookies()
	}
	check := func(agent string, c *http.Cookie) {
		t.Helper()
		if c.Name != "recording_presentation_"+recordingID || c.Path != "/presentation/"+recordingID || c.Domain != "" || !c.Secure || !c.HttpOnly ||
			c.MaxAge != int((6*time.Hour).Seconds()) || time.Until(c.Expires) < 5*time.Hour {
			t.Errorf("%s: %v", agent, c)
		}
		var claims jwt.MapClaims
		if _, err := jwt.ParseWithClaims(c.Value, &claims, func(*jwt.Token) (any, error) { return s.cookieKey(), nil }, jwt.WithValidMethods([]string{"HS256"})); err != nil {
			t.Fatal(err)
		}
		if exp, _ := claims.GetExpirationTime(); claims["sub"] != "/presentation/"+recordingID || time.Until(exp.Time).Round(time.Minute) != 6*time.Hour || len(claims) != 2 {
			t.Errorf("claims %v", claims)
		}
	}
	for agent, fine := range agents {
		cookies := open(agent)
		if !fine {
			if len(cookies) != 1 || cookies[0].SameSite != 0 || cookies[0].Partitioned || strings.Contains(cookies[0].Raw, "SameSite") {
				t.Errorf("%s: %v", agent, cookies)
			}
			check(agent, cookies[0])
			continue
		}
		// The second one replaces the first where Partitioned means nothing.
		if len(cookies) != 2 || cookies[0].Partitioned || !cookies[1].Partitioned || cookies[0].Value != cookies[1].Value {
			t.Fatalf("%s: %v", agent, cookies)
		}
		for _, c := range cookies {
			if c.SameSite != http.SameSiteNoneMode {
				t.Errorf("%s: %v", agent, c)
			}
			check(agent, c)
		}
	}
}

// agents are browsers, and whether they understand SameSite=None.
var agents = map[string]bool{
	"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0":                                                                                                     true,
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36":                                                            true,
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/67.0.3396.99 Safari/537.36":                                                         true,
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/66.0.3359.139 Safari/537.36":                                                        false,
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/51.0.2704.106 Safari/537.36":                                                        false,
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/50.0.2661.102 Safari/537.36":                                                        true,
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Ubuntu Chromium/60.0.3112.78 Chrome/60.0.3112.78 Safari/537.36":                                      false,
	"Mozilla/5.0 (iPhone; CPU iPhone OS 12_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1":                                false,
	"Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/92.0.4515.90 Mobile/15E148 Safari/604.1":                                       false,
	"Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0.4 Mobile/15E148 Safari/604.1":                                  true,
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Safari/605.1.15":                                                    false,
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605.1.15 (KHTML, like Gecko)":                                                                                   false,
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36":                                                      true,
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15":                                                      true,
	"Mozilla/5.0 (Linux; U; Android 8.0.0; en-US; Pixel XL) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/78.0.3904.108 UCBrowser/12.13.2.1005 Mobile Safari/537.36": true,
	"Mozilla/5.0 (Linux; U; Android 8.0.0; en-US; Pixel XL) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/78.0.3904.108 UCBrowser/12.13.0.1207 Mobile Safari/537.36": false,
	"Mozilla/5.0 (Linux; U; Android 8.0.0; en-US; Pixel XL) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/57.0.2987.108 UCBrowser/13.1.0.1005 Mobile Safari/537.36":  true,
	"curl/8.5.0":                   true,
	"Chrome/99999999999999999999.": true,
	strings.Repeat("(iP CPU OS ", 300) + "12) AppleWebKit/": true,
}

// TestTokens: a link opens its own recording and format, once and for the grace
// time, until it expires; T16.
func TestTokens(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, allFormats, protected)
	s.keep(otherID, allFormats, protected)
	link := func(token string) string { return "/recording/" + recordingID + "/presentation?token=" + token }
	good := s.token("presentation", recordingID, nil)
	// Asking where it leads does not use it up.
	for range 2 {
		if a := s.play("HEAD", link(good)); a.status != http.StatusTemporaryRedirect || a.header.Get("Set-Cookie") != "" {
			t.Errorf("HEAD: %d %v", a.status, a.header)
		}
	}
	if used := s.tokenUsed(good); !used.IsZero() {
		t.Errorf("HEAD used the token, at %s", used)
	}
	for range 2 { // T16
		if a := s.play("GET", link(good)); a.status != http.StatusTemporaryRedirect || len(a.header.Values("Set-Cookie")) != 2 {
			t.Errorf("within the grace time: %d %v", a.status, a.header)
		}
	}
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	if a := s.play("GET", link(s.token("presentation", recordingID, func(t *store.PlayToken) { t.Expires, t.Used = ago(time.Minute), ago(4*time.Minute) }))); a.status != http.StatusTemporaryRedirect {
		t.Errorf("used shortly before it expired: %d", a.status)
	}
	for name, token := range map[string]string{
		"expired":               s.token("presentation", recordingID, func(t *store.PlayToken) { t.Expires = ago(time.Second) }),
		"used":                  s.token("presentation", recordingID, func(t *store.PlayToken) { t.Used = ago(5*time.Minute + time.Second) }),
		"of another recording":  s.token("presentation", otherID, nil),
		"of another format":     s.token("video", recordingID, nil),
		"unknown":               strings.Repeat("0", 64),
		"none":                  "",
		"short":                 good[:63],
		"long":                  good + "0",
		"upper case":            strings.ToUpper(s.token("presentation", recordingID, func(t *store.PlayToken) { t.Token = "abcdef" + t.Token[6:] })),
		"no hex":                strings.Repeat("z", 64),
		"with something behind": good + "&token=" + good,
	} {
		a := s.play("GET", link(token))
		if name == "with something behind" {
			continue
		}
		a.wantNotFound(t, name)
		s.play("HEAD", link(token)).wantNotFound(t, "HEAD "+name)
	}
	for _, path := range []string{"/recording/" + recordingID + "/presentation", "/recording/" + recordingID + "/capture?token=" + good, "/recording/" + recordingID, "/recording/x/presentation?token=" + good, "/recording/%2e%2e/presentation?token=" + good} {
		s.play("GET", path).wantNotFound(t, path)
	}
}

func (s *system) tokenUsed(token string) (used time.Time) {
	s.t.Helper()
	err := s.store.View(context.Background(), func(tx *store.Tx) error {
		t, err := tx.PlayToken(token)
		used = t.Used
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return used
}

// TestStrictlyOnce: without a grace time one of many simultaneous readers gets
// in.
func TestStrictlyOnce(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, func(o *settings) { o.recordings = func(c *recordings.Config) { c.TokenGrace = 0 } })
	s.keep(recordingID, allFormats, protected)
	link := "/recording/" + recordingID + "/presentation?token=" + s.token("presentation", recordingID, nil)
	var wg sync.WaitGroup
	statuses := make([]int, 20)
	for i := range statuses {
		wg.Go(func() { statuses[i] = s.play("GET", link).status })
	}
	wg.Wait()
	slices.Sort(statuses)
	if statuses[0] != http.StatusTemporaryRedirect || statuses[1] != http.StatusNotFound || statuses[19] != http.StatusNotFound {
		t.Errorf("statuses %v", statuses)
	}
}

// TestForgedCookies (S5, T17): only our own cookie of this very recording and
// format opens it.
func TestForgedCookies(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, allFormats, protected)
	s.keep(otherID, allFormats, protected)
	key, scope := s.cookieKey(), "/presentation/"+recordingID
	exp := time.Now().Add(time.Hour).Unix()
	fine := jwt.MapClaims{"sub": scope, "exp": exp}
	name := "recording_presentation_" + recordingID
	good := sign(t, jwt.SigningMethodHS256, fine, key)
	path := scope + "/shapes.svg"
	if a := s.play("GET", path, "Cookie", name+"="+good); a.status != http.StatusOK {
		t.Fatalf("the good one: %d", a.status)
	}
	if a := s.play("GET", path, "Cookie", name+"=junk; "+name+"="+good); a.status != http.StatusOK {
		t.Errorf("beside an outdated one: %d", a.status)
	}
	for what, cookie := range map[string]string{
		"none":            "",
		"forged name":     "recording_presentation_" + otherID + "=" + good,
		"another name":    "session=" + good,
		"wrong sub":       name + "=" + sign(t, jwt.SigningMethodHS256, jwt.MapClaims{"sub": "/presentation/" + otherID, "exp": exp}, key),
		"sub of a format": name + "=" + sign(t, jwt.SigningMethodHS256, jwt.MapClaims{"sub": "/video/" + recordingID, "exp": exp}, key),
		"sub too short":   name + "=" + sign(t, jwt.SigningMethodHS256, jwt.MapClaims{"sub": "/presentation", "exp": exp}, key),
		"sub with more":   name + "=" + sign(t, jwt.SigningMethodHS256, jwt.MapClaims{"sub": scope + "/", "exp": exp}, key),
		"no sub":          name + "=" + sign(t, jwt.SigningMethodHS256, jwt.MapClaims{"exp": exp}, key),
		"no exp":          name + "=" + sign(t, jwt.SigningMethodHS256, jwt.MapClaims{"sub": scope}, key),
		"expired":         name + "=" + sign(t, jwt.SigningMethodHS256, jwt.MapClaims{"sub": scope, "exp": time.Now().Add(-time.Second).Unix()}, key),
		"alg none":        name + "=" + sign(t, jwt.SigningMethodNone, fine, jwt.UnsafeAllowNoneSignatureType),
		"HS512":           name + "=" + sign(t, jwt.SigningMethodHS512, fine, key),
		"HS384":           name + "=" + sign(t, jwt.SigningMethodHS384, fine, key),
		"other key":       name + "=" + sign(t, jwt.SigningMethodHS256, fine, []byte("another key of thirty-two bytes!")),
		"empty key":       name + "=" + sign(t, jwt.SigningMethodHS256, fine, []byte{}),
		"front-end's key": name + "=" + sign(t, jwt.SigningMethodHS256, fine, []byte(testSecret)),
		"signature cut":   name + "=" + good[:len(good)-5],
		"no signature":    name + "=" + good[:strings.LastIndex(good, ".")+1],
		"empty":           name + "=",
		"junk":            name + "=" + strings.Repeat("a.", 3000),
		"behind many":     strings.Repeat(name+"=x; ", maxCookies) + name + "=" + good,
	} {
		s.play("GET", path, "Cookie", cookie).wantNotFound(t, what)
	}
	// T17: every file, and the one of another recording.
	for file := range allFormats {
		kind, rest, _ := strings.Cut(file, "/")
		s.play("GET", "/"+kind+"/"+recordingID+"/"+rest).wantNotFound(t, "without a cookie: "+file)
		s.play("GET", "/"+kind+"/"+recordingID+"/"+rest, "Cookie", s.cookieFor(kind, otherID, time.Hour)).wantNotFound(t, "cookie of another recording: "+file)
		s.play("GET", "/"+kind+"/"+otherID+"/"+rest, "Cookie", name+"="+good).wantNotFound(t, "another recording: "+file)
	}
	s.play("GET", "/video/"+recordingID+"/", "Cookie", name+"="+good).wantNotFound(t, "another format")
	s.play("GET", "/video/"+recordingID).wantNotFound(t, "a redirect tells that there is something")
}

// TestNoKeyNoCookie: before any cookie was given none is good, and looking at
// one makes nothing.
func TestNoKeyNoCookie(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, allFormats, protected)
	forged := sign(t, jwt.SigningMethodHS256, jwt.MapClaims{"sub": "/presentation/" + recordingID, "exp": time.Now().Add(time.Hour).Unix()}, []byte{})
	s.play("GET", "/presentation/"+recordingID+"/shapes.svg", "Cookie", "recording_presentation_"+recordingID+"="+forged).wantNotFound(t, "signed with nothing")
	err := s.store.View(context.Background(), func(tx *store.Tx) error {
		_, err := tx.CookieKey()
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("there is a key: %v", err)
	}
}

// TestProtectionIsOfTheRecording (T18): what the configuration says is for new
// imports.
func TestProtectionIsOfTheRecording(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, func(o *settings) { o.recordings = func(c *recordings.Config) { c.Protected = true } })
	r := s.keep(recordingID, allFormats, protected)
	path := "/presentation/" + recordingID + "/shapes.svg"
	off := s.web.recordingsConfig()
	off.Protected = false
	s.web.Reconfigure(DefaultConfig(), off, nil)
	s.play("GET", path).wantNotFound(t, "with the flag off")
	r.Protected = false
	s.put(r)
	if a := s.play("GET", path); a.status != http.StatusOK {
		t.Errorf("protection taken away: %d", a.status)
	}
	// Its links lead on, without a cookie, whatever their token.
	for _, query := range []string{"", "?token=", "?token=" + strings.Repeat("0", 64)} {
		if a := s.play("GET", "/recording/"+recordingID+"/video"+query); a.status != http.StatusTemporaryRedirect || a.header.Get("Location") != "/playback/video/"+recordingID+"/" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", query, a.status, a.header)
		}
	}
}

// TestLinksStayHere: the address of a format that came with the files cannot
// lead elsewhere.
func TestLinksStayHere(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	for _, address := range []string{"//evil.org/", "https://evil.org/", `/\evil.org`, "", "javascript:alert(1)", "/x\r\nSet-Cookie: a=b", `\\evil.org`} {
		s.keep(recordingID, allFormats, func(r *store.Recording) {
			f, _ := r.Format("video")
			f.URL = address
			r.SetFormat(f)
		})
		if a := s.play("GET", "/recording/"+recordingID+"/video"); a.header.Get("Location") != "/video/"+recordingID+"/" {
			t.Errorf("%q: %d to %q", address, a.status, a.header.Get("Location"))
		}
	}
}

// TestCookieOutlivesARestart: the key is in the database.
func TestCookieOutlivesARestart(t *testing.T) {
	t.Parallel()
	file := storetest.OpenFile(t, filepath.Join(t.TempDir(), "a.db"), nil)
	var before cookieKey
	key, err := before.ensure(context.Background(), file.Store)
	if err != nil || len(key) != 32 {
		t.Fatalf("%d bytes: %v", len(key), err)
	}
	file.Reopen(t)
	var after cookieKey
	if again, err := after.known(context.Background(), file.Store); err != nil || string(again) != string(key) {
		t.Errorf("another key after a restart: %v", err)
	}
}

// TestSweepTokens: what opens nothing any more goes, and nothing else.
func TestSweepTokens(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	want := []string{
		s.token("video", recordingID, nil),
		s.token("video", recordingID, func(t *store.PlayToken) { t.Used = ago(time.Minute) }),
		s.token("video", recordingID, func(t *store.PlayToken) { t.Used, t.Expires = ago(time.Minute), ago(time.Second) }),
	}
	err := s.store.Update(context.Background(), func(tx *store.Tx) error {
		for i := range sweepBatch + 10 {
			token := store.PlayToken{Token: strings.Repeat("0", 60) + hex.EncodeToString([]byte{byte(i >> 8), byte(i)}), Expires: ago(time.Second)}
			if err := tx.PutPlayToken(token); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.token("video", recordingID, func(t *store.PlayToken) { t.Used = ago(time.Hour) })
	if n, err := s.web.SweepTokens(context.Background()); err != nil || n != sweepBatch+11 {
		t.Errorf("%d removed: %v", n, err)
	}
	var got []string
	err = s.store.View(context.Background(), func(tx *store.Tx) error {
		got = nil
		for token, err := range tx.PlayTokens("") {
			if err != nil {
				return err
			}
			got = append(got, token.Token)
		}
		return nil
	})
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v: %v", got, want, err)
	}
}

// TestInsecureLinks: whoever lists protected recordings over plain HTTP is told,
// once, that nobody will be able to open them.
func TestInsecureLinks(t *testing.T) {
	t.Parallel()
	log := &lockedLog{}
	s := newLibrary(t, func(o *settings) { o.log = log })
	s.keep(recordingID, allFormats, nil)
	s.get("getRecordings", "recordID", recordingID)
	if log.count("their cookie needs https") > 0 {
		t.Error("told of an open recording")
	}
	s.keep(otherID, allFormats, protected)
	for range 3 {
		s.get("getRecordings", "recordID", otherID)
	}
	if n := log.count("their cookie needs https"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// TestUnservedFormatsAreNotListed: no link leads nowhere.
func TestUnservedFormatsAreNotListed(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, func(o *settings) {
		o.recordings = func(c *recordings.Config) { c.Formats = []string{"presentation", "notes"} }
	})
	s.keep(recordingID, allFormats, nil)
	body := s.get("getRecordings", "recordID", recordingID).body
	for format, want := range map[string]int{"presentation": 1, "notes": 1, "video": 0, "podcast": 0} {
		if got := strings.Count(body, "<type>"+format+"</type>"); got != want {
			t.Errorf("%s is listed %d times, want %d", format, got, want)
		}
	}
}
