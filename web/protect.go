package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/store"
)

// tokenLength is that of the tokens of protected links, in hex digits.
const tokenLength = 64

// openLink answers the link of a format: it leads to where the format plays,
// and for a protected recording lets the reader in, once for each token.
func (s *Server) openLink(c echo.Context) error {
	id, format := c.Param("id"), c.Param("format")
	r, err := s.playable(c.Request().Context(), format, id)
	if err != nil {
		return s.notPlayed(c, err)
	}
	if r.Protected {
		if err := s.admit(c, format, id); err != nil {
			return s.notPlayed(c, err)
		}
	}
	f, _ := r.Format(format)
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	return c.Redirect(http.StatusTemporaryRedirect, localURL(id, f))
}

// admit uses the token of the request up and gives its reader a cookie.
func (s *Server) admit(c echo.Context, format, id string) error {
	if err := s.takeToken(c, format, id); err != nil || c.Request().Method == http.MethodHead {
		return err
	}
	ctx := c.Request().Context()
	key, err := s.cookies.ensure(ctx, s.store)
	if err != nil {
		return fmt.Errorf("key of the cookies: %w", err)
	}
	return giveCookies(c, key, format, id, s.recordingsConfig().CookieTTL)
}

// trackToken is what a token for one text track opens.
func trackToken(file string) string { return "presentation/" + file }

// admittedToTrack reports whether the request has a token for this text track.
// Programs fetch those, which keep no cookie.
func (s *Server) admittedToTrack(c echo.Context, p filePath) (bool, error) {
	if p.format != "presentation" || !strings.HasSuffix(p.name, ".vtt") {
		return false, nil
	}
	err := s.takeToken(c, trackToken(p.name), p.id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// takeToken uses the token of the request up, store.ErrNotFound if it does not
// open this. A HEAD only asks where the link leads: programs that check links
// must not use them up.
func (s *Server) takeToken(c echo.Context, format, id string) error {
	ctx, grace := c.Request().Context(), s.recordingsConfig().TokenGrace
	token := c.QueryParam("token")
	if len(token) != tokenLength || strings.Trim(token, "0123456789abcdef") != "" {
		return store.ErrNotFound
	}
	used := false
	read := func(tx *store.Tx) error {
		t, err := tx.PlayToken(token)
		if err != nil {
			return err
		}
		if t.RecordID != id || t.Format != format || !tokenOpens(t, tx.Now, grace) {
			return store.ErrNotFound
		}
		used = !t.Used.IsZero()
		return nil
	}
	// Looked at first: whoever guesses must not make us write.
	if err := s.store.View(ctx, read); err != nil {
		return err
	}
	if used || c.Request().Method == http.MethodHead {
		return nil
	}
	return s.useToken(ctx, token, read)
}

// useToken notes the first use of a token; check is as of that moment.
func (s *Server) useToken(ctx context.Context, token string, check func(*store.Tx) error) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		if err := check(tx); err != nil {
			return err
		}
		t, err := tx.PlayToken(token)
		if err != nil || !t.Used.IsZero() {
			return err
		}
		t.Used = tx.Now
		return tx.PutPlayToken(t)
	})
}

// tokenOpens: a token opens a recording once until it expires, and from then on
// for the grace time, in which the click is repeated and the page reloaded.
func tokenOpens(t store.PlayToken, now time.Time, grace time.Duration) bool {
	if t.Used.IsZero() {
		return now.Before(t.Expires)
	}
	return now.Sub(t.Used) < grace
}

// sweepBatch is how many tokens are looked at, and removed, in one transaction.
const sweepBatch = 2000

// SweepTokens removes the tokens of protected links that open nothing any more,
// and returns how many. Each getRecordings makes some: it is to be called every
// hour or so.
func (s *Server) SweepTokens(ctx context.Context) (removed int, err error) {
	grace, after := s.recordingsConfig().TokenGrace, ""
	for {
		var spent []string
		var seen int
		var last string
		err := s.store.View(ctx, func(tx *store.Tx) error {
			spent, seen = nil, 0
			for t, err := range tx.PlayTokens(after) {
				if err != nil {
					return err
				}
				if !tokenOpens(t, tx.Now, grace) {
					spent = append(spent, t.Token)
				}
				last = t.Token
				if seen++; seen == sweepBatch {
					break
				}
			}
			return nil
		})
		if err != nil || seen == 0 {
			return removed, err
		}
		if after = last; len(spent) == 0 {
			continue
		}
		err = s.store.Update(ctx, func(tx *store.Tx) error {
			var errs []error
			for _, token := range spent {
				errs = append(errs, tx.DeletePlayToken(token))
			}
			return errors.Join(errs...)
		})
		if err != nil {
			return removed, err
		}
		removed += len(spent)
	}
}
