package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"scalelite/recordings"
	"scalelite/store"
)

// errToken: a token does not entitle its bearer to anything. What wraps it says
// why, in words of our own.
var errToken = errors.New("token refused")

func tokenRefused(why string) error { return fmt.Errorf("%w: %s", errToken, why) }

// Bounds of tokens. One is made for one request, and clocks differ a little.
const (
	maxToken    = 4 << 10
	tokenAhead  = time.Hour
	tokenLeeway = time.Minute
)

// uploader is who makes a request, and the recording that it is about.
type uploader struct {
	server    store.Server
	recording string
}

// uploader checks the token of a request: a JWT of HS256 or HS512, signed with
// the secret of a server that we know, {iss: host of the server's URL, sub:
// recordID, exp}. Whether the server is enabled does not matter: one that is
// taken out of service still hands over what it recorded.
func (s *Server) uploader(c echo.Context) (uploader, error) {
	scheme, token, _ := strings.Cut(c.Request().Header.Get(echo.HeaderAuthorization), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return uploader{}, tokenRefused("there is none")
	}
	if len(token) > maxToken {
		return uploader{}, tokenRefused("it is too long")
	}
	var claimed jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claimed); err != nil {
		return uploader{}, tokenRefused("it is no JWT")
	}
	servers, err := s.serversAt(c.Request().Context(), claimed.Issuer)
	if err != nil {
		return uploader{}, err
	}
	err = tokenRefused("its issuer is no server of the pool")
	for _, server := range servers {
		var claims jwt.RegisteredClaims
		if claims, err = verifyToken(token, server); err == nil {
			err = s.checkClaims(claims)
			return uploader{server, claims.Subject}, err
		}
	}
	return uploader{}, err
}

// verifyToken checks the signature and the times of a token.
func verifyToken(token string, server store.Server) (claims jwt.RegisteredClaims, err error) {
	key := func(*jwt.Token) (any, error) { return []byte(server.Secret), nil }
	_, err = jwt.ParseWithClaims(token, &claims, key,
		jwt.WithValidMethods([]string{"HS256", "HS512"}), jwt.WithExpirationRequired(), jwt.WithLeeway(tokenLeeway))
	switch {
	case err == nil:
		return claims, nil
	case errors.Is(err, jwt.ErrTokenExpired):
		return claims, tokenRefused("it is expired")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return claims, tokenRefused("it does not expire")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return claims, tokenRefused("it is not valid yet")
	}
	return claims, tokenRefused("its signature is wrong")
}

// checkClaims checks what a token says, whose signature is good.
func (s *Server) checkClaims(claims jwt.RegisteredClaims) error {
	switch {
	case time.Until(claims.ExpiresAt.Time) > tokenAhead+tokenLeeway:
		return tokenRefused("it is valid for more than an hour")
	case !recordings.PlainWord(claims.Subject):
		return tokenRefused("its subject is no recordID")
	case len(claims.Audience) > 0 && !slices.ContainsFunc(claims.Audience, s.live.Load().Serves):
		return tokenRefused("it is meant for another host")
	}
	return nil
}

// serversAt lists the servers of a host: several may share one.
func (s *Server) serversAt(ctx context.Context, host string) (found []store.Server, err error) {
	host = strings.TrimSuffix(host, ".")
	if host == "" {
		return nil, nil
	}
	err = s.store.View(ctx, func(tx *store.Tx) error {
		found = nil
		for server, err := range tx.Servers() {
			if err != nil {
				return err
			}
			address, err := url.Parse(server.API)
			if err != nil {
				continue
			}
			if strings.EqualFold(address.Hostname(), host) || strings.EqualFold(address.Host, host) {
				found = append(found, server)
			}
		}
		return nil
	})
	return found, err
}
