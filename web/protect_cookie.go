package web

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"scalelite/store"
)

// cookieKey is the key that signs cookies, read from the store when it is first
// needed.
type cookieKey struct{ key atomic.Pointer[[]byte] }

// ensure returns the key, and makes one if there is none yet.
func (k *cookieKey) ensure(ctx context.Context, s *store.Store) ([]byte, error) {
	key, err := k.known(ctx, s)
	if !errors.Is(err, store.ErrNotFound) {
		return key, err
	}
	err = s.Update(ctx, func(tx *store.Tx) (err error) {
		key, err = tx.EnsureCookieKey()
		return err
	})
	if err != nil {
		return nil, err
	}
	k.key.Store(&key)
	return key, nil
}

// known returns the key, or store.ErrNotFound if none was ever needed.
func (k *cookieKey) known(ctx context.Context, s *store.Store) (key []byte, err error) {
	if known := k.key.Load(); known != nil {
		return *known, nil
	}
	err = s.View(ctx, func(tx *store.Tx) error {
		key, err = tx.CookieKey()
		return err
	})
	if err != nil {
		return nil, err
	}
	k.key.Store(&key)
	return key, nil
}

func cookieName(format, id string) string { return "recording_" + format + "_" + id }

// cookieScope is the path of the cookie and the subject of what it holds.
func cookieScope(format, id string) string { return "/" + format + "/" + id }

// cookieMethod signs the cookies; others are not taken.
const cookieMethod = "HS256"

// giveCookies lets the reader see a format of a recording for a while.
//
// The cookie is given twice, with and without Partitioned. In a page of the
// front-end's, browsers that separate sites keep only the partitioned one; the
// other one still holds when the reader opens the recording in a window of its
// own. Browsers that do not know the attribute keep one cookie, the second.
func giveCookies(c echo.Context, key []byte, format, id string, ttl time.Duration) error {
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject: cookieScope(format, id), ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
	}).SignedString(key)
	if err != nil {
		return err
	}
	cookie := http.Cookie{
		Name: cookieName(format, id), Value: token, Path: cookieScope(format, id),
		MaxAge: int(ttl / time.Second), Expires: now.Add(ttl), Secure: true, HttpOnly: true,
		SameSite: http.SameSiteNoneMode,
	}
	if misreadsNone(c.Request().UserAgent()) {
		cookie.SameSite = http.SameSiteDefaultMode
		c.SetCookie(&cookie)
		return nil
	}
	partitioned := cookie
	partitioned.Partitioned = true
	c.SetCookie(&cookie)
	c.SetCookie(&partitioned)
	return nil
}

// maxCookies bounds how many cookies of one name are looked at.
const maxCookies = 4

// admitted reports whether the reader has a cookie that opens this format of
// this recording.
func (s *Server) admitted(r *http.Request, format, id string) bool {
	cookies := r.CookiesNamed(cookieName(format, id))
	if len(cookies) == 0 {
		return false
	}
	key, err := s.cookies.known(r.Context(), s.store)
	if err != nil {
		if !errors.Is(err, store.ErrNotFound) {
			s.log.Error("key of the cookies could not be read", "cause", err)
		}
		return false
	}
	for _, cookie := range cookies[:min(len(cookies), maxCookies)] {
		if cookieOpens(cookie.Value, key, cookieScope(format, id)) {
			return true
		}
	}
	return false
}

func cookieOpens(value string, key []byte, scope string) bool {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(value, &claims, func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{cookieMethod}), jwt.WithExpirationRequired())
	return err == nil && claims.Subject == scope
}

var (
	iOSVersion    = regexp.MustCompile(`\(iP.+; CPU .*OS (\d+)[_\d]*.*\) AppleWebKit/`)
	macVersion    = regexp.MustCompile(`\(Macintosh;.*Mac OS X (\d+)_(\d+)[_\d]*.*\) AppleWebKit/`)
	macSafari     = regexp.MustCompile(`Version/.* Safari/`)
	macEmbedded   = regexp.MustCompile(`^Mozilla/[.\d]+ \(Macintosh;.*Mac OS X [_\d]+\) AppleWebKit/[.\d]+ \(KHTML, like Gecko\)$`)
	chromeVersion = regexp.MustCompile(`Chrom(?:e|ium)/(\d+)\.`)
	ucVersion     = regexp.MustCompile(`UCBrowser/(\d+)\.(\d+)\.(\d+)`)
)

// misreadsNone reports whether a browser is one of those that take
// SameSite=None for Strict, or throw such a cookie away. They send cookies
// without the attribute wherever they are wanted. By the list that the makers of
// Chromium keep of them, these are
//
//   - every browser on iOS 12,
//   - Safari and what embeds it on macOS 10.14,
//   - Chrome and Chromium 51 to 66,
//   - UC Browser before 12.13.2, whatever Chrome it claims to be.
func misreadsNone(agent string) bool {
	if len(agent) > 1024 { // no browser's
		return false
	}
	if v := ucVersion.FindStringSubmatch(agent); v != nil {
		return !atLeast(v[1:], 12, 13, 2)
	}
	if v := iOSVersion.FindStringSubmatch(agent); v != nil {
		return v[1] == "12"
	}
	if v := macVersion.FindStringSubmatch(agent); v != nil && v[1] == "10" && v[2] == "14" {
		chromium := strings.Contains(agent, "Chrome/") || strings.Contains(agent, "Chromium/")
		if macSafari.MatchString(agent) && !chromium || macEmbedded.MatchString(agent) {
			return true
		}
	}
	v := chromeVersion.FindStringSubmatch(agent)
	return v != nil && atLeast(v[1:], 51) && !atLeast(v[1:], 67)
}

// atLeast compares versions, part by part.
func atLeast(version []string, want ...int) bool {
	for i, part := range version {
		n, err := strconv.Atoi(part)
		if err != nil {
			return true // beyond all numbers
		}
		if n != want[i] {
			return n > want[i]
		}
	}
	return true
}
