package balancer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// readyParams ask for a call when a recording is ready. The first that is given
// counts; none reaches a server, which would sign the call with a secret that
// the front-end does not know.
var readyParams = [...]string{
	"meta_bn-recording-ready-url", "meta_bbb-recording-ready-url", "meta_canvas-recording-ready-url",
}

// takeReadyURL removes the parameters from a create and returns the URL that
// counts, "" if there is none.
func takeReadyURL(p *bbb.Params) string {
	given := map[string]string{}
	for _, name := range p.Names() {
		for _, wanted := range readyParams {
			if strings.EqualFold(name, wanted) {
				given[wanted] = p.ID(name)
				p.Del(name)
			}
		}
	}
	for _, name := range readyParams {
		if given[name] != "" {
			return given[name]
		}
	}
	return ""
}

// maxReadyURL is the longest URL in bytes that is remembered.
const maxReadyURL = 4096

// rememberReadyURL stores where the front-end wants to be told, unless it is
// known already: front-ends create before each join.
func (b *Balancer) rememberReadyURL(ctx context.Context, k store.MeetingKey, url, signedBy string) error {
	if url == "" || len(url) > maxReadyURL {
		return nil
	}
	var known store.ReadyURL
	err := b.store.View(ctx, func(tx *store.Tx) (err error) {
		known, err = tx.ReadyURL(k)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the recording-ready URL: %w", err)
	}
	if err == nil && known.URL == url && known.SignedBy == signedBy && b.now().Sub(known.Since) < callbackKept {
		return nil
	}
	err = b.store.Update(ctx, func(tx *store.Tx) error {
		return tx.PutReadyURL(store.ReadyURL{MeetingKey: k, URL: url, SignedBy: signedBy, Since: tx.Now})
	})
	if err != nil {
		return fmt.Errorf("remember the recording-ready URL: %w", err)
	}
	return nil
}
