package bbbside

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"time"
)

// Path is where the script of a link is served.
const Path = "/scalelite/bbb-setup.sh"

// LinkTime is how long a link is valid.
const LinkTime = time.Hour

// linkPurpose sets the signature of a link apart from all else that is signed
// with the secret of a server.
const linkPurpose = "scalelite bbb-setup.sh\n"

// Link returns the address of the script for p: it leads to that script and no
// other, until LinkTime after now. It is signed with the secret of the server,
// which cannot be told from it.
func Link(p Params, secret string, now time.Time) (string, error) {
	if secret == "" {
		return "", errors.New("the server has no secret")
	}
	if err := p.complete(); err != nil {
		return "", err
	}
	q := url.Values{
		"balancer": {p.Balancer}, "server": {p.Server}, "transfer": {string(p.Transfer)},
		"expires": {strconv.FormatInt(now.Add(LinkTime).Unix(), 10)},
	}
	if p.Transfer == SSH {
		q.Set("ssh_user", p.SSH.User)
		q.Set("ssh_host", p.SSH.Host)
		q.Set("ssh_port", strconv.Itoa(p.SSH.Port))
	}
	q.Set("signature", hex.EncodeToString(signature(q, secret)))
	return p.Balancer + Path + "?" + q.Encode(), nil
}

// ReadLink returns what the query of a link says, all but the server's host and
// the spool, if it was signed with the secret of its server. The error wraps
// ErrForged or ErrExpired.
func ReadLink(q url.Values, secret string, now time.Time) (p Params, err error) {
	given, err := hex.DecodeString(q.Get("signature"))
	if err != nil || secret == "" || !hmac.Equal(given, signature(q, secret)) {
		return p, ErrForged
	}
	expires, err := strconv.ParseInt(q.Get("expires"), 10, 64)
	if err != nil {
		return p, ErrForged
	}
	if now.Unix() >= expires {
		return p, ErrExpired
	}
	p = Params{Balancer: q.Get("balancer"), Server: q.Get("server"), Transfer: Transfer(q.Get("transfer"))}
	p.SSH = Target{User: q.Get("ssh_user"), Host: q.Get("ssh_host")}
	if port := q.Get("ssh_port"); port != "" {
		if p.SSH.Port, err = strconv.Atoi(port); err != nil {
			return p, ErrForged
		}
	}
	return p, nil
}

// signature is that of all parameters but itself.
func signature(q url.Values, secret string) []byte {
	signed := url.Values{}
	for name, values := range q {
		if name != "signature" {
			signed[name] = values
		}
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(linkPurpose + signed.Encode()))
	return mac.Sum(nil)
}
