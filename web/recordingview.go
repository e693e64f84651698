package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/store"
)

// recordingView renders recordings as the BBB API shows them.
type recordingView struct {
	store *store.Store
	// base is scheme and host, as the client reached us.
	base string
	// feature: recordings can be protected, which front-ends tell by the element.
	feature  bool
	tokenTTL time.Duration
	served   []string // the formats of recordings.formats: others have no link that works
	insecure func()   // is told when links to protected recordings are not https
}

func (s *Server) view(c echo.Context) recordingView {
	return recordingView{
		store: s.store, base: s.baseURL(c),
		feature: s.recordingsConfig().Protected, tokenTTL: s.recordingsConfig().TokenTTL,
		served: s.recordingsConfig().Formats, insecure: s.tellInsecure,
	}
}

// tellInsecure warns, once, that protected recordings cannot be opened: browsers
// take their cookie over https alone.
func (s *Server) tellInsecure() {
	s.insecure.Do(func() {
		s.log.Warn("protected recordings are listed with http:// links, which open nothing: their cookie needs https",
			"remedy", "set web.tls, or let the proxy in front speak TLS, send X-Forwarded-Proto and be named in web.trusted_proxies")
	})
}

// baseURL is scheme and host for links in answers.
func (s *Server) baseURL(c echo.Context) string {
	host := s.live.Load().Host
	if host == "" {
		host = c.Request().Host
		if forwarded := c.Request().Header.Get("X-Forwarded-Host"); forwarded != "" && s.fromProxy(c) {
			first, _, _ := strings.Cut(forwarded, ",")
			host = strings.TrimSpace(first)
		}
	}
	return s.scheme(c) + "://" + host
}

func (s *Server) scheme(c echo.Context) string {
	if c.Request().TLS != nil {
		return "https"
	}
	// Of several proxies in a row, the first one spoke to the client.
	first, _, _ := strings.Cut(c.Request().Header.Get("X-Forwarded-Proto"), ",")
	if s.fromProxy(c) && strings.EqualFold(strings.TrimSpace(first), "https") {
		return "https"
	}
	return "http"
}

// link names the link of a format.
type link struct{ recording, format string }

// links makes one-time links for the formats of protected recordings, all of a
// batch in one transaction.
func (v recordingView) links(ctx context.Context, batch []store.Recording) (map[link]string, error) {
	tokens := map[link]string{}
	for _, r := range batch {
		if !r.Protected || r.State != store.Published {
			continue
		}
		for _, f := range v.formats(r) {
			tokens[link{r.ID, f.Type}] = newToken()
		}
	}
	if len(tokens) == 0 {
		return nil, nil
	}
	if strings.HasPrefix(v.base, "http:") {
		v.insecure()
	}
	err := v.store.Update(ctx, func(tx *store.Tx) error {
		for l, token := range tokens {
			err := tx.PutPlayToken(store.PlayToken{Token: token, RecordID: l.recording, Format: l.format, Expires: tx.Now.Add(v.tokenTTL)})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store links to protected recordings: %w", err)
	}
	return tokens, nil
}

// newToken makes what a protected link holds.
func newToken() string {
	var token [tokenLength / 2]byte
	_, _ = rand.Read(token[:]) // never fails
	return hex.EncodeToString(token[:])
}

// formats are those of a recording that are shown.
func (v recordingView) formats(r store.Recording) []store.Format {
	return slices.DeleteFunc(slices.Clone(r.Formats), func(f store.Format) bool { return !slices.Contains(v.served, f.Type) })
}

// recording writes one element. The order of its children is that of the
// contract.
func (v recordingView) recording(out *bytes.Buffer, r store.Recording, tokens map[link]string) {
	out.WriteString("<recording>")
	text(out, "recordID", r.ID)
	text(out, "meetingID", r.MeetingID)
	text(out, "internalMeetingID", r.InternalMeetingID)
	text(out, "name", r.Name)
	text(out, "isBreakout", strconv.FormatBool(r.IsBreakout))
	text(out, "published", strconv.FormatBool(r.State == store.Published))
	if v.feature {
		text(out, "protected", strconv.FormatBool(r.Protected))
	}
	text(out, "state", string(r.State))
	text(out, "startTime", strconv.FormatInt(r.Start, 10))
	text(out, "endTime", strconv.FormatInt(r.End, 10))
	text(out, "participants", strconv.Itoa(r.Participants))
	text(out, "rawSize", strconv.FormatInt(r.RawSize, 10))
	metadata(out, r.Metadata())
	if b := r.Breakout; b != nil {
		out.WriteString("<breakout>")
		text(out, "parentId", b.ParentID)
		text(out, "sequence", strconv.Itoa(b.Sequence))
		text(out, "freeJoin", strconv.FormatBool(b.FreeJoin))
		out.WriteString("</breakout>")
	}
	if len(r.BreakoutRooms) > 0 {
		out.WriteString("<breakoutRooms>")
		for _, id := range r.BreakoutRooms {
			text(out, "breakoutRoom", id)
		}
		out.WriteString("</breakoutRooms>")
	}
	out.WriteString("<playback>")
	for _, f := range v.formats(r) {
		v.format(out, r, f, tokens[link{r.ID, f.Type}])
	}
	out.WriteString("</playback></recording>")
}

func (v recordingView) format(out *bytes.Buffer, r store.Recording, f store.Format, token string) {
	address := v.base + f.URL
	if token != "" {
		address = v.base + "/recording/" + r.ID + "/" + f.Type + "?token=" + token
	}
	out.WriteString("<format>")
	text(out, "type", f.Type)
	text(out, "url", address)
	text(out, "length", strconv.FormatInt(minutes(f.LengthMS), 10))
	text(out, "processingTime", strconv.FormatInt(f.ProcessingMS, 10))
	text(out, "size", strconv.FormatInt(cmp.Or(f.Size, f.Bytes), 10)) // BBB drops its own when it rewrites metadata.xml
	if len(f.Images) > 0 && !r.Protected {
		out.WriteString("<preview><images>")
		for _, i := range f.Images {
			fmt.Fprintf(out, `<image width="%d" height="%d" alt="`, i.Width, i.Height)
			escaped(out, i.Alt)
			out.WriteString(`">`)
			escaped(out, v.base+i.Path)
			out.WriteString("</image>")
		}
		out.WriteString("</images></preview>")
	}
	out.WriteString("</format>")
}

// minutes rounds milliseconds to minutes.
func minutes(ms int64) int64 { return (ms + 30_000) / 60_000 }

// xmlName is what may be the name of an element of metadata.
var xmlName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// metadata writes the metadata by key. An empty value is a CDATA section, for
// front-ends that need a node; a key that is no name of an element is left out.
func metadata(out *bytes.Buffer, all map[string]string) {
	out.WriteString("<metadata>")
	for _, key := range slices.Sorted(maps.Keys(all)) {
		switch {
		case !xmlName.MatchString(key):
		case all[key] == "":
			fmt.Fprintf(out, "<%s><![CDATA[]]></%s>", key, key)
		default:
			text(out, key, all[key])
		}
	}
	out.WriteString("</metadata>")
}

func text(out *bytes.Buffer, name, value string) {
	out.WriteString("<" + name + ">")
	escaped(out, value)
	out.WriteString("</" + name + ">")
}

// escaped writes text that is well-formed whatever it holds: what XML cannot
// carry becomes U+FFFD.
func escaped(out *bytes.Buffer, value string) { _ = xml.EscapeText(out, []byte(value)) }
